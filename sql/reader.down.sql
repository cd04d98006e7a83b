-- Takes away what reader.sql made. Lost with the table: how far each pipeline has delivered that polls; it refuses to go on.
BEGIN;
SET LOCAL lock_timeout = '5s';

DROP TABLE IF EXISTS outbox_relay.reader;

DO $$
BEGIN
  DROP SCHEMA IF EXISTS outbox_relay;
EXCEPTION WHEN dependent_objects_still_exist THEN
  NULL;  -- other parts of it are in use
END
$$;

COMMIT;
