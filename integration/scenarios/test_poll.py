"""The poll source: rows of one outbox table by ordinary SQL, without a slot and without wal_level=logical."""

import contextlib
import json
import time

import psycopg2
import pytest
from rig import processes
from rig.processes import Frozen, stay, wait_for
from rig.relay import ask
from rig.world import FATES, OUTBOX, ROLE, WRITERS, World, merge
from test_history import start_on_a_new_timeline
from test_kills import SMALL_BATCHES, Storm

SQL = processes.ROOT / "sql"


def sql_file(name, **variables):
    """A file of sql/ as psql would run it."""
    text = (SQL / name).read_text()
    for variable, value in variables.items():
        text = text.replace(f":'{variable}'", f"'{value}'")
    return text


# Ours, and what the writers of every scenario insert into.
OWN = sql_file("reader.sql") + sql_file("outbox.sql") + """
CREATE VIEW outbox AS SELECT id, aggregatetype, aggregateid, type, payload, created_at FROM outbox_relay.outbox;
""" + WRITERS

# Transactions of any length that end in any order.
RACES = r"""
\set first random(1, 180)
\set many random(1, 4)
\set fate random(1, 10)
\set before random(0, 15)
\set behind random(0, 25)
BEGIN;
\sleep :before ms
SELECT emit(:first, :many);
\sleep :behind ms
""" + FATES


def polled(world, source=None, role=ROLE):
    """Makes a world poll: the configuration's source, what asks for slots elsewhere, and no right more than needed."""
    base = merge({"type": "poll", "snapshot": "initial", "outbox": {"tables": ["outbox_relay.outbox"]},
                  "poll": {"max": "100ms"}}, source or {})

    def document(change=None, *, pipeline=None, database=None):
        tree = World.document(world, change, database=database)
        tree["pipelines"][world.name]["source"] = base
        tree["pipelines"][world.name] = merge(tree["pipelines"][world.name], pipeline or {})
        return tree

    world.document = document
    world.slot_active = lambda: bool(world.sql("""
      SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND granted
      AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"""))
    world.newest = lambda: world.value("SELECT coalesce(max(relay_id), 0) FROM " + base["outbox"]["tables"][0])
    world.sql("REVOKE SELECT ON ALL TABLES IN SCHEMA public FROM " + ROLE)
    theirs = base["outbox"]["tables"][0].startswith("public.")
    world.sql(sql_file("roles.sql", relay_role=role, app_role="", tables=base["outbox"]["tables"][0] if theirs else ""))
    return world


def acknowledged(world):
    rows = world.sql("SELECT acknowledged FROM outbox_relay.reader WHERE pipeline = %s", (world.name,))
    return rows[0][0] if rows else None


@contextlib.contextmanager
def open_transaction(server, database="postgres", statement="SELECT pg_current_xact_id()"):
    """A session named nightly that has begun a transaction and does not end it by itself."""
    connection = psycopg2.connect(server.url(database, options="?application_name=nightly"))
    try:
        with connection.cursor() as cursor:
            cursor.execute(statement)
        yield connection
    finally:
        connection.close()


def wait_until_acknowledged(world, timeout=30):
    target = world.newest()
    wait_for(lambda: (acknowledged(world) or 0) >= target, f"id {target} to be acknowledged", timeout)


@pytest.fixture
def make_own(make_world, kafka):
    """Makes worlds with our outbox table."""
    def make(server, source=None, kafka=kafka):
        return polled(make_world(server, kafka, outbox=OWN, publication=None), source)

    return make


@pytest.fixture
def own(make_own, postgres):
    return make_own(postgres)


@pytest.fixture
def theirs(make_world, postgres, kafka):
    """A world with an outbox table of the application, with rows, before the migration."""
    return make_world(postgres, kafka, outbox=OUTBOX + WRITERS, publication=None)


THEIRS = {"outbox": {"tables": ["public.outbox"]}, "snapshot": {"mode": "initial", "order_by": "created_at"}}


def migrate(world, **source):
    world.sql(sql_file("outbox_columns.sql", table="public.outbox"))
    world.sql(sql_file("outbox_index.sql", table="public.outbox"))
    world.sql(sql_file("reader.sql"))
    return polled(world, {**THEIRS, **source})


