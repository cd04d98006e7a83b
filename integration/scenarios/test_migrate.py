"""sql/ and `migrate`: what the migrations make, that they do no harm while they run, and that they can be taken back."""

import json
import subprocess
import threading
import time

import pytest
from rig import processes
from rig.migrations import SQL, migrate, print_for, psql, schema_of
from rig.processes import wait_for
from rig.relay import BINARY, ask

# An application's tables, with an outbox of its own.
APPLICATION = """
CREATE SCHEMA app;
CREATE TABLE app.orders (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, customer_id int, total numeric, note text);
CREATE TABLE app.outbox (id uuid PRIMARY KEY DEFAULT gen_random_uuid(), aggregatetype text, aggregateid text, type text, payload jsonb);
INSERT INTO app.outbox (aggregatetype, aggregateid, type, payload) VALUES ('order', '1', 'placed', '{}');
"""
EVERYTHING = ("--with", "store,outbox,messages", "--capture", "app.orders", "--outbox", "app.outbox", "--publish", "app.outbox",
              "--relay-role", "relay")


@pytest.fixture
def world(make_world, postgres):
    return make_world(postgres, None, outbox=APPLICATION, publication=None)


@pytest.fixture(params=[13, 18])
def other_world(request, make_world, own_postgres):
    return make_world(own_postgres(major=request.param), None, outbox=APPLICATION, publication=None)


def up_twice_and_down(world):
    before = schema_of(world)
    migrate(world, "apply", *EVERYTHING)
    after = schema_of(world)
    assert after != before
    again = migrate(world, "apply", *EVERYTHING)
    assert "applied " not in again and again.count("already there") == 10
    status = migrate(world, "status", *EVERYTHING)
    assert "differs" not in status and "missing" not in status
    assert schema_of(world) == after, "status or a second apply changed something"
    assert world.value("INSERT INTO app.outbox (aggregatetype) VALUES ('x') RETURNING relay_id") == 1
    world.sql("INSERT INTO app.orders (total) VALUES (1)")
    assert world.value("SELECT count(*) FROM outbox_relay.outbox") == 1
    migrate(world, "down", "--all", "--confirm", "outbox_relay_store")
    assert schema_of(world) == before


def test_apply_twice_is_once_and_down_leaves_the_schema_as_it_was(world):
    up_twice_and_down(world)


def test_the_same_on_the_oldest_and_the_newest_postgres(other_world):
    up_twice_and_down(other_world)


def test_every_file_runs_twice_by_psql_and_its_way_back_too(world):
    before = schema_of(world)
    files = {"store_tables": {}, "reader": {}, "outbox": {}, "messages": {}, "capture": {}, "migration_table": {},
             "capture_table": {"table": "app.orders", "options": '{"aggregate_type": "order"}'},
             "outbox_columns": {"table": "app.outbox"}, "outbox_index": {"table": "app.outbox"},
             "publication": {"publication": "outbox_relay", "tables": "app.outbox, outbox_relay.outbox"},
             "roles": {"relay_role": "relay", "app_role": "", "tables": ""}}
    assert {path.stem for path in SQL.glob("*.sql") if not path.stem.endswith(".down")} == set(files)
    for name, variables in files.items():
        psql(world, file=SQL / f"{name}.sql", **variables)
        once = schema_of(world)
        psql(world, file=SQL / f"{name}.sql", **variables)
        assert schema_of(world) == once, f"{name}.sql is not the same when it runs again"
    for name in reversed(files):
        psql(world, file=SQL / f"{name}.down.sql", **files[name])
        psql(world, file=SQL / f"{name}.down.sql", **files[name])
    assert schema_of(world) == before


def test_printed_files_run_by_psql_are_what_apply_does(world, tmp_path):
    psql(world, migrate(world, "print", *EVERYTHING))
    printed = schema_of(world)
    psql(world, migrate(world, "print", "--down", *EVERYTHING))
    migrate(world, "apply", *EVERYTHING)
    applied = schema_of(world)
    assert set(printed) < set(applied), set(printed) - set(applied)
    assert all("migration" in line for line in set(applied) - set(printed) if line.startswith(("relation", "function", "trigger")))


