-- Functions that make the changes of a table events, by statement-level triggers, without touching the application:
--   SELECT outbox_relay.capture('public.orders', '{"aggregate_type": "order"}');     -- see capture_table.sql
--   SELECT outbox_relay.uncapture('public.orders');
-- Run by psql -f, or as a migration. May be run again at any time; capture.down.sql takes it away.
-- This file takes no lock on any table of the application. Needs CREATE on the database, no superuser, no extension.
-- Who captures into the outbox must own it and its schema, and be a member of the role that owns the table (or the other way
-- round): the table's function runs as that owner, and may insert into the outbox.
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
    WHERE c.relnamespace = 'outbox_relay'::regnamespace AND c.relname IN ('captured')
    UNION ALL
    SELECT pg_catalog.format('FUNCTION %s', p.oid::regprocedure), p.proowner FROM pg_catalog.pg_proc p
    WHERE p.pronamespace = 'outbox_relay'::regnamespace AND p.proname IN (
      'execute_politely', 'capture_options', 'capture_id', 'capture_match', 'capture_plain', 'capture_fields',
      'capture_key', 'capture_row', 'capture_select', 'capture_function', 'capture_triggers', 'capture_runner',
      'capture_may_insert', 'capture_hand_over', 'capture_name', 'capture', 'uncapture', 'capture_drift')) t(thing, owner)
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

-- Which tables are captured, and how.
CREATE TABLE IF NOT EXISTS outbox_relay.captured (
  relation      regclass PRIMARY KEY,
  options       jsonb NOT NULL,             -- as given, and the aggregate type: the table may get another name
  function_name text NOT NULL UNIQUE,       -- of the trigger function in this schema
  changed_at    timestamptz NOT NULL DEFAULT pg_catalog.now()
);

-- Executes a statement that locks a table, waiting 300 ms at a time: whoever comes after us in the queue for the table waits
-- no longer than that. Gives up after about ten seconds.
CREATE OR REPLACE FUNCTION outbox_relay.execute_politely(statement text, attempted text) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET lock_timeout = '300ms' AS $$
BEGIN
  FOR attempt IN 1 .. 20 LOOP
    BEGIN
      EXECUTE statement;
      RETURN;
    EXCEPTION WHEN lock_not_available THEN
      IF attempt = 20 THEN
        RAISE EXCEPTION USING ERRCODE = 'lock_not_available',
          MESSAGE = '[lock_unavailable] ' || attempted || ': other transactions held the table all the time',
          HINT = 'end the transaction that has it open longest (pg_stat_activity.xact_start), then run this again';
      END IF;
      PERFORM pg_sleep(0.1 + 0.4 * random());
    END;
  END LOOP;
END
$$;

-- The options with every default filled in and checked against the table. Refuses, with a code in brackets and a hint.
CREATE OR REPLACE FUNCTION outbox_relay.capture_options(relation regclass, options jsonb) RETURNS jsonb
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  known CONSTANT text[] := '{into,prefix,aggregate_type,aggregate_id,columns,insert,update,delete,truncate}';
  attempted text := 'capturing ' || relation;
  made jsonb := '{"into": "outbox", "prefix": "outbox", "insert": "created", "update": "updated", "delete": "deleted",
    "truncate": false}';
  word text;
  kind "char";
  persistence "char";
  key_columns jsonb;