# ---- exactly once, in order


def test_a_cache_that_the_sequence_is_given_meanwhile_stops_the_relay_before_a_row_is_lost(theirs):
    world = migrate(theirs)
    relay = world.start()
    world.emit(3)
    wait_until_acknowledged(world)
    world.sql("ALTER SEQUENCE outbox_relay_id_seq CACHE 20")
    world.emit(1)
    assert relay.wait() == 78 and relay.says("sequence_cached"), relay.tail()


def test_rows_whose_wal_ends_with_a_page_are_delivered_at_once(own):
    """The insert position is then behind the next page's header, which is flushed with the next record only."""
    relay = own.start()
    own.emit(1)
    wait_until_acknowledged(own)
    holder = own.postgres.connect(own.name)
    holder.autocommit = False
    cursor = holder.cursor()
    position = lambda: own.value("SELECT (pg_current_wal_insert_lsn() - '0/0')::bigint")  # noqa: E731
    ends = []  # what a rollback writes, and what a message writes beside its text
    for write in (holder.rollback, lambda: own.sql("SELECT pg_logical_emit_message(false, 'p', repeat('x', 100))")):
        cursor.execute("SELECT pg_current_xact_id()")
        before = position()
        write()
        ends.append(position() - before)
    rollback, message = ends[0], ends[1] - 100
    for _ in range(40):
        holder.rollback()
        cursor.execute("SELECT pg_current_xact_id()")  # holds delivery back
        own.emit(1)
        time.sleep(0.3)
        left = 8192 - position() % 8192 - rollback
        if left < 400:
            own.sql("SELECT pg_logical_emit_message(false, 'p', repeat('x', 500))")
            continue
        own.sql("SELECT pg_logical_emit_message(false, 'p', repeat('x', %s))", (left - message,))
        missed = 8192 - position() % 8192 - rollback
        if missed == 0:
            break
        message -= missed
    else:
        raise AssertionError("never met the end of a page")
    holder.rollback()
    assert position() % 8192 in (24, 40), "the last record ends its page"
    begun = time.monotonic()
    own.check(timeout=10)
    assert time.monotonic() - begun < 10
    assert relay.stop() == 0
    holder.close()


def test_rows_arrive_once_in_order_and_with_their_headers(own):
    relay = own.start(own.config(pipeline={"sink": {"headers": ["id", "type", "sequence", "transaction_id", "source"]}}))
    own.emit(5, transactions=20)
    own.check()
    records = own.broker.records(own.topics, expect=100)
    rows = {row[0]: row[1] for row in own.sql("SELECT id::text, relay_xid::text FROM outbox_relay.outbox")}
    for record in records:
        assert record["headers"]["transaction_id"] == rows[record["headers"]["id"]]
        assert record["headers"]["source"] == "outbox_relay.outbox"
    wait_until_acknowledged(own)
    assert relay.stop() == 0
    code, out, _ = ask("progress", "show", "-c", own.config())
    assert code == 0 and f"id {own.newest()}" in out and "0/" not in out, out


def storm_over_races(world, seed, kills, limit, sessions=16, **options):
    """What arrived while writers raced and the relay was killed again and again."""
    config = world.config(pipeline=SMALL_BATCHES)
    world.load(rate=0, sessions=sessions, script=RACES)
    storm = Storm(world, seed, config)
    storm.until(kills, limit=limit, **options)
    world.stop_writers()
    world.drain(config)
    return world.check(settle=1000)


def test_sixteen_writers_with_rollbacks_and_kills_lose_repeat_and_misorder_nothing(own, seed):
    summary = storm_over_races(own, seed, 12, limit=40, longest=0.8)
    holes = own.value("SELECT max(relay_id) - count(*) FROM outbox_relay.outbox")
    assert summary["records"] > 1000 and holes > 50, "the writers hardly rolled back"


def test_kills_while_a_backlog_is_read_lose_and_repeat_nothing(own, seed):
    config = own.config(pipeline=SMALL_BATCHES)
    own.emit_in_bulk(60_000)
    storm = Storm(own, seed, config)
    storm.until(5, limit=15, longest=0.15, unfinished=lambda: own.sequence() < 60_000)
    own.drain(config)
    own.check()


