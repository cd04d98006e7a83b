-- The table outbox_relay.outbox, for those who have no outbox yet, with what empties it (purge) and writes it (emit).
-- Run by psql -f, or as a migration. May be run again at any time; outbox.down.sql takes it away.
-- Takes no lock on any table of the application. Needs CREATE on the database, no superuser, no extension.
--
-- A ring: rows go into the partition of the current ten minutes, and a partition of which all is delivered is emptied by
-- TRUNCATE. Nothing is deleted row by row, so nothing bloats and nothing needs VACUUM. No partition is ever made or
-- dropped, and there is one for every value, so that an insert can never miss its partition.
BEGIN;
SET LOCAL lock_timeout = '5s';

DO $$
DECLARE
  strange text;
  owner text;
BEGIN
  -- CREATE SCHEMA IF NOT EXISTS asks for CREATE on the database even when the schema is there.
  IF NOT EXISTS (SELECT FROM pg_catalog.pg_namespace WHERE nspname = 'outbox_relay') THEN
    CREATE SCHEMA outbox_relay;
  END IF;
  -- Who owns the schema, or what this file makes in it, decides what runs there with our rights: never a stranger.
  SELECT t.thing, pg_catalog.quote_ident(r.rolname) INTO strange, owner FROM (
    SELECT 'SCHEMA outbox_relay', n.nspowner FROM pg_catalog.pg_namespace n WHERE n.nspname = 'outbox_relay'
    UNION ALL
    SELECT pg_catalog.format('TABLE outbox_relay.%I', c.relname), c.relowner FROM pg_catalog.pg_class c
    WHERE c.relnamespace = 'outbox_relay'::regnamespace AND c.relname IN (
      'outbox', 'outbox_0', 'outbox_1', 'outbox_2', 'outbox_3', 'outbox_4', 'outbox_5', 'outbox_rest', 'reader')
    UNION ALL
    SELECT pg_catalog.format('FUNCTION %s', p.oid::regprocedure), p.proowner FROM pg_catalog.pg_proc p
    WHERE p.pronamespace = 'outbox_relay'::regnamespace AND p.proname IN ('purge', 'emit')) t(thing, owner)
    JOIN pg_catalog.pg_roles r ON r.oid = t.owner
  WHERE NOT pg_catalog.pg_has_role(r.oid, current_user, 'USAGE')
    AND (NOT pg_catalog.pg_has_role(r.oid, 'USAGE')
         OR EXISTS (SELECT FROM pg_catalog.pg_roles s WHERE s.rolname = current_user AND s.rolsuper))
  LIMIT 1;
  IF strange IS NOT NULL THEN
    RAISE EXCEPTION USING ERRCODE = 'insufficient_privilege', MESSAGE = pg_catalog.format('[schema_foreign] using %s: it '
        'belongs to %s, who could make it run anything with the rights of %I', strange, owner, current_user),
      HINT = pg_catalog.format('run this as %s (SET ROLE %s); or, when you know what is in the schema: ALTER %s OWNER TO %I;',
        owner, owner, strange, current_user);
  END IF;
END
$$;

-- relay_xid stands before relay_id: defaults are evaluated in this order, and the poll source relies on a row's number
-- being drawn when its transaction has an id already.
CREATE TABLE IF NOT EXISTS outbox_relay.outbox (
  relay_xid     xid8        NOT NULL DEFAULT pg_catalog.pg_current_xact_id(),
  relay_id      bigint      GENERATED ALWAYS AS IDENTITY (CACHE 1),
  ring          smallint    NOT NULL DEFAULT ((extract(epoch FROM pg_catalog.now()))::bigint / 600 % 6)::smallint,
  id            uuid        NOT NULL DEFAULT pg_catalog.gen_random_uuid(),
  aggregatetype text        NOT NULL,
  aggregateid   text        NOT NULL,
  type          text        NOT NULL,
  payload       json,                       -- as text: the binary form refuses some of what type json accepts
  changed_columns jsonb,                    -- their names, of an update that capture.sql's triggers saw; a header
                                            -- (source.outbox.header_columns: [changed_columns])
  created_at    timestamptz NOT NULL DEFAULT pg_catalog.now(),
  PRIMARY KEY (relay_id, ring)              -- in this order it also serves those who read by relay_id
) PARTITION BY LIST (ring);
CREATE TABLE IF NOT EXISTS outbox_relay.outbox_0 PARTITION OF outbox_relay.outbox FOR VALUES IN (0);
CREATE TABLE IF NOT EXISTS outbox_relay.outbox_1 PARTITION OF outbox_relay.outbox FOR VALUES IN (1);
CREATE TABLE IF NOT EXISTS outbox_relay.outbox_2 PARTITION OF outbox_relay.outbox FOR VALUES IN (2);
CREATE TABLE IF NOT EXISTS outbox_relay.outbox_3 PARTITION OF outbox_relay.outbox FOR VALUES IN (3);
CREATE TABLE IF NOT EXISTS outbox_relay.outbox_4 PARTITION OF outbox_relay.outbox FOR VALUES IN (4);
CREATE TABLE IF NOT EXISTS outbox_relay.outbox_5 PARTITION OF outbox_relay.outbox FOR VALUES IN (5);
CREATE TABLE IF NOT EXISTS outbox_relay.outbox_rest PARTITION OF outbox_relay.outbox DEFAULT;