BEGIN
  IF jsonb_typeof(options) <> 'object' THEN
    RAISE EXCEPTION USING MESSAGE = '[capture_option_invalid] ' || attempted || ': the options are no JSON object',
      HINT = 'for example {"aggregate_type": "order", "insert": "order_placed"}';
  END IF;
  SELECT c.relkind, c.relpersistence INTO kind, persistence FROM pg_class c WHERE c.oid = relation;
  IF kind NOT IN ('r', 'p') THEN
    RAISE EXCEPTION USING MESSAGE = '[capture_not_a_table] ' || attempted || ': it is no table',
      HINT = 'capture the tables behind it; views and foreign tables have no statement triggers with the changed rows';
  END IF;
  IF persistence <> 'p' THEN
    RAISE EXCEPTION USING MESSAGE = '[capture_table_unlogged] ' || attempted || ': the table is unlogged or temporary, '
      'so a crash empties it without an event', HINT = format('ALTER TABLE %s SET LOGGED;', relation);
  END IF;
  IF relation::oid < 16384 OR (SELECT c.relnamespace = 'outbox_relay'::regnamespace FROM pg_class c WHERE c.oid = relation) THEN
    RAISE EXCEPTION USING MESSAGE = '[capture_not_a_table] ' || attempted || ': it is a table of PostgreSQL or of the relay',
      HINT = 'name a table of the application';
  END IF;
  IF NOT has_table_privilege(relation, 'TRIGGER') THEN
    RAISE EXCEPTION USING ERRCODE = 'insufficient_privilege', MESSAGE = format('[capture_privilege_missing] %s: the role %I may '
      'not create triggers on it', attempted, current_user), HINT = format('GRANT TRIGGER ON %s TO %I;', relation, current_user);
  END IF;
  SELECT o.key INTO word FROM jsonb_object_keys(options) o(key) WHERE o.key <> ALL (known) LIMIT 1;
  IF word IS NOT NULL THEN
    RAISE EXCEPTION USING MESSAGE = format('[capture_option_invalid] %s: there is no option %I', attempted, word),
      HINT = 'known are ' || array_to_string(known, ', ');
  END IF;

  SELECT made || jsonb_build_object('aggregate_type', c.relname) || options INTO made FROM pg_class c WHERE c.oid = relation;
  IF made ->> 'into' NOT IN ('outbox', 'messages') THEN
    RAISE EXCEPTION USING MESSAGE = '[capture_option_invalid] ' || attempted || ': "into" is neither outbox nor messages',
      HINT = '{"into": "outbox"} or {"into": "messages"}';
  END IF;
  FOREACH word IN ARRAY ARRAY['prefix', 'aggregate_type'] LOOP
    IF jsonb_typeof(made -> word) <> 'string' OR made ->> word = '' THEN
      RAISE EXCEPTION USING MESSAGE = format('[capture_option_invalid] %s: "%s" is no text', attempted, word),
        HINT = format('{"%s": "a word"}', word);
    END IF;
  END LOOP;
  FOREACH word IN ARRAY ARRAY['insert', 'update', 'delete', 'truncate'] LOOP
    IF made -> word NOT IN ('false', 'null') AND (jsonb_typeof(made -> word) <> 'string' OR made ->> word = '') THEN
      RAISE EXCEPTION USING MESSAGE = format('[capture_option_invalid] %s: "%s" is neither an event type nor false', attempted,
        word), HINT = format('{"%s": "order_placed"}, or {"%s": false} for no event', word, word);
    END IF;
  END LOOP;
  IF made ->> 'into' = 'outbox' AND to_regclass('outbox_relay.outbox') IS NULL THEN
    RAISE EXCEPTION USING MESSAGE = '[outbox_table_missing] ' || attempted || ': there is no table outbox_relay.outbox',
      HINT = 'run outbox.sql first, or capture {"into": "messages"}';
  END IF;
  IF made ->> 'into' = 'messages' AND current_setting('server_version_num')::int < 140000 THEN
    RAISE EXCEPTION USING MESSAGE = '[messages_unsupported] ' || attempted || ': the relay reads messages from PostgreSQL 14 on',
      HINT = '{"into": "outbox"}';
  END IF;
  IF made ->> 'into' = 'messages' AND current_setting('wal_level') <> 'logical' THEN
    RAISE WARNING USING MESSAGE = 'capturing into messages, which nobody can read while wal_level is not logical';
  END IF;

  -- What tells rows apart: the primary key, or else a unique index that cannot hold NULL.
  SELECT jsonb_agg(a.attname ORDER BY k.place) INTO key_columns
  FROM (SELECT i.indexrelid, i.indrelid, i.indkey, i.indnkeyatts FROM pg_index i
        WHERE i.indrelid = relation AND i.indisunique AND i.indisvalid AND i.indimmediate AND i.indpred IS NULL
          AND i.indexprs IS NULL AND NOT EXISTS (
            SELECT FROM pg_attribute a JOIN unnest(i.indkey::int2[]) WITH ORDINALITY k(attnum, place) ON a.attnum = k.attnum
            WHERE a.attrelid = i.indrelid AND k.place <= i.indnkeyatts AND NOT a.attnotnull)
        ORDER BY i.indisprimary DESC, i.indexrelid LIMIT 1) i
    CROSS JOIN unnest(i.indkey::int2[]) WITH ORDINALITY k(attnum, place)
    JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.attnum
  WHERE k.place <= i.indnkeyatts;
  made := made || jsonb_build_object('key', key_columns);

  IF NOT made ? 'aggregate_id' THEN
    IF key_columns IS NULL THEN
      RAISE EXCEPTION USING MESSAGE = '[capture_table_without_key] ' || attempted || ': it has no primary key (that is '
        'not deferrable), and no column is named that identifies what an event is about',
        HINT = format('{"aggregate_id": ["a column"]}, or ALTER TABLE %s ADD PRIMARY KEY (...);', relation);
    END IF;
    made := made || jsonb_build_object('aggregate_id', key_columns);
  END IF;
  FOREACH word IN ARRAY ARRAY['aggregate_id', 'columns'] LOOP
    CONTINUE WHEN NOT made ? word;
    IF jsonb_typeof(made -> word) = 'string' THEN
      made := jsonb_set(made, ARRAY[word], jsonb_build_array(made -> word));
    END IF;
    IF jsonb_typeof(made -> word) <> 'array' OR made -> word = '[]'
       OR EXISTS (SELECT FROM jsonb_array_elements(made -> word) e WHERE jsonb_typeof(e) <> 'string') THEN
      RAISE EXCEPTION USING MESSAGE = format('[capture_option_invalid] %s: "%s" is no list of column names', attempted, word),
        HINT = format('{"%s": ["id"]}', word);
    END IF;
  END LOOP;
  SELECT e INTO word FROM (SELECT jsonb_array_elements_text(made -> 'aggregate_id') UNION ALL
                           SELECT jsonb_array_elements_text(coalesce(made -> 'columns', '[]'))) names(e)
  WHERE NOT EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = relation AND a.attname = e AND a.attnum > 0
                      AND NOT a.attisdropped)
  LIMIT 1;
  IF word IS NOT NULL THEN
    RAISE EXCEPTION USING MESSAGE = format('[capture_column_missing] %s: it has no column %I', attempted, word),
      HINT = 'write column names as they are stored: without quotes, in their own case';
  END IF;
  -- A trigger sees NULL in a column that is computed when it is read (PostgreSQL 18).
  SELECT a.attname INTO word FROM pg_attribute a
  WHERE a.attrelid = relation AND a.attgenerated = 'v' AND NOT a.attisdropped
    AND (made -> 'aggregate_id' ? a.attname::text OR coalesce(made -> 'columns' ? a.attname::text, true)) LIMIT 1;
  IF word IS NOT NULL THEN
    RAISE EXCEPTION USING MESSAGE = format('[capture_column_virtual] %s: a trigger cannot see the value of the virtual column %I',
      attempted, word), HINT = 'name the columns of the payload without it, {"columns": [...]}, or make it STORED';
  END IF;
  RETURN made;
