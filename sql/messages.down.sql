-- Takes away what messages.sql made.
BEGIN;
SET LOCAL lock_timeout = '5s';

DROP FUNCTION IF EXISTS outbox_relay.emit_message(text, text, text, jsonb, uuid, text);

DO $$
BEGIN
  DROP SCHEMA IF EXISTS outbox_relay;
EXCEPTION WHEN dependent_objects_still_exist THEN
  NULL;  -- other parts of it are in use
END
$$;

COMMIT;
