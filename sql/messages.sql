-- The function outbox_relay.emit_message: one event as a logical message, an outbox without a table.
-- Run by psql -f, or as a migration. May be run again at any time; messages.down.sql takes it away.
-- Takes no lock on any table of the application. Needs CREATE on the database, no superuser, no extension.
-- The relay reads messages from PostgreSQL 14 on, with wal_level = logical.
BEGIN;
SET LOCAL lock_timeout = '5s';

DO $$
BEGIN
  IF NOT EXISTS (SELECT FROM pg_catalog.pg_namespace WHERE nspname = 'outbox_relay') THEN
    CREATE SCHEMA outbox_relay;
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
