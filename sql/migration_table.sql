-- The table in which `outbox-relay migrate apply` notes what it has done, for those who use no migration tool.
-- May be run again at any time. Takes no lock on any table of the application.
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
    WHERE c.relnamespace = 'outbox_relay'::regnamespace AND c.relname IN ('migration')) t(thing, owner)
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

CREATE TABLE IF NOT EXISTS outbox_relay.migration (
  number     bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  name       text NOT NULL UNIQUE,
  up         text NOT NULL,           -- what was executed
  down       text NOT NULL,           -- what takes it back, whatever a later program brings
  loses      text NOT NULL,           -- what `down` destroys; empty: nothing
  there      text NOT NULL,           -- an SQL expression: is what `up` made still there? Empty: not known
  applied_at timestamptz NOT NULL DEFAULT pg_catalog.now(),
  applied_by text NOT NULL DEFAULT current_user
);

COMMIT;