def test_print_writes_nothing_over(tmp_path):
    print_for("flyway", tmp_path)
    file = min(tmp_path.glob("V*"))
    print_for("flyway", tmp_path)  # the same again is fine
    file.write_text("-- mine\n")
    code, _, err = ask("migrate", "print", "--for", "flyway", "--out", tmp_path, "--first", "20260101000000")
    assert code == 78 and "migration_not_written" in err and file.read_text() == "-- mine\n"


def test_status_names_each_difference(world):
    migrate(world, "apply", "--with", "store", "--capture", "app.orders")
    world.sql("ALTER TABLE app.orders DISABLE TRIGGER outbox_relay_insert, ENABLE REPLICA TRIGGER outbox_relay_update")
    world.sql("DROP TRIGGER outbox_relay_delete ON app.orders")
    world.sql("ALTER TABLE outbox_relay.reader ALTER acknowledged DROP NOT NULL")
    world.sql("ALTER TABLE outbox_relay.outbox ADD COLUMN mine int")
    world.sql("GRANT EXECUTE ON FUNCTION outbox_relay.purge(boolean) TO PUBLIC")
    world.sql("DROP TABLE outbox_relay.dead_letter")
    before = schema_of(world)
    said = migrate(world, "status", "--with", "messages", expect=78)
    assert schema_of(world) == before, "status changed something"
    for words in ("missing   outbox_relay_messages", "captured table app.orders: the trigger outbox_relay_insert is disabled",
                  "captured table app.orders: the trigger outbox_relay_update fires only for what replication applies",
                  "captured table app.orders: the trigger outbox_relay_delete is missing", "column reader.acknowledged is \"bigint as column 2\"",
                  "column outbox.mine is not from these migrations", "function purge(", "table dead_letter is missing"):
        assert words in said, said
    assert "progress" not in said
    told = json.loads(migrate(world, "status", "--with", "messages", "-o", "json", expect=78))
    assert told["missing"] == ["outbox_relay_messages"] and told["database"].endswith(world.name), told
    assert all(f"differs   {difference}" in said for difference in told["differences"]), said
    assert len(told["differences"]) == said.count("differs   ") and len(told["applied"]) == said.count("applied   ") == 5


def test_what_is_noted_and_gone_is_told_and_made_again(world):
    wanted = ("--with", "store,publication", "--capture", "app.orders", "--outbox", "app.outbox")
    migrate(world, "apply", *wanted)
    world.sql("SELECT outbox_relay.uncapture('app.orders'); DROP PUBLICATION outbox_relay; DROP TABLE outbox_relay.progress")
    world.sql("ALTER TABLE app.outbox DROP COLUMN relay_id CASCADE")
    said = migrate(world, "status", expect=78)
    lost = ["store", "columns_app_outbox", "index_app_outbox", "publication"]
    assert all(f"the migration outbox_relay_{name} made is gone" in said for name in lost), said
    assert "outbox_relay_capture_" in said
    again = migrate(world, "apply", *wanted)
    assert all(f"applied again  outbox_relay_{name}" in again for name in lost), again
    assert "differs" not in migrate(world, "status")
    assert world.value("SELECT count(*) FROM pg_trigger WHERE tgrelid = 'app.orders'::regclass AND tgname LIKE 'outbox_relay%'") == 3


def test_the_order_of_the_relays_columns_is_compared(world):
    migrate(world, "apply", "--with", "outbox")
    world.sql("""ALTER TABLE outbox_relay.outbox DROP COLUMN relay_xid;
                 ALTER TABLE outbox_relay.outbox ADD COLUMN relay_xid xid8 NOT NULL DEFAULT pg_current_xact_id()""")
    assert "column outbox.relay_xid is" in migrate(world, "status", expect=78)


def test_a_publication_is_not_taken_from_a_slot_that_may_need_it(world):
    migrate(world, "apply", "--with", "outbox,publication")
    world.sql(f"SELECT pg_create_logical_replication_slot('{world.slot}', 'pgoutput')")
    said = migrate(world, "down", expect=78)
    assert "publication_in_use" in said and world.slot in said, said
    assert world.value("SELECT count(*) FROM pg_publication") == 1
    world.sql(f"SELECT pg_drop_replication_slot('{world.slot}')")
    migrate(world, "down")


