-- Makes the changes of one table events; run capture.sql first, and outbox.sql unless they become messages:
--   psql -v table=public.orders -v 'options={"aggregate_type": "order"}' -f capture_table.sql
-- May be run again at any time, also with other options. README.md explains the options.
-- Takes ShareRowExclusive on the table for an instant, waiting 300 ms at a time, so that no writer queues behind it for
-- longer. Needs the TRIGGER privilege on the table, or its ownership.
BEGIN;
SET LOCAL lock_timeout = '300ms';

SELECT outbox_relay.capture(:'table', :'options');

COMMIT;