def test_a_backlog_larger_than_any_batch_is_drained(own):
    own.emit_in_bulk(200_000, per_transaction=50_000)
    begun = time.monotonic()
    own.drain()
    print(f"200000 events in {time.monotonic() - begun:.1f} s, start and end of the process included")
    own.check(timeout=60)
    assert acknowledged(own) == own.newest()


def test_large_rows_do_not_fill_the_memory(own):
    own.sql("""INSERT INTO outbox (aggregatetype, aggregateid, type, payload)
      SELECT 'order', g % 7, 'Big', jsonb_build_object('n', g, 'padding', repeat(md5(g::text), 15000))
      FROM generate_series(1, 300) g""")
    relay = own.start(own.config(pipeline={"sink": {"librdkafka": {"message.max.bytes": "4000000"}}}))
    own.check(timeout=90)
    assert relay.resident_bytes() < 200 << 20
    assert relay.stop() == 0


# ---- existing tables


def test_rows_from_before_the_migration_come_first_then_the_others(theirs):
    theirs.emit_in_bulk(3000)
    world = migrate(theirs)
    world.emit(5, transactions=10)
    world.drain()
    world.check()
    assert world.value("SELECT count(*) FROM outbox WHERE relay_id IS NULL") == 3000


def test_kills_during_the_initial_read_lose_and_repeat_nothing(theirs, seed):
    theirs.emit_in_bulk(60_000)
    world = migrate(theirs)
    world.emit(5, transactions=20)
    config = world.config(pipeline=SMALL_BATCHES)
    storm = Storm(world, seed, config)
    storm.until(5, limit=15, longest=0.1, unfinished=lambda: world.sequence() < 60_000)
    world.drain(config)
    world.check()


def test_the_first_start_asks_what_becomes_of_existing_rows(theirs):
    theirs.emit(10)
    world = migrate(theirs, snapshot=None)
    relay = world.start()
    assert relay.wait() == 78 and relay.says("snapshot_choice_required"), relay.tail()
    assert acknowledged(world) is None


def test_never_leaves_what_was_committed_before_and_waits_for_transactions_open_at_the_start(theirs, postgres):
    theirs.emit(10)
    world = migrate(theirs, snapshot="never")
    world.emit(10)
    before = world.expected_ids()
    with open_transaction(postgres, world.name, "SELECT emit(1, 3)") as late:
        relay = world.start()
        wait_for(lambda: acknowledged(world) is not None, "the reader")
        stay(lambda: world.sequence() == 0 and relay.alive(), "nothing to be delivered", 1)
        late.rollback()
    relay.wait_for_log('"started"')
    world.emit(7)
    world.check(expected=world.expected_ids() - before)
    assert relay.stop() == 0


# ---- what it costs, and what holds it back


def transactions_used(postgres):
    return int(postgres.query("SELECT pg_snapshot_xmax(pg_current_snapshot())")[0][0])


def test_an_idle_database_loses_no_transaction_id_and_sees_few_statements(own_postgres, make_own):
    postgres = own_postgres("autovacuum=off")
    world = make_own(postgres, {"poll": {"max": "1s"}})
    relay = world.start()
    world.emit(3)
    world.check()
    wait_until_acknowledged(world)
    time.sleep(3)
    world.sql("SELECT pg_stat_reset()")
    before, begun = transactions_used(postgres), time.monotonic()
    time.sleep(6)
    assert transactions_used(postgres) == before
    time.sleep(1.5)  # statistics come late
    commits = world.value("SELECT xact_commit FROM pg_stat_database WHERE datname = current_database()")
    seconds = time.monotonic() - begun
    assert commits <= 2 * seconds + 10, f"{commits} statements in {seconds:.0f} s"  # 200 a second while rows come
    assert relay.stop() == 0


def test_an_open_transaction_anywhere_holds_rows_back_and_is_named(own, postgres):
    relay = own.start()
    own.emit(1)
    own.check()
    with open_transaction(postgres) as other:
        own.emit(5)
        relay.wait_for_log("delivery_held_back")
        assert relay.says(f"process {other.get_backend_pid()} .*nightly"), relay.tail()
        assert own.sequence() == 1
        code, out, _ = ask("doctor", "-c", own.config())
        assert code == 0 and "transaction_open" in out and f"process {other.get_backend_pid()}" in out, out
    own.check()
    relay.wait_for_log("delivery_goes_on")
    assert relay.stop() == 0


