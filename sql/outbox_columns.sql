-- Adds to an existing outbox table the two columns that the poll source needs:
--   psql -v table=public.outbox -f outbox_columns.sql
-- May be run again at any time; outbox_columns.down.sql takes them away. Then comes outbox_index.sql.
-- Rows that are there keep relay_id NULL: they are the initial rows. Nothing is rewritten: the columns come bare, then
-- get their defaults, and a trigger that does its work only for an INSERT that names the columns and gives them NULL, as
-- programs do that map all columns: such a row would never be read.
-- Takes AccessExclusive on the table for an instant, waits for it 300 ms at a time, so that nobody queues behind it for
-- longer. Needs ownership of the table and CREATE on its schema.
-- What the application may notice: COPY into the table without a list of columns fails from then on, and a prepared
-- SELECT * fails once ("cached plan must not change result type"). Name the columns there first.
-- Two kinds of statement of the application notice new columns: a prepared SELECT * fails once (cached plan must not change
-- result type), and COPY ... FROM without a list of columns wants values for these too. Name the columns before.
BEGIN;
SET LOCAL lock_timeout = '300ms';
SELECT pg_catalog.set_config('outbox_relay.table', :'table', true);

DO $$
DECLARE
  word text := pg_catalog.current_setting('outbox_relay.table');
  relation regclass := pg_catalog.to_regclass(word);
  space text;
  plain text;
  series text;
  filler text;
BEGIN
  IF relation IS NULL THEN
    RAISE EXCEPTION USING MESSAGE = '[outbox_table_missing] adding relay_id to ' || word || ': there is no such table',
      HINT = 'write schema.table, quoted as in SQL';
  END IF;
  SELECT n.nspname, c.relname INTO space, plain
  FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = relation;
  series := pg_catalog.left(plain, 45) || '_relay_id_seq';
  filler := 'relay_columns_' || relation::oid;
  IF EXISTS (SELECT FROM pg_catalog.pg_attribute WHERE attrelid = relation AND attname = 'relay_id' AND NOT attisdropped
               AND (atthasdef OR attidentity <> '')) THEN
    RETURN;
  END IF;
  FOR attempt IN 1 .. 20 LOOP
    BEGIN
      EXECUTE pg_catalog.format('LOCK TABLE %s IN ACCESS EXCLUSIVE MODE', relation);
      EXIT;
    EXCEPTION WHEN lock_not_available THEN
      IF attempt = 20 THEN
        RAISE EXCEPTION USING ERRCODE = 'lock_not_available', MESSAGE = '[lock_unavailable] adding relay_id to ' || word
          || ': other transactions held the table all the time', HINT = 'end the transaction that has it '
          'open longest (pg_stat_activity.xact_start), then run this again';
      END IF;
      PERFORM pg_catalog.pg_sleep(0.1 + 0.4 * pg_catalog.random());
    END;
  END LOOP;
  -- relay_xid first: defaults are evaluated in the order of the columns.
  EXECUTE pg_catalog.format('ALTER TABLE %s ADD COLUMN IF NOT EXISTS relay_xid pg_catalog.xid8, '
    'ADD COLUMN IF NOT EXISTS relay_id bigint', relation);
  EXECUTE pg_catalog.format('CREATE SEQUENCE IF NOT EXISTS %I.%I CACHE 1 OWNED BY %s.relay_id', space, series, relation);
  -- Whoever may insert must be able to draw a number, also roles that come later.
  EXECUTE pg_catalog.format('GRANT USAGE ON SEQUENCE %I.%I TO PUBLIC', space, series);
  EXECUTE pg_catalog.format($f$
    CREATE OR REPLACE FUNCTION %I.%I() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $t$
    BEGIN
      NEW.relay_xid := pg_current_xact_id();
      NEW.relay_id := nextval(%L);
      RETURN NEW;
    END $t$ $f$, space, filler, pg_catalog.format('%I.%I', space, series));
  EXECUTE pg_catalog.format('DROP TRIGGER IF EXISTS relay_columns ON %s', relation);
  EXECUTE pg_catalog.format('CREATE TRIGGER relay_columns BEFORE INSERT ON %s FOR EACH ROW '
    'WHEN (NEW.relay_id IS NULL OR NEW.relay_xid IS NULL) EXECUTE FUNCTION %I.%I()', relation, space, filler);
  EXECUTE pg_catalog.format('COMMENT ON COLUMN %s.relay_id IS %L', relation, 'made by outbox_columns.sql');
  EXECUTE pg_catalog.format('ALTER TABLE %s ALTER COLUMN relay_xid SET DEFAULT pg_catalog.pg_current_xact_id(), '
    'ALTER COLUMN relay_id SET DEFAULT pg_catalog.nextval(%L)', relation, pg_catalog.format('%I.%I', space, series));
END
$$;

COMMIT;
