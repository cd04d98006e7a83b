-- Takes away what migration_table.sql made.
BEGIN;
SET LOCAL lock_timeout = '5s';

DROP TABLE IF EXISTS outbox_relay.migration;

DO $$
BEGIN
  DROP SCHEMA IF EXISTS outbox_relay;
EXCEPTION WHEN dependent_objects_still_exist THEN
  NULL;  -- other parts of it are in use
END
$$;

COMMIT;
