-- The tables in which the relay keeps progress and dead letters of pipelines whose sink cannot keep them itself.
-- Run by psql -f, or by the relay when the configuration says create: [tables]. May be run again at any time.
-- Takes no lock on any table of the application. Needs CREATE on the database, no superuser, no extension.
-- Never add these tables to the publication of a pipeline: its own progress would then be news to it.
BEGIN;
SET LOCAL lock_timeout = '5s';

DO $$
BEGIN
  -- CREATE SCHEMA IF NOT EXISTS asks for CREATE on the database even when the schema is there.
  IF NOT EXISTS (SELECT FROM pg_catalog.pg_namespace WHERE nspname = 'outbox_relay') THEN
    CREATE SCHEMA outbox_relay;
  END IF;
END
$$;

-- One row per pipeline: how far it has delivered.
CREATE TABLE IF NOT EXISTS outbox_relay.progress (
  pipeline   text PRIMARY KEY,
  record     jsonb NOT NULL,            -- the whole record, as the relay reads it back
  sequence   bigint NOT NULL,           -- of the last event handed over; never goes back
  end_lsn    pg_catalog.pg_lsn NOT NULL,
  updated_at timestamptz NOT NULL DEFAULT pg_catalog.now()
);

-- Events that can never be delivered, whole, in the order in which they were met. A dead letter counts only when the
-- pipeline's progress has passed it: one above that may still be delivered.
CREATE TABLE IF NOT EXISTS outbox_relay.dead_letter (
  pipeline          text NOT NULL,
  commit_lsn        pg_catalog.pg_lsn NOT NULL,  -- where it stands: commit LSN, LSN of the change, ordinal among those
  change_lsn        pg_catalog.pg_lsn NOT NULL,
  ordinal           bigint NOT NULL,
  sequence          bigint NOT NULL,
  event_id          text,
  aggregate_type    text,
  aggregate_id      text,
  event_type        text,
  payload           bytea,                       -- NULL: a tombstone
  headers           jsonb NOT NULL,              -- [{"name": ..., "value": ...}, ...]
  source_table      text,
  from_snapshot     boolean NOT NULL,
  committed_at      timestamptz,                 -- NULL: not known (an initial row)
  reject_code       text NOT NULL,
  reject_reason     text NOT NULL,
  first_rejected_at timestamptz NOT NULL DEFAULT pg_catalog.now(),
  last_rejected_at  timestamptz NOT NULL DEFAULT pg_catalog.now(),
  attempts          integer NOT NULL DEFAULT 1,
  PRIMARY KEY (pipeline, commit_lsn, change_lsn, ordinal)
);

COMMIT;
