-- Takes away what capture.sql made, and first every trigger that it put on a table. Takes AccessExclusive on those tables
-- for an instant.
BEGIN;
SET LOCAL lock_timeout = '5s';

DO $$
DECLARE
  relation text;
BEGIN
  IF pg_catalog.to_regprocedure('outbox_relay.uncapture(text)') IS NULL THEN
    RETURN;
  END IF;
  -- Names with their schema: what regclass leaves away depends on the session. Every table with a trigger of ours, noted or not.
  FOR relation IN
    SELECT pg_catalog.format('%I.%I', n.nspname, c.relname)
    FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    WHERE c.oid IN (SELECT t.tgrelid FROM pg_catalog.pg_trigger t JOIN pg_catalog.pg_proc p ON p.oid = t.tgfoid
                    WHERE p.pronamespace = 'outbox_relay'::regnamespace AND t.tgname LIKE 'outbox\_relay\_%' AND t.tgparentid = 0)
       OR c.oid IN (SELECT k.relation FROM outbox_relay.captured k)
  LOOP
    PERFORM outbox_relay.uncapture(relation);
  END LOOP;
  FOR relation IN SELECT k.function_name FROM outbox_relay.captured k LOOP  -- of tables that were dropped
    EXECUTE pg_catalog.format('DROP FUNCTION IF EXISTS outbox_relay.%I()', relation);
  END LOOP;
END
$$;

DROP FUNCTION IF EXISTS outbox_relay.capture_drift();
DROP FUNCTION IF EXISTS outbox_relay.uncapture(text);
DROP FUNCTION IF EXISTS outbox_relay.capture(text, jsonb);
DROP FUNCTION IF EXISTS outbox_relay.capture_name(regclass);
DROP FUNCTION IF EXISTS outbox_relay.capture_hand_over(regclass, text);
DROP FUNCTION IF EXISTS outbox_relay.capture_may_insert(regrole);
DROP FUNCTION IF EXISTS outbox_relay.capture_runner(regclass);
DROP FUNCTION IF EXISTS outbox_relay.capture_triggers(regclass, jsonb, text);
DROP FUNCTION IF EXISTS outbox_relay.capture_function(regclass, jsonb, text);
DROP FUNCTION IF EXISTS outbox_relay.capture_select(regclass, jsonb, text);
DROP FUNCTION IF EXISTS outbox_relay.capture_row(text, jsonb);
DROP FUNCTION IF EXISTS outbox_relay.capture_key(text);
DROP FUNCTION IF EXISTS outbox_relay.capture_fields(text);
DROP FUNCTION IF EXISTS outbox_relay.capture_plain(text);
DROP FUNCTION IF EXISTS outbox_relay.capture_match(regclass, jsonb);
DROP FUNCTION IF EXISTS outbox_relay.capture_id(text, jsonb);
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
