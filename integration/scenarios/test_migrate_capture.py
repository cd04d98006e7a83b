"""Capture triggers: the changes of plain tables as events, as outbox rows and as logical messages, through to Kafka."""

import json

import psycopg2
import pytest
from rig import processes
from rig.migrations import SQL, migrate, psql
from rig.relay import ask
from rig.world import run_pgbench

FORMS = ["outbox", "messages"]


@pytest.fixture
def world(make_world, postgres):
    """All functions, and a way to read messages without a relay."""
    world = make_world(postgres, None, outbox="CREATE SCHEMA app", publication=None)
    for name in ("outbox", "messages", "capture"):
        psql(world, file=SQL / f"{name}.sql")
    world.sql(f"SELECT pg_create_logical_replication_slot('{world.slot}', 'test_decoding')")
    return world


def capture(world, table, into, **options):
    world.sql("SELECT outbox_relay.capture(%s, %s)", (table, json.dumps({"into": into, **options})))


def events(world, into):
    """(aggregate type, aggregate id, event type, payload, changed columns) of all that was made since the last call."""
    if into == "outbox":
        rows = world.sql("SELECT aggregatetype, aggregateid, type, payload, changed_columns FROM outbox_relay.outbox ORDER BY relay_id")
        world.sql("TRUNCATE outbox_relay.outbox")
        return [(*row[:4], row[4] and sorted(row[4])) for row in rows]
    made = []
    for (line,) in world.sql("SELECT data FROM pg_logical_slot_get_changes(%s, NULL, NULL) WHERE data LIKE 'message: transactional: 1 prefix: outbox%%'",
                             (world.slot,)):
        parsed = json.loads(line.split("content:", 1)[1])
        for one in parsed if isinstance(parsed, list) else [parsed]:
            changed = one.get("headers", {}).get("changed_columns")
            made.append((one["aggregate_type"], one.get("aggregate_id", ""), one["event_type"], one["payload"], changed and sorted(changed)))
    return made


def in_order(rows):
    return sorted(json.dumps(row, sort_keys=True) for row in rows)


def refused(world, table, **options):
    with pytest.raises(psycopg2.Error) as caught:
        world.sql("SELECT outbox_relay.capture(%s, %s)", (table, json.dumps(options)))
    assert caught.value.diag.message_hint, "a refusal says what to do"
    return caught.value.diag.message_primary


@pytest.mark.parametrize("into", FORMS)
def test_each_kind_of_change_is_an_event_with_the_rows_values(world, into):
    world.sql("CREATE TABLE app.orders (id int PRIMARY KEY, total numeric(10, 2), note text, at timestamp)")
    capture(world, "app.orders", into, aggregate_type="order", insert="placed", truncate="emptied")
    world.sql("INSERT INTO app.orders VALUES (1, 12.50, 'it''s \"x\" \\ \u00e4', '2026-01-02 03:04:05'), (2, 'NaN', NULL, 'infinity')")
    world.sql("UPDATE app.orders SET total = 13, note = NULL WHERE id = 1")
    world.sql("UPDATE app.orders SET total = total WHERE id = 2")
    world.sql("DELETE FROM app.orders WHERE id = 2")
    world.sql("TRUNCATE app.orders")
    one = {"id": 1, "total": 12.50, "note": "it's \"x\" \\ \u00e4", "at": "2026-01-02T03:04:05"}
    two = {"id": 2, "total": "NaN", "note": None, "at": "infinity"}
    assert events(world, into) == [
        ("order", "1", "placed", one, None), ("order", "2", "placed", two, None),
        ("order", "1", "updated", {**one, "total": 13.00, "note": None}, ["note", "total"]), ("order", "2", "updated", two, []),
        ("order", "2", "deleted", two, None), ("order", "", "emptied", {}, None)]


@pytest.mark.parametrize("into", FORMS)
def test_a_row_whose_key_or_aggregate_changes_leaves_the_old_one_first(world, into):
    world.sql("CREATE TABLE app.items (id int PRIMARY KEY, order_id int NOT NULL, sku text)")
    capture(world, "app.items", into, aggregate_type="order", aggregate_id="order_id")
    world.sql("INSERT INTO app.items VALUES (1, 10, 'a'), (2, 10, 'b')")
    events(world, into)
    world.sql("UPDATE app.items SET order_id = 11 WHERE id = 1")
    assert [e[1:3] for e in events(world, into)] == [("10", "deleted"), ("11", "created")]
    world.sql("UPDATE app.items SET id = 3 WHERE id = 2")
    made = events(world, into)
    assert [(e[1], e[2], e[3]["id"]) for e in made] == [("10", "deleted", 2), ("10", "created", 3)]
    world.sql("DELETE FROM app.items; INSERT INTO app.items VALUES (3, 10, 'c'), (1, 10, 'd')")
    events(world, into)
    world.sql("UPDATE app.items SET id = id + 2")  # 3 -> 5, then 1 -> 3: the key 3 is another row's now
    assert [(e[2], e[3]["id"], e[4]) for e in events(world, into)][0] == ("deleted", 1, None)
    assert {row[0] for row in world.sql("SELECT id FROM app.items")} == {3, 5}


