-- The table in which pipelines that poll note how far they have delivered. Comes with outbox.sql and outbox_columns.sql.
-- Run by psql -f, or by the relay when the configuration says create: [tables]. May be run again at any time.
-- Takes no lock on any table of the application. Needs CREATE on the database, no superuser, no extension.
BEGIN;
SET LOCAL lock_timeout = '5s';

DO $$
BEGIN
  -- CREATE SCHEMA IF NOT EXISTS asks for CREATE on the database even when the schema is there.
  IF NOT EXISTS (SELECT FROM pg_catalog.pg_namespace WHERE nspname = 'outbox_relay') THEN
    CREATE SCHEMA outbox_relay;
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