END
$$;

-- The aggregate's id: the column as text, NULL as none; of several columns a JSON array, so that ("a", "b:c") and ("a:b", "c")
-- differ. Whatever type a column has now or later, so that ALTER COLUMN ... TYPE breaks no write.
CREATE OR REPLACE FUNCTION outbox_relay.capture_id(alias text, columns jsonb) RETURNS text
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
  SELECT format(CASE WHEN jsonb_array_length(columns) > 1 THEN 'pg_catalog.json_build_array(%s)::pg_catalog.text'
                     ELSE 'pg_catalog.concat(%s)' END, string_agg(format('%s.%I', alias, c.name), ', ' ORDER BY c.place))
  FROM jsonb_array_elements_text(columns) WITH ORDINALITY c(name, place)
$$;

-- "n.a = o.a AND n.b = o.b". Types that PostgreSQL does not bring are compared as text: their operator is somebody else's
-- code, in a schema that may be any, and does not fit any more when the column's type changes.
CREATE OR REPLACE FUNCTION outbox_relay.capture_match(relation regclass, key_columns jsonb) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
  WITH RECURSIVE base AS (
    SELECT c.name, c.place, a.atttypid AS type FROM jsonb_array_elements_text(key_columns) WITH ORDINALITY c(name, place)
      JOIN pg_attribute a ON a.attrelid = relation AND a.attname = c.name
    UNION ALL
    SELECT b.name, b.place, t.typbasetype FROM base b JOIN pg_type t ON t.oid = b.type AND t.typtype = 'd')
  SELECT string_agg(format(CASE WHEN t.typtype = 'b' AND t.typcategory <> 'A' AND t.typnamespace <> 'pg_catalog'::regnamespace
                      THEN 'pg_catalog.concat(n.%1$I) OPERATOR(pg_catalog.=) pg_catalog.concat(o.%1$I)'
                      ELSE 'n.%1$I OPERATOR(pg_catalog.=) o.%1$I' END, b.name), ' AND ' ORDER BY b.place)
  FROM base b JOIN pg_type t ON t.oid = b.type AND t.typtype <> 'd'
$$;

-- json_each() of a row. It refuses escapes that type json accepts, "\u0000" and halves of pairs, and a write must not fail of
-- that: a row that is not `plain` has every escape written as something else, which the others take back.
CREATE OR REPLACE FUNCTION outbox_relay.capture_plain(json_row text) RETURNS text
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
  SELECT format($sql$pg_catalog.strpos(%s::pg_catalog.text, E'\\u') OPERATOR(pg_catalog.=) 0$sql$, json_row)
$$;
CREATE OR REPLACE FUNCTION outbox_relay.capture_fields(json_row text) RETURNS text
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
  SELECT format($sql$pg_catalog.json_each(CASE WHEN k.plain THEN %1$s ELSE pg_catalog.replace(pg_catalog.replace(
    pg_catalog.replace(%1$s::pg_catalog.text, '~', '~0'), E'\\\\', '~1'), E'\\u', '~2')::pg_catalog.json END)$sql$, json_row)
$$;
CREATE OR REPLACE FUNCTION outbox_relay.capture_key(key text) RETURNS text
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
  SELECT format($sql$CASE WHEN k.plain THEN %1$s ELSE pg_catalog.replace(pg_catalog.replace(%1$s,
    '~1', E'\\'), '~0', '~') END$sql$, key)
$$;

