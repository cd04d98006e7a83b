-- Takes away what capture.sql made, and first every trigger that it put on a table. Takes AccessExclusive on those tables
-- for an instant.
BEGIN;
SET LOCAL lock_timeout = '5s';

DO $$
DECLARE
  relation regclass;
BEGIN
  IF pg_catalog.to_regclass('outbox_relay.captured') IS NOT NULL THEN
    FOR relation IN SELECT c.relation FROM outbox_relay.captured c LOOP
      PERFORM outbox_relay.uncapture(relation::text);
    END LOOP;
  END IF;
END
$$;

DROP FUNCTION IF EXISTS outbox_relay.capture_drift();
DROP FUNCTION IF EXISTS outbox_relay.uncapture(text);
DROP FUNCTION IF EXISTS outbox_relay.capture(text, jsonb);
DROP FUNCTION IF EXISTS outbox_relay.capture_triggers(regclass, jsonb, text);
DROP FUNCTION IF EXISTS outbox_relay.capture_function(regclass, jsonb, text);
DROP FUNCTION IF EXISTS outbox_relay.capture_select(regclass, jsonb, text);
DROP FUNCTION IF EXISTS outbox_relay.capture_match(regclass, jsonb);
DROP FUNCTION IF EXISTS outbox_relay.capture_id(regclass, text, jsonb);
DROP FUNCTION IF EXISTS outbox_relay.capture_column(regclass, text, text);
DROP FUNCTION IF EXISTS outbox_relay.capture_options(regclass, jsonb);
DROP FUNCTION IF EXISTS outbox_relay.execute_politely(text, text);
DROP TABLE IF EXISTS outbox_relay.captured;

DO $$
BEGIN
  DROP SCHEMA IF EXISTS outbox_relay;
EXCEPTION WHEN dependent_objects_still_exist THEN
  NULL;  -- other parts of it are in use
END
$$;

COMMIT;
