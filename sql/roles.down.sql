-- Takes the rights back that roles.sql gave, those on the relay's own schema and those on `tables`:
--   psql -v relay_role=outbox_relay_role -v app_role= -v tables=public.outbox -f roles.down.sql
-- What the role owns it keeps, and what the functions of captured tables that run as it need. USAGE on the schema of `tables`
-- goes when the role owns nothing and has no right on anything in it any more. Otherwise it stays, since something else needs
-- it; to take it away all the same:
--   REVOKE USAGE ON SCHEMA public FROM outbox_relay_role;
-- A right that somebody else had given before roles.sql did cannot be told from its own, and goes too.
BEGIN;
SET LOCAL lock_timeout = '5s';
SELECT pg_catalog.set_config('outbox_relay.relay_role', :'relay_role', true),
       pg_catalog.set_config('outbox_relay.app_role', :'app_role', true),
       pg_catalog.set_config('outbox_relay.tables', :'tables', true);

DO $$
DECLARE
  relay text := pg_catalog.current_setting('outbox_relay.relay_role');
  relay_oid oid := (SELECT oid FROM pg_catalog.pg_roles WHERE rolname = relay);
  word text;
  relation regclass;
  space regnamespace;
  series text;
  statement text;
BEGIN
  FOREACH word IN ARRAY ARRAY[relay, pg_catalog.current_setting('outbox_relay.app_role')] LOOP
    -- Each thing on which the role has a right, and which it does not own: an owner's rights are nobody else's to take.
    FOR statement IN
      SELECT pg_catalog.format('REVOKE ALL ON %s FROM %I', t.thing, word)
      FROM pg_catalog.pg_namespace n CROSS JOIN LATERAL (
        SELECT pg_catalog.format('%s %I.%I', CASE WHEN c.relkind = 'S' THEN 'SEQUENCE' ELSE 'TABLE' END, n.nspname, c.relname),
          c.relowner, nullif(c.relacl || ARRAY(
            SELECT pg_catalog.unnest(a.attacl) FROM pg_catalog.pg_attribute a WHERE a.attrelid = c.oid), '{}')
        FROM pg_catalog.pg_class c WHERE c.relnamespace = n.oid
        UNION ALL
        SELECT pg_catalog.format('FUNCTION %s', p.oid::regprocedure), p.proowner, p.proacl
        FROM pg_catalog.pg_proc p WHERE p.pronamespace = n.oid
        UNION ALL
        SELECT 'SCHEMA outbox_relay', n.nspowner, n.nspacl) t(thing, owner, rights)
        JOIN pg_catalog.pg_roles r ON r.rolname = word AND r.oid <> t.owner
      WHERE n.nspname = 'outbox_relay' AND EXISTS (SELECT FROM pg_catalog.aclexplode(t.rights) a WHERE a.grantee = r.oid)
        -- The functions of captured tables that run as this role write the outbox: without these rights, every write fails.
        AND NOT (t.thing IN ('TABLE outbox_relay.outbox', 'SCHEMA outbox_relay') AND EXISTS (
          SELECT FROM pg_catalog.pg_proc p WHERE p.pronamespace = n.oid AND p.proowner = r.oid AND p.prosecdef
            AND p.prorettype = 'pg_catalog.trigger'::regtype))
    LOOP
      EXECUTE statement;
    END LOOP;
  END LOOP;
  FOR word IN
    SELECT pg_catalog.btrim(t) FROM pg_catalog.regexp_split_to_table(
      pg_catalog.current_setting('outbox_relay.tables'), ',(?=(?:[^"]*"[^"]*")*[^"]*$)') t
    WHERE pg_catalog.btrim(t) <> ''
  LOOP
    relation := pg_catalog.to_regclass(word);
    SELECT c.relnamespace INTO space FROM pg_catalog.pg_class c WHERE c.oid = relation AND c.relowner <> relay_oid;
    CONTINUE WHEN NOT FOUND;
    EXECUTE pg_catalog.format('REVOKE SELECT ON %s FROM %I', relation, relay);
    IF EXISTS (SELECT FROM pg_catalog.pg_attribute WHERE attrelid = relation AND attname = 'relay_id' AND NOT attisdropped) THEN
      series := pg_catalog.pg_get_serial_sequence(relation::text, 'relay_id');
      IF series IS NOT NULL THEN
        EXECUTE pg_catalog.format('REVOKE SELECT ON SEQUENCE %s FROM %I', series, relay);
      END IF;
    END IF;
    -- pg_shdepend has a row for all that a role owns or has a right on.
    IF NOT EXISTS (
        SELECT FROM pg_catalog.pg_shdepend d
          LEFT JOIN pg_catalog.pg_class c ON d.classid = 'pg_catalog.pg_class'::regclass AND c.oid = d.objid
          LEFT JOIN pg_catalog.pg_proc f ON d.classid = 'pg_catalog.pg_proc'::regclass AND f.oid = d.objid
          LEFT JOIN pg_catalog.pg_type t ON d.classid = 'pg_catalog.pg_type'::regclass AND t.oid = d.objid
        WHERE d.dbid = (SELECT oid FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database())
          AND d.refclassid = 'pg_catalog.pg_authid'::regclass AND d.refobjid = relay_oid
          AND space::oid IN (c.relnamespace, f.pronamespace, t.typnamespace))
      AND NOT EXISTS (SELECT FROM pg_catalog.pg_namespace WHERE oid = space AND nspowner = relay_oid) THEN
      EXECUTE pg_catalog.format('REVOKE USAGE ON SCHEMA %s FROM %I', space, relay);
    END IF;
  END LOOP;
END
$$;

COMMIT;