-- The payload: a row as JSON. Of type json, since the binary form refuses some of what type json accepts.
CREATE OR REPLACE FUNCTION outbox_relay.capture_row(alias text, columns jsonb) RETURNS text
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
  SELECT CASE WHEN columns IS NULL THEN format('pg_catalog.to_json(%s.*)', alias) ELSE format(
    $sql$(SELECT coalesce(pg_catalog.json_object_agg(%3$s, CASE WHEN k.plain THEN f.value ELSE pg_catalog.replace(
        pg_catalog.replace(pg_catalog.replace(f.value::pg_catalog.text, '~2', E'\\u'), '~1', E'\\\\'), '~0', '~')::pg_catalog.json
        END), '{}')
      FROM (SELECT pg_catalog.to_json(%1$s.*) AS whole OFFSET 0) w CROSS JOIN LATERAL (SELECT %2$s AS plain OFFSET 0) k
        CROSS JOIN LATERAL %4$s f
      WHERE (%3$s) OPERATOR(pg_catalog.=) ANY (%5$L::pg_catalog.text[]))$sql$,
    alias, outbox_relay.capture_plain('w.whole'), outbox_relay.capture_key('f.key'), outbox_relay.capture_fields('w.whole'),
    ARRAY(SELECT jsonb_array_elements_text(columns))::text) END
$$;

-- The SELECT that makes the events of one operation, as columns event_type, id, payload, changed (NULL but for updates).
-- Names of key columns are written out; of all others nothing is, so that ALTER TABLE breaks no write.
CREATE OR REPLACE FUNCTION outbox_relay.capture_select(relation regclass, made jsonb, operation text) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  new_row CONSTANT text := outbox_relay.capture_row('n', made -> 'columns');
  old_row CONSTANT text := outbox_relay.capture_row('o', made -> 'columns');
  new_id CONSTANT text := outbox_relay.capture_id('n', made -> 'aggregate_id');
  old_id CONSTANT text := outbox_relay.capture_id('o', made -> 'aggregate_id');
  key_column CONSTANT text := made -> 'key' ->> 0;
  one_row CONSTANT text :=
    'SELECT %L::pg_catalog.text AS event_type, %s AS id, %s AS payload, NULL::pg_catalog.jsonb AS changed FROM %s';
BEGIN
  IF operation = 'DELETE' THEN
    RETURN format(one_row, made ->> 'delete', old_id, old_row, 'relay_old o');
  ELSIF operation = 'INSERT' OR key_column IS NULL THEN  -- without a key old and new rows cannot be told to belong together
    RETURN format(one_row, made ->> lower(operation), new_id, new_row, 'relay_new n');
  END IF;
  -- A row whose key or aggregate id changed has no partner: it is deleted under the old one and created under the new one.
  -- Both rows have the same columns in the same order.
  RETURN format($sql$SELECT CASE WHEN r.old_row IS NULL THEN %1$L WHEN r.new_row IS NULL THEN %2$L ELSE %3$L
      END::pg_catalog.text AS event_type, r.id, coalesce(r.new_row, r.old_row) AS payload, r.changed
    FROM (
      SELECT b.id, b.new_row, b.old_row, CASE WHEN b.new_row IS NOT NULL AND b.old_row IS NOT NULL THEN (
          SELECT coalesce(pg_catalog.jsonb_agg(%11$s), '[]')
          FROM (SELECT %14$s AND %15$s AS plain OFFSET 0) k
            CROSS JOIN LATERAL ROWS FROM (%12$s, %13$s) c(key, value, old_key, old_value)
          WHERE c.value::pg_catalog.text OPERATOR(pg_catalog.<>) c.old_value::pg_catalog.text) END AS changed
      FROM (
        SELECT CASE WHEN n.%4$I IS NOT DISTINCT FROM NULL THEN %5$s ELSE %6$s END AS id,  -- as IS NULL, for composites too
               CASE WHEN n.%4$I IS DISTINCT FROM NULL THEN %7$s END AS new_row,
               CASE WHEN o.%4$I IS DISTINCT FROM NULL THEN %8$s END AS old_row
        FROM relay_old o FULL JOIN relay_new n ON (%9$s) OFFSET 0) b OFFSET 0) r
    WHERE %10$s ORDER BY r.new_row IS NOT NULL$sql$,  -- deletes first: the aggregate may be the same one
    coalesce(made ->> 'insert', 'created'), coalesce(made ->> 'delete', 'deleted'), made ->> 'update', key_column,
    old_id, new_id, new_row, old_row,
    outbox_relay.capture_match(relation, made -> 'key') || CASE WHEN made -> 'key' <> made -> 'aggregate_id' THEN
      format(' AND %s OPERATOR(pg_catalog.=) %s', new_id, old_id) ELSE '' END,
    -- With chosen columns, an update that changes none of them is no event.
    concat_ws(' AND ', 'true', CASE WHEN made ? 'columns' THEN '(r.changed OPERATOR(pg_catalog.<>) ''[]'') IS NOT FALSE' END,
      CASE WHEN coalesce(made -> 'insert', 'false') IN ('false', 'null') THEN 'r.old_row IS NOT NULL' END,
      CASE WHEN coalesce(made -> 'delete', 'false') IN ('false', 'null') THEN 'r.new_row IS NOT NULL' END),
    outbox_relay.capture_key('c.key'), outbox_relay.capture_fields('b.new_row'), outbox_relay.capture_fields('b.old_row'),
    outbox_relay.capture_plain('b.new_row'), outbox_relay.capture_plain('b.old_row'));