def test_rows_whose_writer_names_every_column_and_gives_null_get_their_numbers(world):
    migrate(world, "apply", "--outbox", "app.outbox")
    world.sql("INSERT INTO app.outbox (aggregatetype, relay_xid, relay_id) VALUES ('a', NULL, NULL), ('b', NULL, 7)")
    assert world.sql("SELECT relay_id, relay_xid IS NOT NULL FROM app.outbox WHERE aggregatetype IN ('a', 'b') ORDER BY 1") == [(1, True), (2, True)]


def test_columns_that_were_there_before_stay_when_the_migration_is_taken_back(world):
    world.sql("ALTER TABLE app.outbox ADD COLUMN relay_xid xid8 DEFAULT pg_current_xact_id(), ADD COLUMN relay_id bigint GENERATED ALWAYS AS IDENTITY")
    before = schema_of(world)
    psql(world, file=SQL / "outbox_columns.sql", table="app.outbox")
    psql(world, file=SQL / "outbox_columns.down.sql", table="app.outbox")
    assert schema_of(world) == before


def test_an_invalid_index_is_named_with_the_statement_that_drops_it(world):
    psql(world, file=SQL / "outbox_columns.sql", table="app.outbox")
    world.sql("CREATE INDEX outbox_relay_id_idx ON app.outbox (relay_id) WHERE relay_id IS NOT NULL")
    world.sql("UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'app.outbox_relay_id_idx'::regclass")
    said = psql(world, file=SQL / "outbox_index.sql", table="app.outbox", expect=3)
    assert "outbox_index_invalid" in said and "DROP INDEX CONCURRENTLY app.outbox_relay_id_idx" in said


def test_status_knows_what_other_tools_made(world):
    assert "nothing of it is there" in migrate(world, "status")
    psql(world, file=SQL / "outbox.sql")
    assert "there     outbox_relay_outbox  (not by migrate apply)" in migrate(world, "status")
    told = json.loads(migrate(world, "status", "-o", "json"))
    assert (told["applied"], told["there"], told["missing"], told["differences"]) == ([], ["outbox_relay_outbox"], [], [])


def test_down_asks_before_events_are_lost(world):
    migrate(world, "apply", "--with", "outbox,publication")
    assert "taken back     outbox_relay_publication" in migrate(world, "down")
    said = migrate(world, "down", expect=64)
    assert "events that are not delivered yet" in said and "--confirm outbox_relay_outbox" in said
    assert world.value("SELECT count(*) FROM outbox_relay.outbox") == 0
    migrate(world, "down", "--confirm", "outbox_relay_outbox")
    said = migrate(world, "down", expect=64)
    assert "how far pipelines that poll have delivered" in said
    migrate(world, "down", "--confirm", "outbox_relay_reader")
    assert world.value("SELECT count(*) FROM pg_namespace WHERE nspname = 'outbox_relay'") == 0


def test_the_outbox_cannot_go_while_triggers_write_into_it(world):
    migrate(world, "apply", "--capture", "app.orders")
    said = psql(world, file=SQL / "outbox.down.sql", expect=3)
    assert "[capture_in_use]" in said and "HINT" in said
    world.sql("INSERT INTO app.orders (total) VALUES (1)")


def test_a_table_in_the_search_path_is_given_back_too(world):
    world.sql("CREATE TABLE public.orders (id int PRIMARY KEY); CREATE TABLE public.items (id int PRIMARY KEY)")
    before = schema_of(world)
    psql(world, migrate(world, "print", "--capture", "public.orders"))
    world.sql("SELECT outbox_relay.capture('public.items')")
    psql(world, migrate(world, "print", "--down", "--capture", "public.orders"))
    assert schema_of(world) == before
    world.sql("INSERT INTO public.items VALUES (1); INSERT INTO public.orders VALUES (1)")


SQUAT = {
    "captured": """CREATE TABLE outbox_relay.captured (relation regclass PRIMARY KEY, options jsonb, function_name text, changed_at timestamptz DEFAULT now());
      CREATE TRIGGER evil AFTER INSERT ON outbox_relay.captured FOR EACH ROW EXECUTE FUNCTION outbox_relay.evil()""",
    "journal": """CREATE VIEW outbox_relay.migration AS SELECT 1::bigint AS number, outbox_relay.evil_text() AS name, '' AS up, '' AS down, '' AS loses,
      now() AS applied_at, '' AS applied_by""",
    "schema": "SELECT 1"}