def test_a_prepared_transaction_holds_rows_back_and_is_named(own_postgres, make_own):
    world = make_own(own_postgres("max_prepared_transactions=5"))
    relay = world.start()
    world.sql("BEGIN; SELECT emit(1, 2); PREPARE TRANSACTION 'left behind'")
    world.emit(3, first=10)
    relay.wait_for_log("delivery_held_back")
    assert relay.says("prepared transaction 'left behind'") and relay.says("ROLLBACK PREPARED"), relay.tail()
    world.sql("COMMIT PREPARED 'left behind'")
    world.check()
    assert relay.stop() == 0


def test_asynchronous_commits_arrive_too(own):
    relay = own.start()
    own.sql("ALTER DATABASE " + own.name + " SET synchronous_commit = off")
    own.emit(2, transactions=100)
    own.check()
    assert relay.stop() == 0


def test_a_notification_ends_the_pause(own):
    slow = own.config(pipeline={"source": {"poll": {"min": "50s", "max": "60s"}, "notify": "outbox"}})
    relay = own.start(slow)
    relay.wait_for_log("delivering")
    time.sleep(1)
    own.sql("SELECT emit(1, 3); NOTIFY outbox")
    own.check(timeout=20)
    assert relay.stop() == 0


def test_purge_empties_what_every_reader_has_acknowledged(own):
    relay = own.start(own.config(pipeline={"source": {"purge": "1s"}}))
    own.sql("INSERT INTO outbox_relay.reader VALUES ('another', 0)")
    own.emit(3)
    own.sql("""INSERT INTO outbox_relay.outbox (ring, aggregatetype, aggregateid, type, payload)
      SELECT (extract(epoch FROM now())::bigint / 600 + 3) % 6, 'order', g, 'Old', '{"n": 1}' FROM generate_series(1001, 1100) g""")
    expected = own.expected_ids()
    own.check(expected)
    wait_until_acknowledged(own)

    def rows():
        own.emit(1, first=100)
        return own.value("SELECT count(*) FROM outbox_relay.outbox WHERE type = 'Old'")

    stay(lambda: rows() == 100, "the rows that the other reader needs", 3, every=0.5)
    own.sql("DELETE FROM outbox_relay.reader WHERE pipeline = 'another'")
    wait_for(lambda: rows() == 0, "the purge", every=0.5)
    assert not relay.says('"level":"warn","event":"permission'), relay.tail()
    assert relay.stop() == 0


# ---- instances and servers


def test_a_standby_takes_over_when_the_first_is_killed(own):
    config = own.config()
    first = own.start(config)
    own.emit(10)
    own.check()
    epoch = own.broker.epoch(own.name)
    second = own.start(config)
    second.wait_for_log("slot_active|standby")
    stay(lambda: first.alive() and own.broker.epoch(own.name) == epoch, "the first, undisturbed", 2)
    first.kill()
    own.emit(10)
    own.check()
    assert own.broker.epoch(own.name) != epoch
    assert second.stop() == 0


def test_losing_the_connection_of_the_lock_is_losing_the_lock(own):
    relay = own.start()
    own.emit(5)
    own.check()
    own.sql("SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND pid <> pg_backend_pid()")
    relay.wait_for_log("connection_lost|database_shutting_down")
    own.emit(5)
    own.check()
    assert relay.stop() == 0


def test_the_database_is_restarted_and_crashes_under_load(own_postgres, make_own):
    postgres = own_postgres()
    world = make_own(postgres)
    relay = world.start(world.config(pipeline=SMALL_BATCHES))
    world.load(rate=0, sessions=8, script=RACES)
    for mode in ("fast", "immediate", "immediate"):
        before = world.sequence()
        wait_for(lambda: world.sequence() > before + 200, "some delivery", 60)
        postgres.stop(mode)
        postgres.start()
    world.stop_writers()
    wait_until_acknowledged(world, 60)
    world.check(settle=500)
    assert relay.stop() == 0


def test_the_broker_is_away_and_comes_back(make_own, postgres, own_kafka):
    kafka = own_kafka()
    world = make_own(postgres, kafka=kafka)
    relay = world.start()
    world.emit(5)
    world.check()
    kafka.kill()
    world.emit_in_bulk(20_000)
    kafka.start()
    world.check(timeout=90)
    assert relay.stop() == 0


