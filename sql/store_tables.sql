-- The tables in which the relay keeps progress and dead letters of pipelines whose sink cannot keep them itself.
-- Run by psql -f, or by the relay when the configuration says create: [tables]. May be run again at any time.
-- Takes no lock on any table of the application. Needs CREATE on the database, no superuser, no extension.
-- Never add these tables to the publication of a pipeline: its own progress would then be news to it.
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
    WHERE c.relnamespace = 'outbox_relay'::regnamespace AND c.relname IN ('progress', 'dead_letter')) t(thing, owner)
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