-- Empties each partition of which every row is delivered to every reader of this table (reader.sql), the current one
-- excepted, and tells what it did with each. Never waits: a partition that somebody reads or writes is left for the next
-- time. Without readers it does nothing, unless slot_only says that the outbox is read through a replication slot, which needs
-- the WAL and not the rows; then call it when the initial rows have been read.
CREATE OR REPLACE FUNCTION outbox_relay.purge(slot_only boolean DEFAULT false, OUT partition text, OUT outcome text)
RETURNS SETOF record LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  delivered bigint;
  current_ring text := ((extract(epoch FROM pg_catalog.clock_timestamp()))::bigint / 600 % 6)::text;
  highest bigint;
BEGIN
  -- An older snapshot would not see what was committed since, and TRUNCATE would take it.
  IF current_setting('transaction_isolation') <> 'read committed' THEN
    RAISE EXCEPTION USING MESSAGE = '[isolation_unfit] purging outbox_relay.outbox: the transaction is '
      || current_setting('transaction_isolation'), HINT = 'call it in a transaction of isolation level read committed';
  END IF;
  IF to_regclass('outbox_relay.reader') IS NOT NULL THEN
    SELECT min(r.acknowledged) INTO delivered FROM outbox_relay.reader r WHERE r.relation = 'outbox_relay.outbox';
  END IF;
  IF delivered IS NULL THEN
    IF NOT slot_only THEN
      RETURN;
    END IF;
    IF NOT EXISTS (SELECT FROM pg_catalog.pg_replication_slots s
                   WHERE s.slot_type = 'logical' AND s.database = pg_catalog.current_database()) THEN
      RAISE EXCEPTION USING MESSAGE = '[slot_missing] purging outbox_relay.outbox with slot_only: this database has no logical '
        'replication slot, so nobody has read the rows', HINT = 'outbox-relay slot create -c outbox-relay.yaml';
    END IF;
    delivered := 9223372036854775807;
  END IF;
  FOR partition IN
    SELECT c.relname FROM pg_catalog.pg_inherits i JOIN pg_catalog.pg_class c ON c.oid = i.inhrelid
    WHERE i.inhparent = 'outbox_relay.outbox'::regclass ORDER BY c.relname
  LOOP
    IF partition = 'outbox_' || current_ring THEN
      outcome := 'current';
      RETURN NEXT;
      CONTINUE;
    END IF;
    BEGIN
      EXECUTE format('LOCK TABLE outbox_relay.%I IN ACCESS EXCLUSIVE MODE NOWAIT', partition);
      -- Under this lock nobody has an open transaction with rows in it: what max() does not see was rolled back.
      EXECUTE format('SELECT max(p.relay_id) FROM outbox_relay.%I p', partition) INTO highest;
      IF highest IS NULL THEN
        outcome := 'empty';
      ELSIF highest > delivered THEN
        outcome := 'not delivered yet';
      ELSE
        EXECUTE format('TRUNCATE outbox_relay.%I', partition);
        outcome := 'emptied';
      END IF;
    EXCEPTION WHEN lock_not_available THEN
      outcome := 'in use';
    END;
    RETURN NEXT;
  END LOOP;
END
$$;
REVOKE ALL ON FUNCTION outbox_relay.purge(boolean) FROM PUBLIC;

-- One event, for those who call it: SELECT outbox_relay.emit('order', '17', 'order_placed', '{"total": 12.50}').
-- With the rights of its owner, so that an application needs USAGE on the schema and EXECUTE on this, nothing else.
CREATE OR REPLACE FUNCTION outbox_relay.emit(aggregate_type text, aggregate_id text, event_type text, payload jsonb,
                                             event_id uuid DEFAULT pg_catalog.gen_random_uuid())
RETURNS uuid LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
  INSERT INTO outbox_relay.outbox (id, aggregatetype, aggregateid, type, payload)
  VALUES (event_id, aggregate_type, aggregate_id, event_type, payload) RETURNING id
$$;
REVOKE ALL ON FUNCTION outbox_relay.emit(text, text, text, jsonb, uuid) FROM PUBLIC;

COMMIT;