@pytest.mark.parametrize("what", SQUAT)
def test_what_a_stranger_left_in_our_schema_is_not_adopted(world, what):
    world.sql(f"CREATE ROLE plain_squatter LOGIN PASSWORD 'plain'; GRANT CREATE ON DATABASE {world.name} TO plain_squatter")
    try:
        connection = world.postgres.connect(world.name, "plain_squatter", "plain")
        connection.cursor().execute("""CREATE SCHEMA outbox_relay;
          CREATE FUNCTION outbox_relay.evil() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN ALTER ROLE plain_squatter SUPERUSER; RETURN NULL; END $$;
          CREATE FUNCTION outbox_relay.evil_text() RETURNS text LANGUAGE plpgsql AS $$ BEGIN ALTER ROLE plain_squatter SUPERUSER; RETURN ''; END $$;""" + SQUAT[what])
        connection.close()
        for words in (("apply", "--capture", "app.orders"), ("status",), ("down",)):
            said = migrate(world, *words, expect=78)
            assert "schema_foreign" in said and "plain_squatter" in said, said
        for name in ("outbox", "messages", "capture", "store_tables", "reader", "migration_table"):
            said = psql(world, file=SQL / f"{name}.sql", expect=3)
            assert "[schema_foreign]" in said and "SET ROLE plain_squatter" in said
        assert not world.value("SELECT rolsuper FROM pg_roles WHERE rolname = 'plain_squatter'")
        if what == "captured":  # the schema alone changed hands
            world.sql("ALTER SCHEMA outbox_relay OWNER TO postgres")
            assert "using TABLE outbox_relay.captured" in psql(world, file=SQL / "capture.sql", expect=3)
            psql(world, file=SQL / "outbox.sql")
    finally:
        world.sql("DROP SCHEMA IF EXISTS outbox_relay CASCADE; DROP OWNED BY plain_squatter CASCADE; DROP ROLE plain_squatter")


def test_publishing_breaks_no_update(world):
    """Tables of each kind of replica identity: what the application may do before it may do afterwards."""
    world.sql("""CREATE TABLE app.bare (v int); CREATE TABLE app.nothing (id int PRIMARY KEY); ALTER TABLE app.nothing REPLICA IDENTITY NOTHING;
      CREATE TABLE app.late (id int, PRIMARY KEY (id) DEFERRABLE); CREATE TABLE app.whole (v int); ALTER TABLE app.whole REPLICA IDENTITY FULL;
      CREATE TABLE app.parts (id int PRIMARY KEY, v int) PARTITION BY LIST (id); CREATE TABLE app.part PARTITION OF app.parts DEFAULT;
      ALTER TABLE app.part REPLICA IDENTITY NOTHING""")
    actions = "SELECT pubinsert, pubupdate, pubdelete, pubtruncate FROM pg_publication WHERE pubname = %s"
    for table in ("app.bare", "app.nothing", "app.late", "app.parts"):
        psql(world, file=SQL / "publication.sql", publication=table, tables=f"app.orders, {table}")
        assert world.sql(actions, (table,)) == [(True, False, False, True)]
        psql(world, file=SQL / "publication.sql", publication=table, tables=f"app.orders, {table}, app.whole")
    psql(world, file=SQL / "publication.sql", publication="all", tables="app.orders, app.whole")
    assert world.sql(actions, ("all",)) == [(True, True, True, True)]
    said = psql(world, file=SQL / "publication.sql", publication="all", tables="app.orders, app.bare", expect=3)
    assert "[publication_breaks_updates]" in said and "REPLICA IDENTITY" in said
    for table in ("bare", "nothing", "late", "whole", "parts", "part"):
        column = "v" if table in ("bare", "whole") else "id"
        world.sql(f"INSERT INTO app.{table} ({column}) VALUES (1); UPDATE app.{table} SET {column} = 1; DELETE FROM app.{table}")


def test_publishing_breaks_no_update_of_generated_columns(make_world, own_postgres):
    world = make_world(own_postgres(major=18), None, outbox=APPLICATION, publication=None)
    world.sql("CREATE TABLE app.made (id int PRIMARY KEY, g int GENERATED ALWAYS AS (id + 1) STORED); ALTER TABLE app.made REPLICA IDENTITY FULL")
    psql(world, file=SQL / "publication.sql", publication="made", tables="app.made")
    world.sql("INSERT INTO app.made VALUES (1); UPDATE app.made SET id = 2; DELETE FROM app.made")