END
$$;

-- The trigger function of one table, as text. The functions that fill the outbox have the rights of their owner (see
-- capture_runner), so that the application's role needs none; those that write messages need none.
-- The settings make the same text of a value in every session; compiling takes longer than what is compiled.
CREATE OR REPLACE FUNCTION outbox_relay.capture_function(relation regclass, made jsonb, function_name text) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  body text := '';
  operation text;
  aggregate_type CONSTANT text := made ->> 'aggregate_type';
  wanted text[] := ARRAY(SELECT upper(w.word) FROM unnest('{insert,update,delete}'::text[]) w(word)
                         WHERE made -> w.word NOT IN ('false', 'null'));
  settings CONSTANT text := E'\nSET bytea_output = hex SET datestyle = ISO SET intervalstyle = postgres SET timezone = ''UTC'' '
    'SET extra_float_digits = 1 SET jit = off';
  one_event CONSTANT text := $sql$SELECT pg_catalog.concat(%L, pg_catalog.to_json(e.event_type), ',"aggregate_id":',
      pg_catalog.to_json(e.id), ',"payload":', e.payload,
      ',"headers":{"changed_columns":' || e.changed::pg_catalog.text || '}', '}')
      FROM (%s) e$sql$;
BEGIN
  IF made ->> 'into' = 'outbox' THEN
    FOREACH operation IN ARRAY wanted LOOP
      body := body || format($sql$  IF TG_OP = %L THEN
    INSERT INTO outbox_relay.outbox (aggregatetype, aggregateid, type, payload, changed_columns)
    SELECT %L, e.id, e.event_type, e.payload, e.changed FROM (%s) e;
  END IF;
$sql$, operation, aggregate_type, outbox_relay.capture_select(relation, made, operation));
    END LOOP;
    IF made -> 'truncate' NOT IN ('false', 'null') THEN
      body := body || format($sql$  IF TG_OP = 'TRUNCATE' THEN
    INSERT INTO outbox_relay.outbox (aggregatetype, aggregateid, type, payload)
    VALUES (%L, '', %L, '{}');
  END IF;
$sql$, aggregate_type, made ->> 'truncate');
    END IF;
    RETURN format($sql$CREATE OR REPLACE FUNCTION outbox_relay.%I() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp %s AS %L$sql$, function_name, settings,
      E'\n#variable_conflict use_column\nBEGIN\n' || body || E'  RETURN NULL;\nEND\n');
  END IF;

  FOREACH operation IN ARRAY wanted LOOP
    body := body || format($sql$  IF TG_OP OPERATOR(pg_catalog.=) %L THEN
    FOR relay_event IN %s LOOP
      relay_list := pg_catalog.array_append(relay_list, relay_event);
      relay_size := relay_size OPERATOR(pg_catalog.+) pg_catalog.octet_length(relay_event);
      IF relay_size OPERATOR(pg_catalog.>) 1000000 THEN
        PERFORM pg_catalog.pg_logical_emit_message(true, %3$L,
          pg_catalog.concat('[', pg_catalog.array_to_string(relay_list, ','), ']'));
        relay_list := '{}';
        relay_size := 0;
      END IF;
    END LOOP;
    IF relay_size OPERATOR(pg_catalog.>) 0 THEN
      PERFORM pg_catalog.pg_logical_emit_message(true, %3$L,
          pg_catalog.concat('[', pg_catalog.array_to_string(relay_list, ','), ']'));
    END IF;
  END IF;
$sql$, operation, format(replace(one_event, '||', 'OPERATOR(pg_catalog.||)'),
        format('{"aggregate_type":%s,"event_type":', to_json(aggregate_type)),
        outbox_relay.capture_select(relation, made, operation)), made ->> 'prefix');
  END LOOP;
  IF made -> 'truncate' NOT IN ('false', 'null') THEN
    body := body || format($sql$  IF TG_OP OPERATOR(pg_catalog.=) 'TRUNCATE' THEN
    PERFORM pg_catalog.pg_logical_emit_message(true, %L, pg_catalog.json_build_object('aggregate_type', %L, 'event_type', %L,
      'payload', '{}'::pg_catalog.json)::pg_catalog.text);
  END IF;
$sql$, made ->> 'prefix', aggregate_type, made ->> 'truncate');
  END IF;
  RETURN format($sql$CREATE OR REPLACE FUNCTION outbox_relay.%I() RETURNS trigger LANGUAGE plpgsql %s AS %L$sql$, function_name,
    settings,
    E'\n#variable_conflict use_column\nDECLARE\n  relay_event pg_catalog.text;\n  relay_list pg_catalog.text[] := ''{}'';\n'
    '  relay_size pg_catalog.int8 := 0;\nBEGIN\n' || body || E'  RETURN NULL;\nEND\n');
