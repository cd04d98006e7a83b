-- Takes away what outbox.sql made. Events that are not delivered yet are lost with the table.
BEGIN;
SET LOCAL lock_timeout = '5s';

DO $$
DECLARE
  relation text;
BEGIN
  SELECT pg_catalog.format('%I.%I', s.nspname, c.relname) INTO relation
  FROM pg_catalog.pg_trigger t JOIN pg_catalog.pg_proc p ON p.oid = t.tgfoid
    JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace AND n.nspname = 'outbox_relay'
    JOIN pg_catalog.pg_class c ON c.oid = t.tgrelid JOIN pg_catalog.pg_namespace s ON s.oid = c.relnamespace
  WHERE NOT t.tgisinternal AND pg_catalog.strpos(p.prosrc, 'INSERT INTO outbox_relay.outbox ') > 0 ORDER BY t.tgparentid LIMIT 1;
  IF relation IS NOT NULL THEN
    RAISE EXCEPTION USING MESSAGE = '[capture_in_use] dropping outbox_relay.outbox: triggers on tables of the application write '
      'into it, and every such write would fail', HINT = 'take the captures away first: capture.down.sql, or of each table '
      || pg_catalog.format('SELECT outbox_relay.uncapture(%L);', relation);
  END IF;
END
$$;

DROP FUNCTION IF EXISTS outbox_relay.emit(text, text, text, jsonb, uuid);
DROP FUNCTION IF EXISTS outbox_relay.purge(boolean);
DROP TABLE IF EXISTS outbox_relay.outbox;

DO $$
BEGIN
  DROP SCHEMA IF EXISTS outbox_relay;
EXCEPTION WHEN dependent_objects_still_exist THEN
  NULL;  -- other parts of it are in use
END
$$;

COMMIT;
