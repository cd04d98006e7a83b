-- The table in which pipelines that poll note how far they have delivered. Comes with outbox.sql and outbox_columns.sql.
-- Run by psql -f, or by the relay when the configuration says create: [tables]. May be run again at any time.
-- Takes no lock on any table of the application. Needs CREATE on the database, no superuser, no extension.
BEGIN;
SET LOCAL lock_timeout = '5s';

DO $$
DECLARE
  strange text;
  owner text;
BEGIN
  -- CREATE SCHEMA IF NOT EXISTS asks for CREATE on the database even when the schema is there.
  IF NOT EXISTS (SELECT FROM pg_catalog.pg_namespace WHERE nspname = 'outbox_relay') THEN
    CREATE SCHEMA outbox_relay;
  END IF;
  -- Who owns the schema, or what this file makes in it, decides what runs there with our rights: never a stranger.
  SELECT t.thing, pg_catalog.quote_ident(r.rolname) INTO strange, owner FROM (
    SELECT 'SCHEMA outbox_relay', n.nspowner FROM pg_catalog.pg_namespace n WHERE n.nspname = 'outbox_relay'
    UNION ALL
    SELECT pg_catalog.format('TABLE outbox_relay.%I', c.relname), c.relowner FROM pg_catalog.pg_class c
    WHERE c.relnamespace = 'outbox_relay'::regnamespace AND c.relname IN ('reader')) t(thing, owner)
    JOIN pg_catalog.pg_roles r ON r.oid = t.owner
  WHERE NOT pg_catalog.pg_has_role(r.oid, current_user, 'USAGE')
    AND (NOT pg_catalog.pg_has_role(r.oid, 'USAGE')
         OR EXISTS (SELECT FROM pg_catalog.pg_roles s WHERE s.rolname = current_user AND s.rolsuper))
  LIMIT 1;
  IF strange IS NOT NULL THEN
    RAISE EXCEPTION USING ERRCODE = 'insufficient_privilege', MESSAGE = pg_catalog.format('[schema_foreign] using %s: it '
        'belongs to %s, who could make it run anything with the rights of %I', strange, owner, current_user),
      HINT = pg_catalog.format('run this as %s (SET ROLE %s); or, when you know what is in the schema: ALTER %s OWNER TO %I;',
        owner, owner, strange, current_user);
  END IF;
END
$$;

-- One row per pipeline that polls, made and moved by the relay. Those that read outbox_relay.outbox hold its purge back.
CREATE TABLE IF NOT EXISTS outbox_relay.reader (
  pipeline     text PRIMARY KEY,
  acknowledged bigint NOT NULL,             -- every relay_id up to here is delivered, and that is stored
  updated_at   timestamptz NOT NULL DEFAULT pg_catalog.now(),
  relation     text NOT NULL DEFAULT 'outbox_relay.outbox'  -- the table that it reads: schema.table, not quoted
);

COMMIT;
