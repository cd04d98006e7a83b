-- Takes the publication away:
--   psql -v publication=outbox_relay -f publication.down.sql
-- Drop the slot first (outbox-relay slot drop): what is decoded by a slot without its publication fails, also when the
-- publication is made again later. So it is refused as long as a slot of this database might use it.
BEGIN;
SET LOCAL lock_timeout = '5s';

SELECT pg_catalog.set_config('outbox_relay.publication', :'publication', true);
DO $$
DECLARE
  named text := pg_catalog.current_setting('outbox_relay.publication');
  slots text;
BEGIN
  SELECT pg_catalog.string_agg(s.slot_name, ', ') INTO slots FROM pg_catalog.pg_replication_slots s
  WHERE s.plugin = 'pgoutput' AND s.database = pg_catalog.current_database();
  IF slots IS NOT NULL AND EXISTS (SELECT FROM pg_catalog.pg_publication WHERE pubname = named) THEN
    RAISE EXCEPTION USING MESSAGE = '[publication_in_use] dropping the publication ' || named || ': these slots may use it, '
      'and could not be read any more, not even after it is made again: ' || slots,
      HINT = 'outbox-relay slot drop -c outbox-relay.yaml --pipeline NAME; if they are all of other tools: DROP PUBLICATION '
        || pg_catalog.quote_ident(named) || '; then this again';
  END IF;
END
$$;

DROP PUBLICATION IF EXISTS :"publication";

COMMIT;