@pytest.mark.parametrize("into", FORMS)
def test_replaying_the_events_of_random_changes_gives_the_same_table(world, into, seed):
    world.sql("CREATE TABLE app.t (a int, b text, v int, w jsonb, PRIMARY KEY (a, b))")
    capture(world, "app.t", into)
    for _ in range(60):
        a, b, many = seed.randrange(20), seed.choice(["x", "y:z", 'q"']), seed.randrange(1, 12)
        world.sql(seed.choice([
            f"INSERT INTO app.t SELECT {a} + g, '{b}', g, '{{\"k\": [1]}}' FROM generate_series(1, {many}) g ON CONFLICT (a, b) DO UPDATE SET v = app.t.v + 1",
            f"UPDATE app.t SET v = v + 1 WHERE a < {a}", f"UPDATE app.t SET a = a + 100 WHERE a = {a} AND NOT EXISTS (SELECT FROM app.t WHERE a = {a} + 100)",
            f"DELETE FROM app.t WHERE a = {a}", "BEGIN; DELETE FROM app.t; ROLLBACK",
            f"WITH gone AS (DELETE FROM app.t WHERE a = {a} RETURNING *) UPDATE app.t SET w = NULL WHERE a = {a} + 1"]))
    replayed = {}
    for _, aggregate, kind, payload, _ in events(world, into):
        assert json.loads(aggregate) == [payload["a"], payload["b"]]
        if kind == "deleted":
            del replayed[aggregate]
        else:
            assert (aggregate in replayed) == (kind == "updated")
            replayed[aggregate] = payload
    rows = world.sql("SELECT to_jsonb(t) FROM app.t")
    assert in_order(replayed.values()) == in_order(row[0] for row in rows)


@pytest.mark.parametrize("into", FORMS)
def test_hostile_names_are_names(world, into):
    world.sql('CREATE SCHEMA "Sch em""a"')
    world.sql('''CREATE TABLE "Sch em""a"."Ta'ble; --" ("n" int, "o" text, e int, r json, "relay_event" text, "TG_OP" text, "made" xml,
      "Sel""ect $$ %I" text, "e.f" point, PRIMARY KEY ("o", "n"))''')
    capture(world, '"Sch em""a"."Ta\'ble; --"', into, aggregate_type="it's \"\\ $q$")
    world.sql('''INSERT INTO "Sch em""a"."Ta'ble; --" VALUES (1, 'k', 2, '{"a": 1}', 'x', 'y', '<a/>', 'z', '(1,2)')''')
    world.sql('''UPDATE "Sch em""a"."Ta'ble; --" SET "Sel""ect $$ %I" = 'new', "e.f" = '(3,4)', r = '{"a": 2}' ''')
    row = {"n": 1, "o": "k", "e": 2, "r": {"a": 1}, "relay_event": "x", "TG_OP": "y", "made": "<a/>", 'Sel"ect $$ %I': "z", "e.f": "(1,2)"}
    after = {**row, 'Sel"ect $$ %I': "new", "e.f": "(3,4)", "r": {"a": 2}}
    assert events(world, into) == [("it's \"\\ $q$", '["k", 1]', "created", row, None),
                                   ("it's \"\\ $q$", '["k", 1]', "updated", after, sorted(['Sel"ect $$ %I', "e.f", "r"]))]
    world.sql("SELECT outbox_relay.uncapture(%s)", ('"Sch em""a"."Ta\'ble; --"',))
    assert world.value("SELECT count(*) FROM pg_trigger WHERE tgname LIKE 'outbox_relay%%'") == 0


@pytest.mark.parametrize("into", FORMS)
def test_partitions_are_rows_of_their_root(world, into):
    world.sql("""CREATE TABLE app.p (id int, region text, v int, PRIMARY KEY (id, region)) PARTITION BY LIST (region);
      CREATE TABLE app.p_a PARTITION OF app.p FOR VALUES IN ('a'); CREATE TABLE app.p_b PARTITION OF app.p FOR VALUES IN ('b')""")
    capture(world, "app.p", into, aggregate_id="id")
    world.sql("INSERT INTO app.p VALUES (1, 'a', 1), (2, 'b', 2)")
    world.sql("UPDATE app.p SET region = 'b' WHERE id = 1")
    world.sql("CREATE TABLE app.p_c PARTITION OF app.p FOR VALUES IN ('c'); INSERT INTO app.p VALUES (3, 'c', 3)")
    assert [e[:3] for e in events(world, into)] == [("p", "1", "created"), ("p", "2", "created"), ("p", "1", "deleted"),
                                                   ("p", "1", "created"), ("p", "3", "created")]


@pytest.mark.parametrize("into", FORMS)
def test_1600_columns(world, into):
    columns = ", ".join(f"c{n} int DEFAULT {n}" for n in range(1, 1601))
    world.sql(f"CREATE TABLE app.wide ({columns}, PRIMARY KEY (c1))")
    capture(world, "app.wide", into)
    world.sql("INSERT INTO app.wide (c1) VALUES (1), (2)")
    world.sql("UPDATE app.wide SET c1600 = 0 WHERE c1 = 2")
    made = events(world, into)
    assert [e[2] for e in made] == ["created", "created", "updated"] and len(made[0][3]) == 1600 and made[2][4] == ["c1600"]


