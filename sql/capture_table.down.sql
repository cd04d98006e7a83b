-- The table as it was before capture_table.sql:
--   psql -v table=public.orders -f capture_table.down.sql
-- Takes AccessExclusive on the table for an instant. Needs its ownership.
BEGIN;
SET LOCAL lock_timeout = '300ms';

SELECT outbox_relay.uncapture(:'table');

COMMIT;