END
$$;

-- The triggers of one table, as operation and statement.
CREATE OR REPLACE FUNCTION outbox_relay.capture_triggers(relation regclass, made jsonb, function_name text)
RETURNS TABLE (operation text, statement text) LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
  SELECT t.word, format('CREATE TRIGGER %I AFTER %s ON %s %s FOR EACH STATEMENT EXECUTE FUNCTION outbox_relay.%I()',
    'outbox_relay_' || t.word, upper(t.word), relation, t.rows, function_name)
  FROM (VALUES ('insert', 'REFERENCING NEW TABLE AS relay_new'),
               ('update', CASE WHEN coalesce(made -> 'key', 'null') = 'null' THEN 'REFERENCING NEW TABLE AS relay_new'
                               ELSE 'REFERENCING OLD TABLE AS relay_old NEW TABLE AS relay_new' END),
               ('delete', 'REFERENCING OLD TABLE AS relay_old'), ('truncate', '')) t(word, rows)
  WHERE made -> t.word NOT IN ('false', 'null')
$$;

-- With whose rights the table's function runs. to_json() calls casts that the owner of the table can make, so these must be
-- rights that the table's owner has anyway: ours when that is so, or else that owner's.
CREATE OR REPLACE FUNCTION outbox_relay.capture_runner(relation regclass) RETURNS regrole
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  owner CONSTANT regrole := (SELECT c.relowner FROM pg_class c WHERE c.oid = relation);
BEGIN
  IF pg_has_role(owner, current_user, 'USAGE') THEN
    RETURN current_user::regrole;
  ELSIF pg_has_role(owner, 'USAGE')
      AND pg_has_role(owner, CASE WHEN current_setting('server_version_num')::int < 160000 THEN 'MEMBER' ELSE 'SET' END) THEN
    RETURN owner;
  END IF;
  RAISE EXCEPTION USING ERRCODE = 'insufficient_privilege', MESSAGE = format('[capture_owner_foreign] capturing %s: it belongs to '
    '%s, whose casts would run with the rights of %I', relation, owner, current_user),
    HINT = format('GRANT %s TO %I; or capture {"into": "messages"}, which runs with the rights of whoever writes', owner,
      current_user);
END
$$;

-- Makes the function that fills the outbox run so, and able to: a write that it cannot note fails.
CREATE OR REPLACE FUNCTION outbox_relay.capture_hand_over(relation regclass, function_name text) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  runner CONSTANT regrole := outbox_relay.capture_runner(relation);
  columns CONSTANT text := 'aggregatetype, aggregateid, type, payload, changed_columns';
  statement text;
BEGIN
  FOR statement IN
    SELECT w.statement FROM (
      SELECT p.proowner <> runner AS differs, has_schema_privilege(runner, 'outbox_relay', 'CREATE') AS may_own FROM pg_proc p
      WHERE p.pronamespace = 'outbox_relay'::regnamespace AND p.proname = function_name) f
    CROSS JOIN LATERAL (VALUES  -- the right to own a function is lent
      (f.differs AND NOT f.may_own, format('GRANT CREATE ON SCHEMA outbox_relay TO %s', runner)),
      (f.differs, format('ALTER FUNCTION outbox_relay.%I() OWNER TO %s', function_name, runner)),
      (f.differs AND NOT f.may_own, format('REVOKE CREATE ON SCHEMA outbox_relay FROM %s', runner)),
      (NOT has_schema_privilege(runner, 'outbox_relay', 'USAGE'), format('GRANT USAGE ON SCHEMA outbox_relay TO %s', runner)),
      (NOT outbox_relay.capture_may_insert(runner), format('GRANT INSERT (%s) ON outbox_relay.outbox TO %s', columns, runner))
    ) w(wanted, statement) WHERE w.wanted
  LOOP
    BEGIN
      EXECUTE statement;
    EXCEPTION WHEN insufficient_privilege THEN
      NULL;  -- what counts is what is there in the end
    END;
  END LOOP;
  IF NOT outbox_relay.capture_may_insert(runner) OR NOT EXISTS (SELECT FROM pg_proc p
      WHERE p.pronamespace = 'outbox_relay'::regnamespace AND p.proname = function_name AND p.proowner = runner) THEN
    RAISE EXCEPTION USING ERRCODE = 'insufficient_privilege', MESSAGE = format('[capture_privilege_missing] capturing %s: the '
      'function would run as %s, and %I may not let that role write the outbox', relation, runner, current_user),
      HINT = format('run this as the owner of schema outbox_relay, or let that one: GRANT USAGE, CREATE ON SCHEMA outbox_relay '
        'TO %1$s; GRANT INSERT (%2$s) ON outbox_relay.outbox TO %1$s;', runner, columns);
  END IF;