@pytest.mark.parametrize("into", FORMS)
def test_a_row_of_100_megabytes(world, into):
    world.sql("CREATE TABLE app.big (id int PRIMARY KEY, t text)")
    capture(world, "app.big", into)
    world.sql("INSERT INTO app.big VALUES (1, repeat('x', 100000000))")
    world.sql("UPDATE app.big SET id = 2")
    if into == "outbox":
        sizes = world.sql("SELECT length(payload ->> 't') FROM outbox_relay.outbox")
    else:
        sizes = world.sql("SELECT 100000000 FROM pg_logical_slot_get_changes(%s, NULL, NULL) WHERE data LIKE 'message%%' AND length(data) > 100000000", (world.slot,))
    assert {row[0] for row in sizes} == {100_000_000} and len(sizes) == 3


def test_messages_are_split_at_about_a_mebibyte(world):
    world.sql("CREATE TABLE app.many (id int PRIMARY KEY, t text)")
    capture(world, "app.many", "messages")
    world.sql("INSERT INTO app.many SELECT g, repeat('x', 100) FROM generate_series(1, 30000) g")
    sizes = [row[0] for row in world.sql("SELECT length(data) FROM pg_logical_slot_peek_changes(%s, NULL, NULL) WHERE data LIKE 'message%%'", (world.slot,))]
    assert len(sizes) > 3 and max(sizes) < 1_100_000
    assert [e[1] for e in events(world, "messages")] == [str(n) for n in range(1, 30001)]


@pytest.mark.parametrize("into", FORMS)
def test_the_applications_role_needs_no_right(world, into):
    world.sql("CREATE TABLE app.t (id int PRIMARY KEY); CREATE ROLE plain; GRANT USAGE ON SCHEMA app TO plain; GRANT INSERT ON app.t TO plain")
    try:
        capture(world, "app.t", into)
        world.sql("SET ROLE plain; SET search_path = pg_temp; INSERT INTO app.t VALUES (1)")
        assert [e[1] for e in events(world, into)] == ["1"]
    finally:
        world.sql("DROP OWNED BY plain; DROP ROLE plain")


@pytest.mark.parametrize("into", FORMS)
def test_altering_the_table_never_breaks_a_write(world, into):
    world.sql("CREATE TABLE app.t (id int PRIMARY KEY, a int, b text, c date)")
    capture(world, "app.t", into)
    connection = world.postgres.connect(world.name)  # one session, whose plans are made already
    with connection.cursor() as cursor:
        for number, statement in enumerate([
                "SELECT 1", "ALTER TABLE app.t ADD COLUMN d int DEFAULT 7", "ALTER TABLE app.t DROP COLUMN a", "ALTER TABLE app.t RENAME COLUMN b TO bb",
                "ALTER TABLE app.t ALTER COLUMN bb TYPE varchar(9)", "ALTER TABLE app.t ALTER COLUMN id TYPE bigint", "ALTER TABLE app.t RENAME TO u",
                "ALTER TABLE app.u SET SCHEMA public"]):
            cursor.execute(statement)
            table = "app.t" if number < 6 else "app.u" if number < 7 else "public.u"
            cursor.execute(f"INSERT INTO {table} (id, c) VALUES ({number}, '2026-01-01'); UPDATE {table} SET c = '2026-01-02' WHERE id = {number}")
    connection.close()
    made = events(world, into)
    assert [e[2] for e in made] == ["created", "updated"] * 8 and all(e[4] in (None, ["c"]) for e in made)
    assert set(made[0][3]) == {"id", "a", "b", "c"} and set(made[-1][3]) == {"id", "bb", "c", "d"}


@pytest.mark.parametrize("into", FORMS)
def test_chosen_columns_leave_alone_and_an_update_of_others_is_no_event(world, into):
    world.sql("CREATE TABLE app.t (id int PRIMARY KEY, a int, secret text)")
    capture(world, "app.t", into, columns=["id", "a"])
    world.sql("INSERT INTO app.t VALUES (1, 1, 's')")
    world.sql("UPDATE app.t SET secret = 'other'")
    world.sql("UPDATE app.t SET a = 2, secret = 'third'")
    assert [e[2:] for e in events(world, into)] == [("created", {"id": 1, "a": 1}, None), ("updated", {"id": 1, "a": 2}, ["a"])]


@pytest.mark.parametrize("into", FORMS)
def test_operations_can_be_left_out_and_options_changed_later(world, into):
    world.sql("CREATE TABLE app.t (id int PRIMARY KEY, v int)")
    capture(world, "app.t", into, update=False, delete=False)
    world.sql("INSERT INTO app.t VALUES (1, 1); UPDATE app.t SET v = 2; DELETE FROM app.t")
    assert [e[2] for e in events(world, into)] == ["created"]
    capture(world, "app.t", into, insert=False, delete="gone")
    world.sql("INSERT INTO app.t VALUES (1, 1); UPDATE app.t SET v = 2; DELETE FROM app.t")
    assert [e[2] for e in events(world, into)] == ["updated", "gone"]
    assert world.sql("SELECT * FROM outbox_relay.capture_drift()") == []


