-- The table in which `outbox-relay migrate apply` notes what it has done, for those who use no migration tool.
-- May be run again at any time. Takes no lock on any table of the application.
BEGIN;
SET LOCAL lock_timeout = '5s';

DO $$
BEGIN
  IF NOT EXISTS (SELECT FROM pg_catalog.pg_namespace WHERE nspname = 'outbox_relay') THEN
    CREATE SCHEMA outbox_relay;
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
