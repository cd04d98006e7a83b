-- Takes away what outbox.sql made. Events that are not delivered yet are lost with the table.
BEGIN;
SET LOCAL lock_timeout = '5s';

DO $$
BEGIN
  IF pg_catalog.to_regclass('outbox_relay.captured') IS NOT NULL THEN
    IF EXISTS (SELECT FROM outbox_relay.captured c WHERE coalesce(c.options ->> 'into', 'outbox') = 'outbox') THEN
      RAISE EXCEPTION USING MESSAGE = '[capture_in_use] dropping outbox_relay.outbox: triggers on tables of the application write '
        'into it, and every such write would fail', HINT = 'take the captures away first: capture.down.sql, or '
        'SELECT outbox_relay.uncapture(relation::text) FROM outbox_relay.captured;';
    END IF;
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