# ---- drain, commands, other sinks


def test_drain_delivers_all_that_was_committed_and_ends_although_the_last_ids_rolled_back(own):
    own.drain()
    own.emit(10, transactions=5)
    own.sql("BEGIN; SELECT emit(1, 5); ROLLBACK")
    own.drain(timeout=20)
    own.check(timeout=10)
    own.drain(timeout=20)


def test_drain_ends_although_others_write_all_the_time(own):
    own.drain()
    own.load(rate=0, sessions=8, script=RACES)
    wait_for(lambda: len(own.expected_ids()) > 200, "some rows")
    before = own.expected_ids()
    own.drain(timeout=30)
    _, rows = own.broker.count(own.topics, expect=len(before), timeout=10)
    assert before <= {row[0] for row in rows}


def test_a_drain_that_is_held_back_says_by_whom(own, postgres):
    own.drain()
    with open_transaction(postgres) as other:
        own.emit(5)
        relay = own.start(command=("drain", "--timeout", "6s"))
        assert relay.wait(30) == 75, relay.tail()
        assert relay.says(f"drain_out_of_time.*process {other.get_backend_pid()}"), relay.tail()
    own.drain()
    own.check()


def test_the_file_sink_gets_each_row_once_and_keeps_its_own_place(make_own, postgres, tmp_path):
    world = make_own(postgres, kafka=None)
    path = tmp_path / "events.jsonl"
    config = world.config(pipeline={"sink": {"type": "file", "path": str(path), "bootstrap_servers": None, "topic": None,
                                             "create_topics": None}})
    for _ in range(3):
        world.emit(5, transactions=10)
        world.drain(config)
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert [line["sequence"] for line in lines] == list(range(1, 151))
    assert {line["id"] for line in lines} == world.expected_ids()
    assert all(line["commit_lsn"] is None for line in lines)


def test_stdout_prints_each_row_and_keeps_its_place_in_the_database(make_own, postgres):
    world = make_own(postgres, {"create": ["tables"]}, kafka=None)
    world.sql(f"GRANT CREATE ON DATABASE {world.name} TO {ROLE}; ALTER SCHEMA outbox_relay OWNER TO {ROLE}")
    config = world.config(pipeline={"sink": {"type": "stdout", "bootstrap_servers": None, "topic": None, "create_topics": None}})
    world.emit(5)
    code, out, err = ask("drain", "-c", config)
    assert code == 0 and len(out.splitlines()) == 5, err
    world.emit(2)
    code, out, err = ask("drain", "-c", config)
    assert code == 0 and [json.loads(line)["sequence"] for line in out.splitlines()] == [6, 7], err


def test_commands_speak_of_the_reader_and_of_ids(own):
    config = own.config()
    code, out, err = ask("slot", "create", "-c", config)
    assert code == 0 and "at id 0" in out, err
    own.emit(5)
    own.drain(config)
    own.sql("UPDATE outbox_relay.reader SET acknowledged = 3")
    code, out, err = ask("progress", "adopt", "-c", config, "--confirm", own.name)
    assert code == 0 and "between id 3 and id 5 come a second time" in out, out + err
    code, out, err = ask("slot", "drop", "-c", config, "--confirm", own.name)
    assert code == 0 and f"dropped reader {own.name}" in out, out + err
    assert acknowledged(own) is None
    relay = own.start(config)
    assert relay.wait() == 78 and relay.says("reader_missing"), relay.tail()
    code, out, err = ask("progress", "reset", "-c", config, "--confirm", own.name)
    assert code == 0, out + err
    own.drain(config)
    assert own.sequence() == 10


# ---- refusals: each was delivered something before, where that matters


def refused(world, code, config=None):
    relay = world.start(config)
    assert relay.wait() == 78, relay.tail()
    assert relay.says(code), f"not {code}\n{relay.tail()}"
    return relay


