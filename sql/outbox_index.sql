-- The index on relay_id of an existing outbox table, after outbox_columns.sql:
--   psql -v table=public.outbox -f outbox_index.sql
-- May be run again at any time. Making an index locks writers out for as long as it reads the table, so a table of more
-- than 64 MiB is refused, with the statement that does it without locking, which cannot be part of a transaction.
BEGIN;
SET LOCAL lock_timeout = '300ms';
SELECT pg_catalog.set_config('outbox_relay.table', :'table', true);

DO $$
DECLARE
  word text := pg_catalog.current_setting('outbox_relay.table');
  relation regclass := pg_catalog.to_regclass(word);
  bytes bigint;
  statement text;
BEGIN
  IF relation IS NULL THEN
    RAISE EXCEPTION USING MESSAGE = '[outbox_table_missing] indexing ' || word || ': there is no such table',
      HINT = 'write schema.table, quoted as in SQL';
  END IF;
  IF EXISTS (SELECT FROM pg_catalog.pg_index i JOIN pg_catalog.pg_attribute a ON a.attrelid = i.indrelid
             WHERE i.indrelid = relation AND a.attname = 'relay_id' AND i.indkey[0] = a.attnum AND i.indisvalid) THEN
    RETURN;
  END IF;
  IF EXISTS (SELECT FROM pg_catalog.pg_index i JOIN pg_catalog.pg_attribute a ON a.attrelid = i.indrelid
             WHERE i.indrelid = relation AND a.attname = 'relay_id' AND i.indkey[0] = a.attnum AND NOT i.indisvalid) THEN
    SELECT pg_catalog.format('DROP INDEX CONCURRENTLY %s;', pg_catalog.string_agg(i.indexrelid::regclass::text, ', ')) INTO statement
    FROM pg_catalog.pg_index i JOIN pg_catalog.pg_attribute a ON a.attrelid = i.indrelid
    WHERE i.indrelid = relation AND a.attname = 'relay_id' AND i.indkey[0] = a.attnum AND NOT i.indisvalid;
    RAISE EXCEPTION USING MESSAGE = '[outbox_index_invalid] indexing ' || word || ': an index on relay_id is there and is INVALID, '
      'as an interrupted CREATE INDEX CONCURRENTLY leaves it', HINT = 'outside of any transaction: ' || statement || ' then this again';
  END IF;
  SELECT pg_catalog.sum(pg_catalog.pg_relation_size(t.relid)) INTO bytes FROM (
    SELECT relid FROM pg_catalog.pg_partition_tree(relation) UNION SELECT relation::oid::regclass) t;
  SELECT pg_catalog.format('%I ON %s (relay_id) WHERE relay_id IS NOT NULL', pg_catalog.left(c.relname, 45) || '_relay_id_idx',
    relation) INTO statement FROM pg_catalog.pg_class c WHERE c.oid = relation;
  IF bytes > 67108864 THEN
    RAISE EXCEPTION USING MESSAGE = '[outbox_index_by_hand] indexing ' || word || ': with ' || pg_catalog.pg_size_pretty(bytes)
      || ' it would lock writers out for too long',
      HINT = 'run outside of any transaction: CREATE INDEX CONCURRENTLY ' || statement || '; then this again';
  END IF;
  FOR attempt IN 1 .. 20 LOOP
    BEGIN
      EXECUTE 'CREATE INDEX ' || statement;
      EXIT;
    EXCEPTION WHEN lock_not_available THEN
      IF attempt = 20 THEN
        RAISE EXCEPTION USING ERRCODE = 'lock_not_available', MESSAGE = '[lock_unavailable] indexing ' || word
          || ': other transactions held the table all the time', HINT = 'end the transaction that has it '
          'open longest (pg_stat_activity.xact_start), then run this again';
      END IF;
      PERFORM pg_catalog.pg_sleep(0.1 + 0.4 * pg_catalog.random());
    END;
  END LOOP;
END
$$;

COMMIT;
