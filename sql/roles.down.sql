-- Takes the rights back that roles.sql gave, those on the relay's own schema and those on `tables`; USAGE on the tables'
-- schema stays, since other tables may need it:
--   psql -v relay_role=outbox_relay_role -v app_role= -v tables=public.outbox -f roles.down.sql
BEGIN;
SET LOCAL lock_timeout = '5s';
SELECT pg_catalog.set_config('outbox_relay.relay_role', :'relay_role', true),
       pg_catalog.set_config('outbox_relay.app_role', :'app_role', true),
       pg_catalog.set_config('outbox_relay.tables', :'tables', true);

DO $$
DECLARE
  relay text := pg_catalog.current_setting('outbox_relay.relay_role');
  word text;
BEGIN
  FOREACH word IN ARRAY ARRAY[relay, pg_catalog.current_setting('outbox_relay.app_role')] LOOP
    CONTINUE WHEN NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = word)
      OR NOT EXISTS (SELECT FROM pg_catalog.pg_namespace WHERE nspname = 'outbox_relay');
    EXECUTE pg_catalog.format('REVOKE ALL ON ALL TABLES IN SCHEMA outbox_relay FROM %I', word);
    EXECUTE pg_catalog.format('REVOKE ALL ON ALL SEQUENCES IN SCHEMA outbox_relay FROM %I', word);
    EXECUTE pg_catalog.format('REVOKE ALL ON ALL FUNCTIONS IN SCHEMA outbox_relay FROM %I', word);
    EXECUTE pg_catalog.format('REVOKE ALL ON SCHEMA outbox_relay FROM %I', word);
  END LOOP;
  FOR word IN
    SELECT pg_catalog.btrim(t) FROM pg_catalog.regexp_split_to_table(
      pg_catalog.current_setting('outbox_relay.tables'), ',(?=(?:[^"]*"[^"]*")*[^"]*$)') t
    WHERE pg_catalog.btrim(t) <> ''
  LOOP
    IF pg_catalog.to_regclass(word) IS NOT NULL AND EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = relay) THEN
      EXECUTE pg_catalog.format('REVOKE SELECT ON %s FROM %I', pg_catalog.to_regclass(word), relay);
    END IF;
  END LOOP;
END
$$;

COMMIT;
