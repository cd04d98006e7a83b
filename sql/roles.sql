-- The least rights of the relay's role and of the application's. Run by psql as the owner of what is granted:
--   psql -v relay_role=outbox_relay_role -v app_role= -v tables=public.outbox -f roles.sql
-- relay_role: gets SELECT on `tables` (existing rows are read with it; the stream itself needs none) and, as far as they are
-- there, the relay's own tables. app_role: may call outbox_relay.emit and emit_message and insert into outbox_relay.outbox;
-- capture triggers need no right at all. Each may be empty; what is not there is left out, so run it last, and again later.
-- The roles are made by someone who may create roles (the REPLICATION attribute needs a superuser up to 15):
--   CREATE ROLE outbox_relay_role LOGIN REPLICATION PASSWORD '...';      for slots; without REPLICATION for polling
-- On Amazon RDS: CREATE ROLE ... LOGIN PASSWORD '...'; GRANT rds_replication TO ...;
BEGIN;
SET LOCAL lock_timeout = '5s';
SELECT pg_catalog.set_config('outbox_relay.relay_role', :'relay_role', true),
       pg_catalog.set_config('outbox_relay.app_role', :'app_role', true),
       pg_catalog.set_config('outbox_relay.tables', :'tables', true);

DO $$
DECLARE
  relay text := pg_catalog.current_setting('outbox_relay.relay_role');
  app text := pg_catalog.current_setting('outbox_relay.app_role');
  word text;
  relation regclass;
  series text;
BEGIN
  FOREACH word IN ARRAY ARRAY[relay, app] LOOP
    IF word <> '' AND NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = word) THEN
      RAISE EXCEPTION USING MESSAGE = '[role_missing] granting to ' || word || ': there is no such role',
        HINT = pg_catalog.format('CREATE ROLE %I LOGIN;', word);
    END IF;
  END LOOP;
  IF relay <> '' THEN
    FOR word IN
      SELECT pg_catalog.btrim(t) FROM pg_catalog.regexp_split_to_table(
        pg_catalog.current_setting('outbox_relay.tables'), ',(?=(?:[^"]*"[^"]*")*[^"]*$)') t  -- no comma inside quotes
      WHERE pg_catalog.btrim(t) <> ''
    LOOP
      relation := pg_catalog.to_regclass(word);
      IF relation IS NULL THEN
        RAISE EXCEPTION USING MESSAGE = '[table_missing] granting SELECT on ' || word || ': there is no such table',
          HINT = 'write schema.table, quoted as in SQL';
      END IF;
      EXECUTE pg_catalog.format('GRANT USAGE ON SCHEMA %s TO %I',
        (SELECT c.relnamespace::regnamespace FROM pg_catalog.pg_class c WHERE c.oid = relation), relay);
      EXECUTE pg_catalog.format('GRANT SELECT ON %s TO %I', relation, relay);
      IF EXISTS (SELECT FROM pg_catalog.pg_attribute WHERE attrelid = relation AND attname = 'relay_id' AND NOT attisdropped) THEN
        series := pg_catalog.pg_get_serial_sequence(relation::text, 'relay_id');
        IF series IS NOT NULL THEN
          EXECUTE pg_catalog.format('GRANT SELECT ON SEQUENCE %s TO %I', series, relay);  -- polling looks at last_value
        END IF;
      END IF;
    END LOOP;
  END IF;
  IF NOT EXISTS (SELECT FROM pg_catalog.pg_namespace WHERE nspname = 'outbox_relay') THEN
    RETURN;
  END IF;
  IF relay <> '' THEN
    EXECUTE pg_catalog.format('GRANT USAGE ON SCHEMA outbox_relay TO %I', relay);
    FOREACH word IN ARRAY ARRAY['progress', 'dead_letter', 'reader'] LOOP
      IF pg_catalog.to_regclass('outbox_relay.' || word) IS NOT NULL THEN
        EXECUTE pg_catalog.format('GRANT SELECT, INSERT, UPDATE, DELETE ON outbox_relay.%I TO %I', word, relay);
      END IF;
    END LOOP;
    IF pg_catalog.to_regclass('outbox_relay.outbox') IS NOT NULL THEN
      EXECUTE pg_catalog.format('GRANT SELECT ON outbox_relay.outbox TO %I', relay);
      EXECUTE pg_catalog.format('GRANT SELECT ON SEQUENCE %s TO %I',
        pg_catalog.pg_get_serial_sequence('outbox_relay.outbox', 'relay_id'), relay);  -- polling looks at last_value
      EXECUTE pg_catalog.format('GRANT EXECUTE ON FUNCTION outbox_relay.purge(boolean) TO %I', relay);
    END IF;
  END IF;
  IF app <> '' THEN
    EXECUTE pg_catalog.format('GRANT USAGE ON SCHEMA outbox_relay TO %I', app);
    IF pg_catalog.to_regclass('outbox_relay.outbox') IS NOT NULL THEN
      EXECUTE pg_catalog.format('GRANT INSERT (id, aggregatetype, aggregateid, type, payload, changed_columns) '
        'ON outbox_relay.outbox TO %I', app);
      EXECUTE pg_catalog.format('GRANT EXECUTE ON FUNCTION outbox_relay.emit(text, text, text, jsonb, uuid) TO %I', app);
    END IF;
    IF EXISTS (SELECT FROM pg_catalog.pg_proc WHERE pronamespace = 'outbox_relay'::regnamespace AND proname = 'emit_message') THEN
      EXECUTE pg_catalog.format('GRANT EXECUTE ON FUNCTION outbox_relay.emit_message(text, text, text, jsonb, uuid, text) '
        'TO %I', app);
    END IF;
  END IF;
END
$$;

COMMIT;