@pytest.mark.parametrize("break_it, code", [
    ("ALTER SEQUENCE outbox_relay_id_seq CACHE 5", "sequence_cached"),
    ("ALTER SEQUENCE outbox_relay_id_seq INCREMENT -1", "sequence_unfit"),
    ("ALTER TABLE outbox ALTER COLUMN relay_xid DROP DEFAULT", "relay_xid_wrong"),
    ("ALTER TABLE outbox ALTER COLUMN relay_id DROP DEFAULT", "relay_id_wrong"),
    ("ALTER TABLE outbox ALTER COLUMN relay_id SET DEFAULT nextval('outbox_relay_id_seq') + 1", "relay_id_wrong"),
    ("ALTER TABLE outbox DROP COLUMN relay_xid CASCADE", "relay_columns_missing"),
    ("ALTER TABLE outbox DROP COLUMN relay_id CASCADE", "relay_columns_missing"),
    ("ALTER TABLE outbox DROP COLUMN relay_xid CASCADE; ALTER TABLE outbox ADD COLUMN relay_xid xid8 DEFAULT pg_current_xact_id()",
     "relay_columns_order"),
    ("ALTER TABLE outbox DROP COLUMN payload", "outbox_column_missing"),
    ("ALTER TABLE outbox SET UNLOGGED", "outbox_table_unlogged"),
    ("DROP INDEX outbox_relay_id_idx", "relay_id_index_missing"),
    ("DROP TABLE outbox_relay.reader", "reader_table_missing"),
    ("REVOKE SELECT ON SEQUENCE outbox_relay_id_seq FROM relay", "select_privilege_missing"),
    ("ALTER TABLE outbox ENABLE ROW LEVEL SECURITY", "row_security_hides_rows"),
    ("INSERT INTO pg_subscription_rel (srsubid, srrelid, srsubstate) VALUES (1, 'outbox'::regclass, 'r')", "outbox_table_subscribed"),
])
def test_a_table_whose_ids_could_lose_rows_is_refused_and_doctor_says_the_same(theirs, break_it, code):
    world = migrate(theirs)
    if "pg_subscription_rel" in break_it:
        break_it = "SET allow_system_table_mods = on; " + break_it
    world.sql(break_it)
    refused(world, code)
    exit_code, out, _ = ask("doctor", "-c", world.config(), "-o", "json")
    assert exit_code != 0 and code in out, out


@pytest.mark.parametrize("break_it, code", [
    ("SELECT setval('outbox_relay.outbox_relay_id_seq', 3)", "ids_behind_progress"),
    ("TRUNCATE outbox_relay.outbox RESTART IDENTITY", "ids_behind_progress"),
    ("ALTER TABLE outbox_relay.outbox ALTER relay_id DROP IDENTITY; ALTER TABLE outbox_relay.outbox ALTER relay_id "
     "ADD GENERATED ALWAYS AS IDENTITY (START 1000); GRANT SELECT ON ALL SEQUENCES IN SCHEMA outbox_relay TO relay", "id_sequence_changed"),
    ("UPDATE outbox_relay.reader SET acknowledged = 1000", "reader_ahead_of_progress"),
    ("DELETE FROM outbox_relay.reader", "reader_missing"),
])
def test_what_contradicts_the_progress_is_refused_at_the_start(own, break_it, code):
    own.emit(10)
    own.drain()
    own.sql(break_it)
    relay = refused(own, code)
    assert not relay.says("0/A"), relay.tail()
    own.check(expected=own.expected_ids() if "TRUNCATE" not in break_it else {row[0] for row in own.broker.count(own.topics, expect=10)[1]})


def test_a_sequence_that_is_set_back_while_running_is_refused(own):
    relay = own.start()
    own.emit(10)
    own.check()
    own.sql("SELECT setval('outbox_relay.outbox_relay_id_seq', 3)")
    assert relay.wait(20) == 78 and relay.says("ids_behind_progress"), relay.tail()


def test_another_timeline_is_refused_and_adopting_it_goes_on_behind_what_is_acknowledged_there(own_postgres, make_own):
    postgres = own_postgres()
    world = make_own(postgres)
    world.emit(3)
    world.drain()
    postgres.stop("fast")
    start_on_a_new_timeline(postgres)
    world.emit(3, first=10)
    relay = refused(world, "timeline_changed")
    assert relay.says("id 3") and relay.says("progress adopt"), relay.tail()
    code, out, err = ask("progress", "adopt", "-c", world.config(), "--confirm", world.name)
    assert code == 0 and "nothing is lost and nothing comes twice" in out, out + err
    world.drain()
    world.check()


