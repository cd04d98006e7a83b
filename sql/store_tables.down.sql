-- Takes away what store_tables.sql made. Lost with the tables: how far each pipeline has delivered that keeps its progress
-- here, and its dead letters.
BEGIN;
SET LOCAL lock_timeout = '5s';

DROP TABLE IF EXISTS outbox_relay.dead_letter;
DROP TABLE IF EXISTS outbox_relay.progress;

DO $$
BEGIN
  DROP SCHEMA IF EXISTS outbox_relay;
EXCEPTION WHEN dependent_objects_still_exist THEN
  NULL;  -- other parts of it are in use
END
$$;

COMMIT;
