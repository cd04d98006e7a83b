-- Takes away what outbox_columns.sql added:
--   psql -v table=public.outbox -f outbox_columns.down.sql
-- The application's rows stay, their numbers go: a pipeline that polls the table refuses to go on, even when the columns are
-- added again. Columns of this name that outbox_columns.sql found there are left alone. Takes AccessExclusive on the table for an instant.
BEGIN;
SET LOCAL lock_timeout = '300ms';
SELECT pg_catalog.set_config('outbox_relay.table', :'table', true);

DO $$
DECLARE
  word text := pg_catalog.current_setting('outbox_relay.table');
  relation regclass := pg_catalog.to_regclass(word);
BEGIN
  IF relation IS NULL OR NOT EXISTS (
    SELECT FROM pg_catalog.pg_attribute a
    WHERE a.attrelid = relation AND a.attname = 'relay_id' AND NOT a.attisdropped
      AND pg_catalog.col_description(relation, a.attnum) = 'made by outbox_columns.sql') THEN
    RETURN;
  END IF;
  FOR attempt IN 1 .. 20 LOOP
    BEGIN
      EXECUTE pg_catalog.format('LOCK TABLE %s IN ACCESS EXCLUSIVE MODE', relation);
      EXIT;
    EXCEPTION WHEN lock_not_available THEN
      IF attempt = 20 THEN
        RAISE EXCEPTION USING ERRCODE = 'lock_not_available', MESSAGE = '[lock_unavailable] dropping relay_id of ' || word
          || ': other transactions held the table all the time', HINT = 'end the transaction that has it '
          'open longest (pg_stat_activity.xact_start), then run this again';
      END IF;
      PERFORM pg_catalog.pg_sleep(0.1 + 0.4 * pg_catalog.random());
    END;
  END LOOP;
  EXECUTE pg_catalog.format('DROP TRIGGER IF EXISTS relay_columns ON %s', relation);
  EXECUTE pg_catalog.format('DROP FUNCTION IF EXISTS %I.%I()',
    (SELECT n.nspname FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = relation),
    'relay_columns_' || relation::oid);
  EXECUTE pg_catalog.format('ALTER TABLE %s DROP COLUMN IF EXISTS relay_id, DROP COLUMN IF EXISTS relay_xid', relation);
END
$$;

COMMIT;