@pytest.mark.parametrize("into", FORMS)
def test_a_table_without_key_needs_a_column_that_names_the_aggregate(world, into):
    world.sql("CREATE TABLE app.log (who text, what text)")
    assert refused(world, "app.log", into=into).startswith("[capture_table_without_key] ")
    capture(world, "app.log", into, aggregate_id="who")
    world.sql("INSERT INTO app.log VALUES ('a', 'x'), (NULL, 'y'); UPDATE app.log SET what = 'z' WHERE who = 'a'; DELETE FROM app.log")
    assert [e[1:3] for e in events(world, into)] == [("a", "created"), ("", "created"), ("a", "updated"), ("", "deleted"), ("a", "deleted")]


def test_what_cannot_be_captured_is_refused_with_a_code_and_a_hint(world):
    world.sql("""CREATE UNLOGGED TABLE app.fast (id int PRIMARY KEY); CREATE VIEW app.seen AS SELECT 1 AS id;
      CREATE TABLE app.t (id int PRIMARY KEY)""")
    for code, table, options in [
            ("capture_table_missing", "app.nowhere", {}), ("capture_table_missing", "t", {}), ("capture_table_unlogged", "app.fast", {}),
            ("capture_not_a_table", "app.seen", {}), ("capture_not_a_table", "outbox_relay.outbox", {}),
            ("capture_not_a_table", "pg_catalog.pg_class", {}), ("capture_column_missing", "app.t", {"columns": ["ID"]}),
            ("capture_column_missing", "app.t", {"aggregate_id": "nope"}), ("capture_option_invalid", "app.t", {"aggregat_id": "id"}),
            ("capture_option_invalid", "app.t", {"insert": 7}), ("capture_option_invalid", "app.t", {"into": "kafka"}),
            ("capture_option_invalid", "app.t", {"columns": []}), ("capture_option_invalid", "app.t", {"aggregate_type": ""})]:
        assert refused(world, table, **options).startswith(f"[{code}] "), (table, options)
    assert world.value("SELECT count(*) FROM pg_trigger WHERE tgname LIKE 'outbox_relay%%'") == 0


def test_messages_are_refused_before_postgres_14(make_world, own_postgres):
    old = make_world(own_postgres(major=13), None, outbox="CREATE SCHEMA app; CREATE TABLE app.t (id int PRIMARY KEY, v int)", publication=None)
    for name in ("outbox", "capture"):
        psql(old, file=SQL / f"{name}.sql")
    assert refused(old, "app.t", into="messages").startswith("[messages_unsupported] ")
    capture(old, "app.t", "outbox")
    old.sql("INSERT INTO app.t VALUES (1, 1); UPDATE app.t SET v = 2; DELETE FROM app.t")
    assert [e[2] for e in events(old, "outbox")] == ["created", "updated", "deleted"]


OWN_OUTBOX = {"outbox": {"tables": ["outbox_relay.outbox"]}}


@pytest.mark.parametrize("into, source", [
    ("outbox", OWN_OUTBOX), ("outbox", {**OWN_OUTBOX, "type": "poll", "create": None}),
    ("messages", {"outbox": None, "snapshot": None, "messages": {"prefix": "out'box"}}),
], ids=["slot", "poll", "messages"])
def test_doctor_warns_of_triggers_that_do_not_fire_with_the_statements_that_enable_them(world, into, source):
    config = world.config(pipeline={"source": source, "sink": {
        "type": "file", "path": str(world.directory / "events"), "bootstrap_servers": None, "topic": None, "create_topics": None}})

    def warnings():
        _, out, err = ask("doctor", "-c", config, "-o", "json")
        (pipeline,) = json.loads(out)["pipelines"]
        return [finding for finding in pipeline["findings"] if finding["code"] == "capture_trigger_disabled"]

    others = "messages" if into == "outbox" else "outbox"  # which this pipeline does not read
    tables = ['app."Or""ders"', "app.others", "app.elsewhere"]
    for table, form, options in zip(tables, (into, others, "messages"), ({"prefix": "out'box"}, {}, {"prefix": "another"}), strict=True):
        world.sql(f"CREATE TABLE {table} (id int PRIMARY KEY)")
        capture(world, table, form, **options)
    assert not warnings()
    for table in tables:
        world.sql(f"ALTER TABLE {table} DISABLE TRIGGER outbox_relay_insert, ENABLE REPLICA TRIGGER outbox_relay_update")
    found = warnings()
    assert [(finding["severity"], finding["subject"], finding["fix"]) for finding in found] == [
        ("warning", 'table app.Or"ders', f'ALTER TABLE "app"."Or""ders" ENABLE TRIGGER "outbox_relay_{operation}";')
        for operation in ("insert", "update")]
    for finding in found:
        world.sql(finding["fix"])
    assert not warnings()


