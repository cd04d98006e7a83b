-- The function outbox_relay.emit_message: one event as a logical message, an outbox without a table.
-- Run by psql -f, or as a migration. May be run again at any time; messages.down.sql takes it away.
-- Takes no lock on any table of the application. Needs CREATE on the database, no superuser, no extension.
-- The relay reads messages from PostgreSQL 14 on, with wal_level = logical.
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
    SELECT pg_catalog.format('FUNCTION %s', p.oid::regprocedure), p.proowner FROM pg_catalog.pg_proc p
    WHERE p.pronamespace = 'outbox_relay'::regnamespace AND p.proname IN ('emit_message')) t(thing, owner)
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

-- As outbox_relay.emit, with the rights of the caller. Leaves with the transaction, or not at all.
CREATE OR REPLACE FUNCTION outbox_relay.emit_message(aggregate_type text, aggregate_id text, event_type text, payload jsonb,
                                                     event_id uuid DEFAULT pg_catalog.gen_random_uuid(),
                                                     prefix text DEFAULT 'outbox')
RETURNS uuid LANGUAGE sql SET search_path = pg_catalog, pg_temp AS $$
  SELECT pg_catalog.pg_logical_emit_message(true, prefix, pg_catalog.jsonb_build_object('id', event_id,
    'aggregate_type', aggregate_type, 'aggregate_id', aggregate_id, 'event_type', event_type, 'payload', payload)::text);
  SELECT event_id
$$;
REVOKE ALL ON FUNCTION outbox_relay.emit_message(text, text, text, jsonb, uuid, text) FROM PUBLIC;

COMMIT;