def test_a_missing_privilege_is_named_with_what_grants_it(world):
    world.sql("CREATE ROLE plain_migrator LOGIN PASSWORD 'plain'")
    try:
        plain = world.config(database={"url": world.postgres.url(world.name, "plain_migrator", "plain")}, name="plain")
        said = migrate(world, "apply", config=plain, expect=78)
        assert "permission_denied" in said and "GRANT CREATE ON DATABASE" in said
        world.sql(f"GRANT CREATE ON DATABASE {world.name} TO plain_migrator; GRANT USAGE ON SCHEMA app TO plain_migrator")
        said = migrate(world, "apply", "--capture", "app.orders", config=plain, expect=78)
        assert "capture_privilege_missing" in said and "GRANT TRIGGER ON app.orders TO plain_migrator;" in said
        world.sql("GRANT TRIGGER ON app.orders TO plain_migrator")
        migrate(world, "apply", "--capture", "app.orders", config=plain)  # no superuser, no owner of the table
        world.sql("INSERT INTO app.orders (total) VALUES (1)")
        assert world.value("SELECT count(*) FROM outbox_relay.outbox") == 1
    finally:
        world.sql("DROP OWNED BY plain_migrator CASCADE; DROP ROLE plain_migrator")


def test_a_role_that_does_not_exist_is_named(world):
    said = migrate(world, "apply", "--with", "outbox", "--app-role", "no such role", expect=78)
    assert "role_missing" in said and 'CREATE ROLE "no such role"' in said


def test_rights_that_were_given_are_taken_back_and_no_others(world):
    given = {"relay_role": "plain_relay", "app_role": "plain_writer", "tables": "app.outbox, apart.outbox"}

    def rights(role):
        return {row[0] for row in world.sql("SELECT pg_describe_object(classid, objid, objsubid) FROM pg_shdepend WHERE refobjid = %s::regrole", (role,))}

    migrate(world, "apply", "--outbox", "app.outbox", "--with", "store,outbox,messages")
    world.sql("""CREATE ROLE plain_relay; CREATE ROLE plain_writer; CREATE SCHEMA apart; CREATE TABLE apart.outbox (id int);
      CREATE TABLE app.other (id int); GRANT SELECT (id) ON app.other TO plain_relay""")
    try:
        psql(world, file=SQL / "roles.sql", **given)
        assert {"schema app", "schema apart", "table app.outbox", "sequence app.outbox_relay_id_seq"} < rights("plain_relay")
        psql(world, file=SQL / "roles.down.sql", **given)
        assert rights("plain_relay") == {"schema app", "column id of table app.other"}, "a right on something else needs the schema"
        assert not rights("plain_writer")
        world.sql("REVOKE SELECT (id) ON app.other FROM plain_relay")
        psql(world, file=SQL / "roles.down.sql", **given)
        assert not rights("plain_relay")
        world.sql("ALTER SCHEMA apart OWNER TO plain_relay; ALTER TABLE app.outbox OWNER TO plain_relay")
        psql(world, file=SQL / "roles.down.sql", **given)
        assert world.value("SELECT has_schema_privilege('plain_relay', 'apart', 'USAGE') AND has_table_privilege('plain_relay', 'app.outbox', 'SELECT')")
    finally:
        world.sql("DROP OWNED BY plain_relay, plain_writer CASCADE; DROP ROLE plain_relay, plain_writer")