def test_what_is_left_of_a_dropped_table_is_cleared_away(world):
    world.sql("CREATE TABLE app.t (id int PRIMARY KEY)")
    capture(world, "app.t", "outbox")
    world.sql("DROP TABLE app.t")
    assert [row[1] for row in world.sql("SELECT * FROM outbox_relay.capture_drift()")] == ["the table was dropped"]
    world.sql("SELECT outbox_relay.uncapture('app.t')")
    assert world.sql("SELECT * FROM outbox_relay.captured") == []
    assert world.value("SELECT count(*) FROM pg_proc WHERE proname ~ '^capture_[0-9]'") == 0


# ---- what others do with their tables, types, roles and sessions


@pytest.fixture
def roles(world):
    """roles("a", "b"): roles without any right, gone after the test with all that they own."""
    made = []

    def make(*names):
        for name in names:
            world.sql(f"CREATE ROLE {name} LOGIN PASSWORD 'plain'")
            made.append(name)

    yield make
    for name in made:
        world.sql(f"DROP OWNED BY {name} CASCADE; DROP ROLE {name}")


def as_role(world, role, *statements):
    """A session of that role's own."""
    connection = world.postgres.connect(world.name, role, "plain")
    try:
        with connection.cursor() as cursor:
            for statement in statements:
                cursor.execute(statement)
    finally:
        connection.close()


EVIL = """CREATE TYPE app.mood AS ENUM ('sad');
  CREATE FUNCTION app.as_json(app.mood) RETURNS json LANGUAGE plpgsql AS $$ BEGIN ALTER ROLE plain_owner SUPERUSER; RETURN '1'; END $$;
  CREATE FUNCTION app.as_text(app.mood) RETURNS text LANGUAGE plpgsql AS $$ BEGIN ALTER ROLE plain_owner SUPERUSER; RETURN '1'; END $$;
  CREATE CAST (app.mood AS json) WITH FUNCTION app.as_json(app.mood); CREATE CAST (app.mood AS text) WITH FUNCTION app.as_text(app.mood);
  CREATE TABLE app.moods (id app.mood PRIMARY KEY, m app.mood)"""


def test_the_owner_of_a_captured_table_gains_nothing_by_its_casts(world, roles):
    roles("plain_owner")
    world.sql("GRANT CREATE, USAGE ON SCHEMA app TO plain_owner")
    as_role(world, "plain_owner", EVIL)
    capture(world, "app.moods", "outbox")  # by a superuser
    with pytest.raises(psycopg2.Error, match="must be superuser|permission denied"):
        as_role(world, "plain_owner", "INSERT INTO app.moods VALUES ('sad', 'sad')")
    assert not world.value("SELECT rolsuper FROM pg_roles WHERE rolname = 'plain_owner'")
    as_role(world, "plain_owner", "DROP CAST (app.mood AS json)", "DROP CAST (app.mood AS text)", "INSERT INTO app.moods VALUES ('sad', NULL)")
    assert [e[1:3] for e in events(world, "outbox")] == [("sad", "created")]
    assert world.sql("SELECT * FROM outbox_relay.capture_drift()") == []


def test_a_captured_table_that_changes_hands_is_told_of(world, roles):
    roles("plain_owner", "plain_heir")
    world.sql("CREATE TABLE app.t (id int PRIMARY KEY)")
    capture(world, "app.t", "outbox")
    world.sql("ALTER TABLE app.t OWNER TO plain_owner")
    assert "has not (capture the table again)" in world.value("SELECT problem FROM outbox_relay.capture_drift()")
    capture(world, "app.t", "outbox")
    assert world.sql("SELECT * FROM outbox_relay.capture_drift()") == []
    world.sql("REASSIGN OWNED BY plain_owner TO plain_heir")
    assert "may not write the outbox" in world.value("SELECT problem FROM outbox_relay.capture_drift()")
    capture(world, "app.t", "outbox")
    world.sql("INSERT INTO app.t VALUES (1)")
    assert world.sql("SELECT * FROM outbox_relay.capture_drift()") == []


def test_who_captures_must_be_able_to_let_the_tables_owner_write_the_outbox(world, roles):
    roles("plain_owner", "plain_migrator")
    world.sql("""GRANT USAGE, CREATE ON SCHEMA outbox_relay TO plain_migrator; GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA outbox_relay TO plain_migrator;
      GRANT ALL ON outbox_relay.captured TO plain_migrator; GRANT USAGE ON SCHEMA app TO plain_migrator;
      CREATE TABLE app.t (id int PRIMARY KEY); ALTER TABLE app.t OWNER TO plain_owner; GRANT TRIGGER, INSERT ON app.t TO plain_migrator""")
    attempt = "SELECT outbox_relay.capture('app.t')"
    with pytest.raises(psycopg2.Error, match="capture_owner_foreign.*\nHINT:.*GRANT plain_owner TO plain_migrator"):
        as_role(world, "plain_migrator", attempt)
    world.sql("GRANT plain_owner TO plain_migrator")
    with pytest.raises(psycopg2.Error, match="capture_privilege_missing"):
        as_role(world, "plain_migrator", attempt)
    as_role(world, "plain_migrator", "INSERT INTO app.t VALUES (1)")
    assert world.value("SELECT count(*) FROM pg_proc WHERE proname ~ '^capture_[0-9]'") == 0, "a refusal leaves nothing behind"
    world.sql("ALTER SCHEMA outbox_relay OWNER TO plain_migrator; ALTER TABLE outbox_relay.outbox OWNER TO plain_migrator")
    as_role(world, "plain_migrator", attempt, "INSERT INTO app.t VALUES (2)", attempt)
    assert world.sql("SELECT p.proowner::regrole::text, has_schema_privilege('plain_owner', 'outbox_relay', 'CREATE') FROM pg_proc p "
                     "WHERE proname ~ '^capture_[0-9]'") == [("plain_owner", False)]
    assert [e[1] for e in events(world, "outbox")] == ["2"]


