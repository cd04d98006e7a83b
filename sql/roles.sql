-- The least that a relay's role needs. Run by psql as the owner of the outbox tables, with the names filled in:
--   psql -v role=outbox_relay_role -v table=public.outbox -f roles.sql
-- The role itself is made by someone who may create roles (the REPLICATION attribute needs a superuser up to 15):
--   CREATE ROLE outbox_relay_role LOGIN REPLICATION PASSWORD '...';
-- On Amazon RDS: CREATE ROLE ... LOGIN PASSWORD '...'; GRANT rds_replication TO ...;
BEGIN;
SET LOCAL lock_timeout = '5s';

-- Existing rows (snapshot: initial) are read with SELECT; the stream itself needs none.
GRANT SELECT ON :table TO :role;

-- Only when progress or dead letters live in this database (run store_tables.sql first).
SELECT EXISTS (SELECT FROM pg_catalog.pg_namespace WHERE nspname = 'outbox_relay') AS has_store \gset
\if :has_store
GRANT USAGE ON SCHEMA outbox_relay TO :role;
GRANT SELECT, INSERT, UPDATE, DELETE ON outbox_relay.progress, outbox_relay.dead_letter TO :role;
\endif

COMMIT;