def test_rights_are_taken_back_by_who_is_no_superuser_from_roles_that_own_things(world):
    """The relay made its tables itself, and the application's role owns a captured table, whose writes go on."""
    given = {"relay_role": "plain_relay", "app_role": "plain_writer", "tables": ""}
    world.sql(f"""CREATE ROLE plain_migrator LOGIN PASSWORD 'plain'; CREATE ROLE plain_relay; CREATE ROLE plain_writer;
      GRANT plain_writer TO plain_migrator; GRANT CREATE ON DATABASE {world.name} TO plain_migrator; GRANT USAGE ON SCHEMA app TO plain_migrator, plain_writer;
      ALTER TABLE app.orders OWNER TO plain_writer""")
    try:
        for name in ("outbox", "capture"):
            psql(world, file=SQL / f"{name}.sql", user="plain_migrator", password="plain")
        world.sql("GRANT CREATE ON SCHEMA outbox_relay TO plain_relay; SET ROLE plain_relay; CREATE TABLE outbox_relay.progress (id int)")
        psql(world, file=SQL / "capture_table.sql", user="plain_migrator", password="plain", table="app.orders", options="{}")
        psql(world, file=SQL / "roles.sql", user="plain_migrator", password="plain", relay_role="", app_role="plain_writer", tables="")
        world.sql("GRANT SELECT ON outbox_relay.outbox TO plain_relay; GRANT USAGE ON SCHEMA outbox_relay TO plain_relay")
        psql(world, file=SQL / "roles.down.sql", user="plain_migrator", password="plain", **given)
        assert not world.value("SELECT has_table_privilege('plain_relay', 'outbox_relay.outbox', 'SELECT')")
        assert not world.value("SELECT has_function_privilege('plain_writer', 'outbox_relay.emit(text, text, text, jsonb, uuid)', 'EXECUTE')")
        world.sql("SET ROLE plain_writer; INSERT INTO app.orders (total) VALUES (1)")
        assert world.value("SELECT count(*) FROM outbox_relay.outbox") == 1
    finally:
        world.sql("""ALTER TABLE app.orders OWNER TO postgres; DROP OWNED BY plain_migrator, plain_relay, plain_writer CASCADE;
          DROP ROLE plain_migrator, plain_relay, plain_writer""")


def test_a_killed_migration_leaves_nothing_half_done_and_can_be_run_again(world):
    """The process dies while it waits for a table, with the migrations before that done."""
    blocker = world.postgres.connect(world.name)
    blocker.autocommit = False
    blocker.cursor().execute("LOCK TABLE app.orders IN ROW EXCLUSIVE MODE")
    config = world.owner_config()
    process = processes.start([BINARY, "migrate", "apply", "-c", config, "--capture", "app.orders"], stdout=subprocess.DEVNULL)
    waiting = "SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE 'outbox-relay migrate%%' AND query LIKE '%%outbox_relay.capture(%%'"
    wait_for(lambda: world.value(waiting), "the migration to reach the locked table")
    process.kill()
    process.wait(10)
    wait_for(lambda: not world.value(waiting), "the server to end the session of the dead process")
    assert world.value("SELECT count(*) FROM pg_trigger WHERE tgname LIKE 'outbox_relay%%'") == 0
    assert world.value("SELECT count(*) FROM outbox_relay.captured") == 0
    assert [r[0] for r in world.sql("SELECT name FROM outbox_relay.migration ORDER BY number")] == \
        ["outbox_relay_reader", "outbox_relay_outbox", "outbox_relay_capture"]
    blocker.rollback()
    said = migrate(world, "apply", "--capture", "app.orders")
    assert "applied        outbox_relay_capture_app_orders" in said and said.count("already there") == 3


def test_a_table_that_stays_locked_is_given_up_with_what_to_do(world):
    psql(world, file=SQL / "outbox.sql")
    psql(world, file=SQL / "capture.sql")
    blocker = world.postgres.connect(world.name)
    blocker.autocommit = False
    blocker.cursor().execute("LOCK TABLE app.orders IN ROW EXCLUSIVE MODE")
    said = psql(world, file=SQL / "capture_table.sql", table="app.orders", options="{}", expect=3)
    assert "[lock_unavailable]" in said and "pg_stat_activity" in said
    blocker.rollback()