def test_uncapture_of_a_name_without_its_schema_is_refused(world):
    world.sql("CREATE TABLE public.plain (id int PRIMARY KEY)")
    capture(world, "public.plain", "outbox")
    with pytest.raises(psycopg2.Error, match="capture_table_missing"):
        world.sql("SELECT outbox_relay.uncapture('plain')")
    world.sql("SELECT outbox_relay.uncapture('public.gone')")  # nothing is left of it: `migrate down` must come through


def test_the_way_back_takes_every_trigger_wherever_the_table_is_and_what_it_is_called(world):
    """In the session's search_path too; noted or not; with the outbox going next."""
    world.sql("""CREATE TABLE public."Or ders" (id int PRIMARY KEY); CREATE TABLE public.items (id int PRIMARY KEY); CREATE TABLE app.t (id int PRIMARY KEY);
      CREATE TABLE public.dropped (id int PRIMARY KEY)""")
    for table in ('public."Or ders"', "public.items", "app.t", "public.dropped"):
        capture(world, table, "outbox")
    world.sql("DELETE FROM outbox_relay.captured WHERE relation = 'public.items'::regclass; DROP TABLE public.dropped")
    said = psql(world, file=SQL / "outbox.down.sql", expect=3)
    assert "[capture_in_use]" in said
    world.sql(said.split("of each table ")[1].split("\n")[0])  # the hint
    psql(world, file=SQL / "capture.down.sql")
    psql(world, file=SQL / "messages.down.sql")
    psql(world, file=SQL / "outbox.down.sql")
    assert world.value("SELECT count(*) FROM pg_namespace WHERE nspname = 'outbox_relay'") == 0
    world.sql('INSERT INTO public."Or ders" VALUES (1); INSERT INTO public.items VALUES (1); INSERT INTO app.t VALUES (1)')


def test_the_outbox_stays_while_a_trigger_writes_into_it_noted_or_not(world):
    world.sql("CREATE TABLE public.items (id int PRIMARY KEY)")
    capture(world, "public.items", "outbox")
    world.sql("DELETE FROM outbox_relay.captured")
    assert "[capture_in_use]" in psql(world, file=SQL / "outbox.down.sql", expect=3)
    world.sql("INSERT INTO public.items VALUES (1)")


@pytest.mark.parametrize("into", FORMS)
@pytest.mark.parametrize("chosen", [None, ["id", "j", 'a"~\\b', "~0"]], ids=["all", "chosen"])
def test_what_type_json_accepts_breaks_no_write(world, into, chosen):
    """A NUL, halves of a pair, a number beyond numeric: the binary form refuses all of them."""
    hard = r"""{"a": "\u0000", "~1\\u0041\\\\u0041~2": "\ud800", "n": 1e200000}"""
    world.sql('CREATE TABLE app.t (id int PRIMARY KEY, j json, "a""~\\b" text, "~0" int, other int)')
    capture(world, "app.t", into, **({"columns": chosen} if chosen else {}))
    world.sql("INSERT INTO app.t VALUES (1, %s, '~0 \\ ~1', 5)", (hard,))
    world.sql("UPDATE app.t SET j = '{}', other = 4")
    world.sql("UPDATE app.t SET \"a\"\"~\\b\" = '~0 \\\\ ~1', \"~0\" = 6, j = %s", (hard,))
    world.sql("UPDATE app.t SET \"~0\" = 5")
    world.sql("DELETE FROM app.t")
    if into == "messages":
        raw = [row[0] for row in world.sql("SELECT data FROM pg_logical_slot_peek_changes(%s, NULL, NULL) WHERE data LIKE 'message%%'", (world.slot,))]
    else:
        raw = [row[0] for row in world.sql("SELECT payload::text FROM outbox_relay.outbox ORDER BY relay_id")]
    assert [hard in line for line in raw] == [True, False, True, True, True], raw
    connection_events = events(world, into)
    assert [(e[2], e[4]) for e in connection_events] == [
        ("created", None), ("updated", ["j"] if chosen else ["j", "other"]), ("updated", ['a"~\\b', "j", "~0"]), ("updated", ["~0"]), ("deleted", None)]
    assert set(connection_events[0][3]) == {"id", "j", 'a"~\\b', "~0"} | (set() if chosen else {"other"})