def test_a_server_in_recovery_is_waited_for_until_it_is_the_primary(own_postgres, make_own):
    postgres = own_postgres()
    world = make_own(postgres)
    world.emit(3)
    postgres.stop("fast")
    (postgres.data / "standby.signal").touch()
    postgres.start()
    relay = world.start()
    relay.wait_for_log("database_in_recovery")
    postgres.promote()
    world.check()
    assert relay.stop() == 0


def test_a_row_whose_transaction_id_was_set_to_null_stops_the_relay(theirs):
    world = migrate(theirs)
    relay = world.start()
    world.emit(3)
    world.check()
    world.sql("ALTER TABLE outbox DISABLE TRIGGER relay_columns")
    world.sql("INSERT INTO outbox (aggregatetype, aggregateid, type, payload, relay_xid) VALUES ('order', '1', 'X', '{}', NULL)")
    assert relay.wait(20) == 78 and relay.says("row_without_xid"), relay.tail()


def test_a_column_that_is_renamed_while_running_is_refused_by_its_name(theirs):
    world = migrate(theirs)
    relay = world.start()
    world.emit(3)
    world.check()
    world.sql("ALTER TABLE outbox RENAME COLUMN payload TO body; INSERT INTO outbox (aggregatetype, aggregateid, type) VALUES ('order', '1', 'X')")
    assert relay.wait(30) == 78 and relay.says("outbox_column_missing"), relay.tail()


def test_a_pipeline_is_not_switched_between_slot_and_poll(make_world, postgres, kafka):
    world = make_world(postgres, kafka, outbox=OUTBOX + WRITERS)
    slot = world.config(name="slot")
    world.emit(5)
    world.drain(slot)
    migrate(world)
    relay = refused(world, "source_changed", world.config(name="poll"))
    assert relay.says("source.type: slot"), relay.tail()


def test_a_rejected_row_is_named_by_its_id_and_goes_to_the_dead_letters(own):
    dead = f"{own.name}-dead"
    own.emit(3)
    own.sql("INSERT INTO outbox (aggregatetype, aggregateid, type) VALUES ('order', '1', 'X')")
    relay = refused(own, "payload_null")
    assert relay.says("id 4"), relay.tail()
    own.drain(own.config(pipeline={"on_reject": {"dead_letter": {"topic": dead}}}))
    (letter,) = own.broker.records(dead, expect=1)
    assert letter["headers"]["row_id"] == "4" and "commit_lsn" not in letter["headers"]


def test_headers_that_a_table_does_not_know_are_refused_by_check(own):
    code, _, err = ask("check", "-c", own.config(pipeline={"sink": {"headers": ["id", "commit_lsn"]}}))
    assert code == 78 and "commit_lsn" in err, err


def test_neither_wal_level_logical_nor_replication_is_needed(own_postgres, make_world, kafka):
    postgres = own_postgres("wal_level=replica")
    world = make_world(postgres, kafka, outbox=OWN, publication=None)
    world.sql("CREATE ROLE plain LOGIN PASSWORD 'plain'")
    polled(world, role="plain")
    config = world.config(database={"url": postgres.url(world.name, "plain", "plain")})
    code, out, err = ask("doctor", "-c", config)
    assert code == 0, out + err
    world.emit(5)
    world.drain(config)
    world.check()


def test_a_frozen_database_does_not_keep_the_relay_from_stopping(own_postgres, make_own):
    postgres = own_postgres()
    world = make_own(postgres)
    relay = world.start()
    world.emit(3)
    world.check()
    with Frozen(postgres.pids()):
        time.sleep(1)
        assert relay.stop(timeout=12) in (0, 75)


@pytest.mark.long
@pytest.mark.parametrize("major", [13, 14, 16, 17, 18])
def test_every_major_version_is_polled(own_postgres, make_own, seed, major):
    world = make_own(own_postgres(major=major))
    storm_over_races(world, seed, 4, limit=15, sessions=8)


@pytest.mark.long
def test_a_hundred_kills_of_sixteen_writers_lose_repeat_and_misorder_nothing(own, seed):
    storm_over_races(own, seed, 100, limit=250, longest=0.8)
