-- Takes away what outbox_index.sql made:
--   psql -v table=public.outbox -f outbox_index.down.sql
BEGIN;
SET LOCAL lock_timeout = '300ms';
SELECT pg_catalog.set_config('outbox_relay.table', :'table', true);

DO $$
DECLARE
  found text;
BEGIN
  SELECT pg_catalog.format('%I.%I', n.nspname, i.relname) INTO found
  FROM pg_catalog.pg_class t JOIN pg_catalog.pg_index x ON x.indrelid = t.oid
    JOIN pg_catalog.pg_class i ON i.oid = x.indexrelid JOIN pg_catalog.pg_namespace n ON n.oid = i.relnamespace
  WHERE t.oid = pg_catalog.to_regclass(pg_catalog.current_setting('outbox_relay.table'))
    AND i.relname = pg_catalog.left(t.relname, 45) || '_relay_id_idx';
  IF found IS NULL THEN
    RETURN;
  END IF;
  FOR attempt IN 1 .. 20 LOOP
    BEGIN
      EXECUTE 'DROP INDEX ' || found;
      EXIT;
    EXCEPTION WHEN lock_not_available THEN
      IF attempt = 20 THEN
        RAISE EXCEPTION USING ERRCODE = 'lock_not_available', MESSAGE = '[lock_unavailable] dropping the index ' || found
          || ': other transactions held the table all the time', HINT = 'end the transaction that has it '
          'open longest (pg_stat_activity.xact_start), then run this again';
      END IF;
      PERFORM pg_catalog.pg_sleep(0.1 + 0.4 * pg_catalog.random());
    END;
  END LOOP;
END
$$;

COMMIT;
