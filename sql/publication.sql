-- The publication that the slot source reads. Run by psql as the owner of the tables:
--   psql -v publication=outbox_relay -v tables=public.outbox -f publication.sql
-- `tables`: names with their schema, separated by commas, each quoted as SQL wants it; empty for messages only.
-- May be run again: tables that are missing in the publication are added. publication.down.sql takes it away.
-- Takes ShareUpdateExclusive on the tables, which no reader and no writer waits for. Needs CREATE on the database and
-- ownership of the tables. Not in one transaction with the slot: a slot cannot be made in one that has written.
BEGIN;
SET LOCAL lock_timeout = '5s';
SELECT pg_catalog.set_config('outbox_relay.publication', :'publication', true),
       pg_catalog.set_config('outbox_relay.tables', :'tables', true);

DO $$
DECLARE
  publication text := pg_catalog.current_setting('outbox_relay.publication');
  word text;
  relation regclass;
BEGIN
  IF NOT EXISTS (SELECT FROM pg_catalog.pg_publication WHERE pubname = publication) THEN
    EXECUTE pg_catalog.format('CREATE PUBLICATION %I', publication);
  END IF;
  FOR word IN
    SELECT pg_catalog.btrim(t) FROM pg_catalog.regexp_split_to_table(
      pg_catalog.current_setting('outbox_relay.tables'), ',(?=(?:[^"]*"[^"]*")*[^"]*$)') t  -- no comma inside quotes
    WHERE pg_catalog.btrim(t) <> ''
  LOOP
    relation := pg_catalog.to_regclass(word);
    IF relation IS NULL THEN
      RAISE EXCEPTION USING MESSAGE = '[table_missing] publishing ' || word || ': there is no such table',
        HINT = 'write schema.table, quoted as in SQL';
    END IF;
    IF NOT EXISTS (SELECT FROM pg_catalog.pg_publication_rel r JOIN pg_catalog.pg_publication p ON p.oid = r.prpubid
                   WHERE p.pubname = publication AND r.prrelid = relation) THEN
      EXECUTE pg_catalog.format('ALTER PUBLICATION %I ADD TABLE %s', publication, relation);
    END IF;
  END LOOP;
END
$$;

COMMIT;
