-- The publication that the slot source reads. Run by psql as the owner of the tables:
--   psql -v publication=outbox_relay -v tables=public.outbox -f publication.sql
-- `tables`: names with their schema, separated by commas, each quoted as SQL wants it; empty for messages only.
-- May be run again: tables that are missing in the publication are added. publication.down.sql takes it away.
-- Where one of the tables has no replica identity, a new publication has inserts only: with updates in it, each UPDATE of
-- the application on that table would fail. A publication that has updates does not get such a table.
-- Takes ShareUpdateExclusive on the tables, which no reader and no writer waits for. Needs CREATE on the database and
-- ownership of the tables. Not in one transaction with the slot: a slot cannot be made in one that has written.
BEGIN;
SET LOCAL lock_timeout = '5s';
SELECT pg_catalog.set_config('outbox_relay.publication', :'publication', true),
       pg_catalog.set_config('outbox_relay.tables', :'tables', true);

DO $$
DECLARE
  publication CONSTANT text := pg_catalog.current_setting('outbox_relay.publication');
  word text;
  relation regclass;
  missing regclass[] := '{}';
  silent regclass;
BEGIN
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
      missing := missing || relation;
    END IF;
  END LOOP;
  -- The first table, or partition, whose UPDATE and DELETE would fail once they are published: without a replica identity,
  -- or (from 18 on) with one that holds a generated column, which is not published.
  WITH RECURSIVE family AS (
    SELECT m::oid AS oid FROM pg_catalog.unnest(missing) m
    UNION SELECT i.inhrelid FROM pg_catalog.pg_inherits i JOIN family f ON i.inhparent = f.oid)
  SELECT c.oid::regclass INTO silent FROM family f JOIN pg_catalog.pg_class c ON c.oid = f.oid
    LEFT JOIN pg_catalog.pg_index i ON i.indrelid = c.oid AND i.indisvalid AND i.indimmediate
      AND (c.relreplident = 'd' AND i.indisprimary OR c.relreplident = 'i' AND i.indisreplident)
  WHERE c.relkind = 'r' AND (c.relreplident <> 'f' AND i.indexrelid IS NULL
    OR pg_catalog.current_setting('server_version_num')::int >= 180000 AND EXISTS (
      SELECT FROM pg_catalog.pg_attribute a WHERE a.attrelid = c.oid AND a.attgenerated <> '' AND NOT a.attisdropped
        AND (c.relreplident = 'f' OR a.attnum = ANY (i.indkey::int2[]))))
  ORDER BY c.oid LIMIT 1;
  IF NOT EXISTS (SELECT FROM pg_catalog.pg_publication WHERE pubname = publication) THEN
    EXECUTE pg_catalog.format('CREATE PUBLICATION %I', publication)
      || CASE WHEN silent IS NULL THEN '' ELSE ' WITH (publish = ''insert, truncate'')' END;
  ELSIF silent IS NOT NULL AND EXISTS (
      SELECT FROM pg_catalog.pg_publication WHERE pubname = publication AND (pubupdate OR pubdelete)) THEN
    RAISE EXCEPTION USING MESSAGE = pg_catalog.format('[publication_breaks_updates] adding %s to the publication %I: each UPDATE and '
        'DELETE of the application on it would fail, since it has no replica identity that can be published', silent, publication),
      HINT = pg_catalog.format('ALTER TABLE %s REPLICA IDENTITY USING INDEX UNIQUE_INDEX; (or FULL), or another publication; or, '
        'when nothing needs its updates: ALTER PUBLICATION %I SET (publish = ''insert, truncate'');', silent, publication);
  END IF;
  FOREACH relation IN ARRAY missing LOOP
    EXECUTE pg_catalog.format('ALTER PUBLICATION %I ADD TABLE %s', publication, relation);
  END LOOP;
END
$$;

COMMIT;