@pytest.mark.parametrize("into", FORMS)
def test_a_table_that_is_archived_by_its_name_keeps_its_own_events(world, into):
    world.sql("CREATE TABLE app.orders (id int PRIMARY KEY, a int)")
    capture(world, "app.orders", into, insert="placed")
    world.sql("ALTER TABLE app.orders RENAME TO orders_2025; CREATE TABLE app.orders (key text PRIMARY KEY)")
    capture(world, "app.orders", into, insert="made")
    world.sql("INSERT INTO app.orders_2025 VALUES (1, 1); INSERT INTO app.orders VALUES ('k')")
    assert [e[:3] for e in events(world, into)] == [("orders", "1", "placed"), ("orders", "k", "made")]
    assert world.sql("SELECT * FROM outbox_relay.capture_drift()") == []
    world.sql("SELECT outbox_relay.uncapture('app.orders')")
    world.sql("INSERT INTO app.orders_2025 VALUES (2, 1)")
    assert [e[1] for e in events(world, into)] == ["2"]


def test_a_function_name_that_is_taken_is_left_to_its_table(world):
    """As after a restored dump, where tables have other oids than their functions' names say."""
    world.sql("CREATE TABLE app.a (id int PRIMARY KEY); CREATE TABLE app.b (id int PRIMARY KEY)")
    capture(world, "app.a", "outbox", aggregate_type="first")
    (a, b), = world.sql("SELECT 'app.a'::regclass::oid, 'app.b'::regclass::oid")
    world.sql(f"ALTER FUNCTION outbox_relay.capture_{a}() RENAME TO capture_{b}; UPDATE outbox_relay.captured SET function_name = 'capture_{b}'")
    capture(world, "app.b", "outbox", aggregate_type="second")
    world.sql("INSERT INTO app.a VALUES (1); INSERT INTO app.b VALUES (1)")
    assert [e[0] for e in events(world, "outbox")] == ["first", "second"]


@pytest.mark.parametrize("into", FORMS)
def test_long_names_in_any_alphabet(world, into):
    name = "\u0437\u0430\u043a\u0430\u0437\u044b" * 5  # 60 bytes
    world.sql(f'CREATE TABLE app."{name}a" (id int PRIMARY KEY); CREATE TABLE app."{name}b" (id int PRIMARY KEY)')
    for letter in "ab":
        capture(world, f'app."{name}{letter}"', into)
        world.sql(f'INSERT INTO app."{name}{letter}" VALUES (1)')
    assert [e[0] for e in events(world, into)] == [name + "a", name + "b"]
    for letter in "ab":
        world.sql("SELECT outbox_relay.uncapture(%s)", (f'app."{name}{letter}"',))


@pytest.mark.parametrize("into", FORMS)
@pytest.mark.parametrize("before, after, value", [
    ("timestamptz", "text", "2026-01-02 00:00:00+00"), ("public.odd", "text", "(1,)"), ("text", "varchar(40)", "x"), ("int", "bigint", "7"),
    ("app.whole", "bigint", "7"), ("app.mood", "text", "sad"), ("bytea", "text", "\\xab"), ("date", "timestamptz", "2026-01-02")])
def test_a_key_column_that_changes_its_type_breaks_no_write(world, into, before, after, value):
    world.sql("CREATE TYPE public.odd AS (a int, b int); CREATE DOMAIN app.whole AS int; CREATE TYPE app.mood AS ENUM ('sad')")
    world.sql(f"CREATE TABLE app.t (id {before} PRIMARY KEY, v int)")
    capture(world, "app.t", into)
    change = f"INSERT INTO app.t VALUES ('{value}', 1); UPDATE app.t SET v = 2; DELETE FROM app.t"
    world.sql(change)
    world.sql(f"ALTER TABLE app.t ALTER COLUMN id TYPE {after} USING id::text::{after}")
    world.sql(change)
    assert [(e[2], e[4]) for e in events(world, into)] == [("created", None), ("updated", ["v"]), ("deleted", None)] * 2


@pytest.mark.parametrize("into", FORMS)
def test_a_key_of_an_extensions_type_may_become_text(world, into):
    if not world.value("SELECT count(*) FROM pg_available_extensions WHERE name = 'citext'"):
        pytest.skip("no citext at hand")
    world.sql("CREATE SCHEMA ext; CREATE EXTENSION citext SCHEMA ext; CREATE TABLE app.t (id ext.citext PRIMARY KEY, v int)")
    capture(world, "app.t", into)
    world.sql("INSERT INTO app.t VALUES ('A', 1); UPDATE app.t SET v = 2; ALTER TABLE app.t ALTER COLUMN id TYPE text; UPDATE app.t SET v = 3")
    assert [(e[1], e[2], e[4]) for e in events(world, into)] == [("A", "created", None), ("A", "updated", ["v"]), ("A", "updated", ["v"])]