END
$$;
CREATE OR REPLACE FUNCTION outbox_relay.capture_may_insert(runner regrole) RETURNS boolean
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
  SELECT has_schema_privilege(runner, 'outbox_relay', 'USAGE')
    AND bool_and(has_column_privilege(runner, 'outbox_relay.outbox', c.name, 'INSERT'))
  FROM unnest('{aggregatetype,aggregateid,type,payload,changed_columns}'::text[]) c(name)
$$;

-- Of the table's own function: the one that it has, or one that nothing else has. The table's name is not in it, since
-- tables are renamed, and others get their names.
CREATE OR REPLACE FUNCTION outbox_relay.capture_name(relation regclass) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
  SELECT coalesce((SELECT c.function_name FROM outbox_relay.captured c WHERE c.relation = capture_name.relation),
    (SELECT made.name FROM (SELECT 'capture_' || relation::oid || repeat('_', n), n FROM generate_series(0, 20) n) made(name, n)
     WHERE NOT EXISTS (SELECT FROM pg_proc p WHERE p.pronamespace = 'outbox_relay'::regnamespace AND p.proname = made.name)
     ORDER BY made.n LIMIT 1))
$$;

-- From now on the changes of this table are events. Called again, it changes what differs. Takes ShareRowExclusive on the
-- table for an instant (AccessExclusive when a trigger goes), which writers wait for.
CREATE OR REPLACE FUNCTION outbox_relay.capture(table_name text, options jsonb DEFAULT '{}') RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  target CONSTANT regclass := to_regclass(table_name);
  made jsonb;
  own_function text;
  statements text;
BEGIN
  IF target IS NULL THEN
    RAISE EXCEPTION USING MESSAGE = '[capture_table_missing] capturing ' || table_name || ': there is no such table',
      HINT = 'write schema.table, quoted as in SQL: public.orders, "Shop"."Orders"';
  END IF;
  made := outbox_relay.capture_options(target, options);
  own_function := outbox_relay.capture_name(target);
  EXECUTE outbox_relay.capture_function(target, made, own_function);
  EXECUTE format('REVOKE ALL ON FUNCTION outbox_relay.%I() FROM PUBLIC', own_function);
  IF made ->> 'into' = 'outbox' THEN
    PERFORM outbox_relay.capture_hand_over(target, own_function);
  END IF;
  -- What has to go, then what is missing; nothing is locked when nothing differs.
  SELECT string_agg(s.statement, ';') INTO statements FROM (
    SELECT format('DROP TRIGGER %I ON %s', t.tgname, target) AS statement
    FROM pg_trigger t WHERE t.tgrelid = target AND t.tgname LIKE 'outbox\_relay\_%'
      AND NOT EXISTS (SELECT FROM outbox_relay.capture_triggers(target, made, own_function) w
                      WHERE 'outbox_relay_' || w.operation = t.tgname
                        AND (t.tgoldtable IS NOT NULL) = (w.statement LIKE '%OLD TABLE AS%'))
    UNION ALL
    SELECT w.statement FROM outbox_relay.capture_triggers(target, made, own_function) w
    WHERE NOT EXISTS (SELECT FROM pg_trigger t WHERE t.tgrelid = target AND t.tgname = 'outbox_relay_' || w.operation
                        AND (t.tgoldtable IS NOT NULL) = (w.statement LIKE '%OLD TABLE AS%'))) s;
  IF statements IS NOT NULL THEN
    PERFORM outbox_relay.execute_politely(statements, 'capturing ' || target);
  END IF;
  INSERT INTO outbox_relay.captured AS c (relation, options, function_name)
  VALUES (target, capture.options || jsonb_build_object('aggregate_type', made -> 'aggregate_type'), own_function)
  ON CONFLICT ON CONSTRAINT captured_pkey DO UPDATE SET options = excluded.options, changed_at = now()
  WHERE c.options IS DISTINCT FROM excluded.options;
END
$$;

-- The table as it was before. Events that it made stay in the outbox.
CREATE OR REPLACE FUNCTION outbox_relay.uncapture(table_name text) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  target CONSTANT regclass := to_regclass(table_name);
  gone text[];
  word text;
  statements text;
BEGIN
  IF target IS NULL AND cardinality(parse_ident(table_name)) < 2 THEN
    RAISE EXCEPTION USING MESSAGE = '[capture_table_missing] uncapturing ' || table_name || ': there is no such table',
      HINT = 'write schema.table, quoted as in SQL: public.orders, "Shop"."Orders"';
  END IF;
  -- By the functions that the triggers call, not by what is noted: no trigger may stay behind.
  SELECT string_agg(format('DROP TRIGGER %I ON %s', t.tgname, target), ';'), array_agg(DISTINCT p.proname::text)
  INTO statements, gone
  FROM pg_trigger t JOIN pg_proc p ON p.oid = t.tgfoid AND p.pronamespace = 'outbox_relay'::regnamespace
  WHERE t.tgrelid = target AND t.tgparentid = 0 AND t.tgname LIKE 'outbox\_relay\_%';
  IF statements IS NOT NULL THEN
    PERFORM outbox_relay.execute_politely(statements, 'uncapturing ' || table_name);
  END IF;
  WITH deleted AS (  -- also those of tables that were dropped meanwhile
    DELETE FROM outbox_relay.captured c WHERE c.relation = target
      OR NOT EXISTS (SELECT FROM pg_class r WHERE r.oid = c.relation) RETURNING c.function_name)
  SELECT gone || array_agg(d.function_name) INTO gone FROM deleted d;
  IF target IS NULL AND gone IS NULL THEN
    RAISE WARNING USING MESSAGE = 'uncapturing ' || table_name || ': there is no such table; captured are: '
      || coalesce((SELECT string_agg(c.relation::text, ', ') FROM outbox_relay.captured c), 'none');
  END IF;
  FOREACH word IN ARRAY coalesce(gone, '{}') LOOP
    EXECUTE format('DROP FUNCTION IF EXISTS outbox_relay.%I()', word);
  END LOOP;