def test_two_processes_at_once_make_it_once(world):
    results = []
    def one():
        results.append(migrate(world, "apply", *EVERYTHING))
    config = world.owner_config()  # written before the threads do the same
    assert config.exists()
    threads = [threading.Thread(target=one) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(result.count("applied  ") for result in results) == 10, results


def test_no_writer_fails_or_waits_a_second_while_migrations_come_and_go(world):
    """Eight writers on the tables in question, among them transactions that stay open for a while."""
    stop, waits, failures = threading.Event(), [], []

    def write(number):
        connection = world.postgres.connect(world.name)
        connection.autocommit = False
        try:
            with connection.cursor() as cursor:
                while not stop.is_set():
                    for statement in ("INSERT INTO app.orders (total, note) VALUES (1, 'x')",
                                      "INSERT INTO app.outbox (aggregatetype, aggregateid) VALUES ('order', '1')",
                                      f"UPDATE app.orders SET total = total + 1 WHERE id % 8 = {number} AND id > (SELECT max(id) - 50 FROM app.orders)"):
                        begun = time.monotonic()
                        cursor.execute(statement)
                        waits.append(time.monotonic() - begun)
                    time.sleep(0.4 if number == 0 else 0.005)
                    connection.commit()
        except Exception as error:  # any failure of a writer is what must not be
            failures.append(error)
        finally:
            connection.close()

    writers = [threading.Thread(target=write, args=(n,)) for n in range(8)]
    for writer in writers:
        writer.start()
    try:
        for _ in range(3):
            migrate(world, "apply", *EVERYTHING)
            time.sleep(0.5)
            migrate(world, "down", "--all", "--confirm", "outbox_relay_store")
    finally:
        stop.set()
        for writer in writers:
            writer.join()
    assert not failures, failures
    assert len(waits) > 1000 and max(waits) < 1.0, f"{len(waits)} statements, the longest took {max(waits):.2f} s"


def test_a_large_outbox_gets_its_index_by_hand(world):
    world.sql("INSERT INTO app.outbox (payload) SELECT jsonb_build_object('x', repeat(md5(g::text), 30)) FROM generate_series(1, 70000) g")
    filler = world.value("SELECT pg_relation_size('app.outbox')")
    assert filler > 64 << 20
    said = migrate(world, "apply", "--outbox", "app.outbox", expect=78)
    assert "outbox_index_by_hand" in said and "applied        outbox_relay_columns_app_outbox" in said
    statement = said.split("run outside of any transaction: ")[1].split(";")[0]
    world.sql(statement)
    assert "applied        outbox_relay_index_app_outbox" in migrate(world, "apply", "--outbox", "app.outbox")


def test_the_columns_of_an_existing_outbox_rewrite_nothing_and_leave_old_rows_without_number(world):
    file = world.value("SELECT pg_relation_filenode('app.outbox')")
    migrate(world, "apply", "--outbox", "app.outbox")
    world.sql("INSERT INTO app.outbox (aggregatetype) SELECT 'x' FROM generate_series(1, 3)")
    assert world.value("SELECT pg_relation_filenode('app.outbox')") == file
    assert world.sql("SELECT relay_id, relay_xid IS NULL FROM app.outbox ORDER BY relay_id NULLS FIRST") == \
        [(None, True), (1, False), (2, False), (3, False)]


def test_the_applications_role_needs_no_right_for_the_columns(world):
    world.sql("CREATE ROLE plain_writer; GRANT USAGE ON SCHEMA app TO plain_writer; GRANT INSERT ON app.outbox TO plain_writer")
    try:
        migrate(world, "apply", "--outbox", "app.outbox")
        world.sql("SET ROLE plain_writer; INSERT INTO app.outbox (aggregatetype) VALUES ('x')")
    finally:
        world.sql("DROP OWNED BY plain_writer; DROP ROLE plain_writer")


# ---- the outbox


def purge(world, slot_only=False):
    return dict(world.sql("SELECT * FROM outbox_relay.purge(%s)", (slot_only,)))


@pytest.fixture
def ring(world):
    """The outbox with 100 rows in each partition."""
    psql(world, file=SQL / "reader.sql")
    psql(world, file=SQL / "outbox.sql")
    for number in (0, 1, 2, 3, 4, 5, 77):
        world.sql(f"INSERT INTO outbox_relay.outbox (ring, aggregatetype, aggregateid, type) SELECT {number}, 'a', g, 't' FROM generate_series(1, 100) g")
    return world


def test_purge_empties_what_every_reader_has_acknowledged_and_nothing_else(ring):
    assert purge(ring) == {}, "without a reader nobody has read anything"
    ring.sql("INSERT INTO outbox_relay.reader VALUES ('one', 350), ('two', 700)")
    said = purge(ring)
    current = {name for name, outcome in said.items() if outcome == "current"}
    assert len(current) == 1
    for number, name in enumerate([f"outbox_{n}" for n in range(6)] + ["outbox_rest"]):
        if name not in current:
            assert said[name] == ("emptied" if number < 3 else "not delivered yet"), said
    left = {row[0] for row in ring.sql("SELECT relay_id FROM outbox_relay.outbox")}
    assert set(range(301, 701)) <= left, "a row that one reader has not acknowledged is gone"
    ring.sql("UPDATE outbox_relay.reader SET acknowledged = 700")
    assert set(purge(ring).values()) == {"current", "emptied", "empty"}


def test_purge_heeds_only_readers_of_this_table(ring):
    ring.sql("INSERT INTO outbox_relay.reader (pipeline, acknowledged, relation) VALUES ('elsewhere', 5000000, 'public.outbox')")
    assert purge(ring) == {}, "whoever reads another table has read nothing here"
    ring.sql("INSERT INTO outbox_relay.reader VALUES ('one', 0)")
    assert set(purge(ring).values()) == {"current", "not delivered yet"}


def test_purge_refuses_a_snapshot_that_may_be_too_old(ring):
    import psycopg2

    ring.sql("INSERT INTO outbox_relay.reader VALUES ('one', 700)")
    with pytest.raises(psycopg2.Error, match="isolation_unfit"):
        ring.sql("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT outbox_relay.purge()")
    assert ring.value("SELECT count(*) FROM outbox_relay.outbox") == 700


def test_purge_never_waits_for_anybody(ring):
    ring.sql("INSERT INTO outbox_relay.reader VALUES ('one', 700)")
    reader = ring.postgres.connect(ring.name)
    reader.autocommit = False
    reader.cursor().execute("SELECT count(*) FROM outbox_relay.outbox")
    begun = time.monotonic()
    assert set(purge(ring).values()) == {"current", "in use"}
    assert time.monotonic() - begun < 5
    reader.rollback()


def test_purge_for_slots_wants_a_slot(ring):
    import psycopg2

    with pytest.raises(psycopg2.Error, match="slot_missing"):
        purge(ring, slot_only=True)
    ring.sql(f"SELECT pg_create_logical_replication_slot('{ring.slot}', 'pgoutput')")
    assert set(purge(ring, slot_only=True).values()) == {"current", "emptied"}


def test_a_row_of_a_transaction_that_is_open_during_purge_is_never_lost(ring):
    ring.sql("INSERT INTO outbox_relay.reader VALUES ('one', 9000)")
    writers = []
    for number in (0, 1, 2, 3, 4, 5, 99):
        writer = ring.postgres.connect(ring.name)
        writer.autocommit = False
        writer.cursor().execute(f"INSERT INTO outbox_relay.outbox (ring, aggregatetype, aggregateid, type) VALUES ({number}, 'kept', 'k', 't')")
        writers.append(writer)
    assert set(purge(ring).values()) <= {"current", "in use", "empty"}
    for writer in writers:
        writer.commit()
    assert ring.value("SELECT count(*) FROM outbox_relay.outbox WHERE aggregatetype = 'kept'") == 7


def test_emit_needs_execute_and_nothing_else(world):
    world.sql("CREATE ROLE plain_caller LOGIN PASSWORD 'plain'")
    try:
        migrate(world, "apply", "--with", "outbox,messages", "--app-role", "plain_caller")
        connection = world.postgres.connect(world.name, "plain_caller", "plain")
        with connection.cursor() as cursor:
            cursor.execute("SELECT outbox_relay.emit('order', '17', 'placed', '{\"n\": 1}')")
            cursor.execute("SELECT outbox_relay.emit_message('order', '17', 'placed', '{\"n\": 1}')")
            cursor.execute("INSERT INTO outbox_relay.outbox (aggregatetype, aggregateid, type) VALUES ('order', '17', 'paid')")
            for refused in ("SELECT * FROM outbox_relay.outbox", "SELECT outbox_relay.purge()", "DELETE FROM outbox_relay.outbox",
                            "INSERT INTO outbox_relay.outbox (ring, aggregatetype, aggregateid, type) VALUES (1, 'o', '1', 't')"):
                with pytest.raises(Exception, match="permission denied"):
                    cursor.execute(refused)
        connection.close()
        assert world.sql("SELECT aggregatetype, aggregateid, type FROM outbox_relay.outbox ORDER BY relay_id") == \
            [("order", "17", "placed"), ("order", "17", "paid")]
    finally:
        world.sql("DROP OWNED BY plain_caller; DROP ROLE plain_caller")
