-- Takes the publication away:
--   psql -v publication=outbox_relay -f publication.down.sql
-- Drop the slot first (outbox-relay slot drop): a slot that is read without its publication fails.
BEGIN;
SET LOCAL lock_timeout = '5s';

DROP PUBLICATION IF EXISTS :"publication";

COMMIT;