END
$$;

-- What is not as capture() would make it now, one line each; none when all is well. Changes nothing.
CREATE OR REPLACE FUNCTION outbox_relay.capture_drift(OUT table_name text, OUT problem text) RETURNS SETOF record
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  c record;
  made jsonb;
BEGIN
  FOR c IN SELECT relation, options, function_name FROM outbox_relay.captured ORDER BY relation::text LOOP
    table_name := c.relation::text;
    IF NOT EXISTS (SELECT FROM pg_class WHERE oid = c.relation) THEN
      problem := 'the table was dropped';
      RETURN NEXT;
      CONTINUE;
    END IF;
    BEGIN
      made := outbox_relay.capture_options(c.relation, c.options);
    EXCEPTION WHEN OTHERS THEN
      problem := SQLERRM;
      RETURN NEXT;
      CONTINUE;
    END;
    FOR problem IN
      SELECT CASE WHEN t.tgname IS NULL THEN format('the trigger outbox_relay_%s is missing', w.operation)
                  WHEN t.tgenabled = 'D' THEN format('the trigger outbox_relay_%s is disabled', w.operation)
                  ELSE format('the trigger outbox_relay_%s fires only for what replication applies', w.operation) END
      FROM outbox_relay.capture_triggers(c.relation, made, c.function_name) w
        LEFT JOIN pg_trigger t ON t.tgrelid = c.relation AND t.tgname = 'outbox_relay_' || w.operation
          AND (t.tgoldtable IS NOT NULL) = (w.statement LIKE '%OLD TABLE AS%')
      WHERE t.tgname IS NULL OR t.tgenabled IN ('D', 'R')
    LOOP
      RETURN NEXT;
    END LOOP;
    -- The stored function's text stands, quoted, at the end of the statement that would make it.
    IF NOT EXISTS (SELECT FROM pg_proc p WHERE p.pronamespace = 'outbox_relay'::regnamespace AND p.proname = c.function_name) THEN
      problem := format('the function outbox_relay.%I is missing', c.function_name);
      RETURN NEXT;
    ELSIF NOT EXISTS (
        SELECT FROM pg_proc p
        WHERE p.pronamespace = 'outbox_relay'::regnamespace AND p.proname = c.function_name
          AND right(outbox_relay.capture_function(c.relation, made, c.function_name), length(quote_literal(p.prosrc)))
            = quote_literal(p.prosrc)) THEN
      problem := format('the function outbox_relay.%I is not as it would be made now (capture the table again)', c.function_name);
      RETURN NEXT;
    END IF;
    -- What became of it by ALTER ... OWNER or REASSIGN OWNED.
    FOR problem IN
      SELECT v.problem FROM pg_proc p JOIN pg_class r ON r.oid = c.relation CROSS JOIN LATERAL (VALUES
        (pg_has_role(r.relowner, p.proowner, 'USAGE'), format('its function runs with the rights of %s, which the owner %s has not '
          '(capture the table again)', p.proowner::regrole, r.relowner::regrole)),
        (outbox_relay.capture_may_insert(p.proowner), format('its function runs as %s, who may not write the outbox: every write '
          'fails (capture the table again)', p.proowner::regrole))) v(fine, problem)
      WHERE p.pronamespace = 'outbox_relay'::regnamespace AND p.proname = c.function_name AND p.prosecdef AND NOT v.fine
    LOOP
      RETURN NEXT;
    END LOOP;
  END LOOP;
END
$$;

DO $$
DECLARE
  f regprocedure;
BEGIN
  FOR f IN SELECT p.oid FROM pg_catalog.pg_proc p WHERE p.pronamespace = 'outbox_relay'::regnamespace
           AND p.proname IN (
      'execute_politely', 'capture_options', 'capture_id', 'capture_match', 'capture_plain', 'capture_fields',
      'capture_key', 'capture_row', 'capture_select', 'capture_function', 'capture_triggers', 'capture_runner',
      'capture_may_insert', 'capture_hand_over', 'capture_name', 'capture', 'uncapture', 'capture_drift') LOOP
    EXECUTE pg_catalog.format('REVOKE ALL ON FUNCTION %s FROM PUBLIC', f);
  END LOOP;
END
$$;

COMMIT;