@pytest.mark.parametrize("into", FORMS)
def test_ids_and_payloads_are_the_same_whatever_the_session_has_set(world, into):
    world.sql("""CREATE TABLE app.t (b bytea, i interval, r tstzrange, t timestamptz, f float8, d date, PRIMARY KEY (b, i, r, t, f, d));
      CREATE TABLE app.one (id bytea PRIMARY KEY)""")
    capture(world, "app.t", into)
    capture(world, "app.one", into)
    odd = "SET bytea_output = escape; SET DateStyle = 'SQL, DMY'; SET IntervalStyle = iso_8601; SET TimeZone = 'Asia/Tokyo'; SET extra_float_digits = -15;"
    row = "('ab', '1 day', '[2026-01-02 00:00+00,)', '2026-01-02 00:00+00', 0.1::float8 + 0.2, '2026-02-01')"
    world.sql(f"INSERT INTO app.t VALUES {row}; INSERT INTO app.one VALUES ('ab')")
    world.sql(f"{odd} DELETE FROM app.t; DELETE FROM app.one; SHOW DateStyle")
    made = {e[:2] + (e[2],): e[3] for e in events(world, into)}
    assert len(made) == 4 and len({key[:2] for key in made}) == 2, made
    assert len({json.dumps(payload) for payload in made.values()}) == 2
    assert ("one", "\\x6162", "deleted") in made


def test_virtual_columns_are_refused_unless_left_out(make_world, own_postgres):
    new = make_world(own_postgres(major=18), None, outbox="CREATE SCHEMA app", publication=None)
    for name in ("outbox", "capture"):
        psql(new, file=SQL / f"{name}.sql")
    new.sql("CREATE TABLE app.t (id int PRIMARY KEY, v int GENERATED ALWAYS AS (id + 1) VIRTUAL, s int GENERATED ALWAYS AS (id + 2) STORED)")
    assert refused(new, "app.t").startswith("[capture_column_virtual] ")
    assert refused(new, "app.t", columns=["v"]).startswith("[capture_column_virtual] ")
    capture(new, "app.t", "outbox", columns=["id", "s"])
    new.sql("INSERT INTO app.t (id) VALUES (1)")
    assert [e[3] for e in events(new, "outbox")] == [{"id": 1, "s": 3}]


# ---- the sample monolith, end to end

SHOP = processes.INTEGRATION / "shop"


@pytest.mark.parametrize("into", FORMS)
def test_the_shop_as_it_is_becomes_events_after_a_migration(make_world, postgres, kafka, into):
    """Its SQL is not touched: only the migration runs. What its plain tables held in the end is what the events say."""
    world = make_world(postgres, kafka, outbox=(SHOP / "schema.sql").read_text(), publication=None)
    world.sql(f"GRANT CREATE ON DATABASE {world.name} TO relay")
    application = (SHOP / "order.sql").read_bytes()
    tables = [f"public.{name} " + json.dumps({"aggregate_type": name, **more}) for name, more in
              (("customers", {}), ("orders", {}), ("order_items", {"aggregate_id": "order_id"}))]
    words = ["--into", into, "--with", "publication", "--relay-role", "relay"]
    for table in tables:
        words += ["--capture", table]
    migrate(world, "apply", *words)
    source = {"outbox": None, "snapshot": None, "messages": {}} if into == "messages" else \
        {"outbox": {"tables": ["outbox_relay.outbox"], "header_columns": ["changed_columns"]}, "snapshot": "never"}
    config = world.config(pipeline={"source": {**source, "create": ["slot"]}})
    world.drain(config)
    run_pgbench(world, application.decode(), clients=4, transactions=100)
    relay = world.start(config)
    world.wait_until_streaming(relay)
    relay.kill()
    run_pgbench(world, application.decode(), clients=4, transactions=50)
    world.drain(config)
    assert (SHOP / "order.sql").read_bytes() == application

    expected = world.value("SELECT (SELECT count(*) FROM order_items) + (SELECT count(*) FROM orders) + (SELECT count(*) FROM orders WHERE paid)"
                           " + (SELECT sum(orders) FROM customers)")
    summary, _ = world.broker.count(world.topics, expect=int(expected))
    assert (summary["records"], summary["duplicates"], summary["sequence_missing"], summary["out_of_order"]) == (expected, 0, 0, 0), summary
    held = {"customers": {}, "orders": {}, "order_items": []}
    for record in sorted(world.broker.records(world.topics, expect=int(expected)), key=lambda r: int(r["headers"]["sequence"])):
        table, row = record["topic"].split(".")[1], json.loads(record["value"])
        if table == "order_items":
            assert record["key"] == str(row["order_id"])
            held[table].append(row)
        else:
            assert record["key"] == str(row["id"])
            held[table][row["id"]] = row
            if record["headers"]["type"] == "updated":
                assert json.loads(record["headers"]["changed_columns"]) == [{"customers": "orders", "orders": "paid"}[table]]
    assert held["orders"] == {row[0]["id"]: row[0] for row in world.sql("SELECT to_jsonb(o) FROM orders o")}
    assert held["customers"] == {row[0]["id"]: row[0] for row in world.sql("SELECT to_jsonb(c) FROM customers c WHERE orders > 0")}
    assert in_order(held["order_items"]) == in_order(row[0] for row in world.sql("SELECT to_jsonb(i) FROM order_items i"))
