"""The migrations in the layouts of other tools: run by those tools, up and down."""

import py_compile
import subprocess
import textwrap
import threading

import pytest
from rig.migrations import debian_python, java_tool, migrate, print_for, psql, ruby, schema_of
from rig.processes import wait_for

APPLICATION = """
CREATE SCHEMA app;
CREATE TABLE app.orders (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, total numeric, "Odd ""name" text);
CREATE TABLE app.later (id int PRIMARY KEY);
CREATE TABLE app.outbox (id uuid PRIMARY KEY DEFAULT gen_random_uuid(), aggregatetype text, aggregateid text, type text, payload jsonb);
"""
# An option whose text has what some tool takes for its own: parameters, placeholders, quotes, a comment's end.
HOSTILE = """app.orders {"aggregate_type": "o'r\\"d %s %(x)s :name :1 ? ${y} #{z} `t` \\\\n */ ;", "columns": ["id", "Odd \\"name"]}"""
PARTS = ("--with", "store,outbox,messages,publication", "--capture", HOSTILE, "--outbox", "app.outbox", "--publish", "app.outbox")
LATER = "app.later"  # captured by a second print into the same directory
TYPE = 'o\'r"d %s %(x)s :name :1 ? ${y} #{z} `t` \\n */ ;'


@pytest.fixture
def world(make_world, postgres):
    return make_world(postgres, None, outbox=APPLICATION, publication=None)


def assert_up(world):
    """All of it is there, as `apply` would make it, and works."""
    said = migrate(world, "status")
    assert "differs" not in said and said.count("(not by migrate apply)") == 5, said
    assert world.value("SELECT count(*) FROM pg_publication_rel") == 1
    world.sql("""INSERT INTO app.orders (total, "Odd ""name") VALUES (1, 'x')""")
    assert world.sql("SELECT aggregatetype, payload FROM outbox_relay.outbox") == [(TYPE, {"id": 1, 'Odd "name': "x"})]
    assert world.value("INSERT INTO app.outbox (aggregatetype) VALUES ('x') RETURNING relay_id") == 1


def assert_captured(world, table):
    assert world.value("SELECT count(*) FROM pg_trigger WHERE tgrelid = %s::regclass AND tgname LIKE 'outbox_relay%%'", (table,)) == 3


def without(lines, *words):
    """The tool's own table of versions aside."""
    return [line for line in lines if not any(word in line for word in words)]


def test_flyway_runs_the_files_and_psql_the_way_back(world, tmp_path):
    before = schema_of(world)
    print_for("flyway", tmp_path, *PARTS)
    assert java_tool(world, "flyway", "up", tmp_path).strip().endswith("9")
    assert_up(world)
    assert java_tool(world, "flyway", "up", tmp_path).strip().endswith("0"), "nothing is left to do"
    for file in sorted(tmp_path.glob("U*.sql"), reverse=True):  # undo is a paid feature of Flyway
        psql(world, "BEGIN;" + file.read_text() + "COMMIT;")
    world.sql("DROP TABLE flyway_schema_history")
    assert schema_of(world) == before


def test_liquibase_updates_and_rolls_back(world, tmp_path):
    print_for("liquibase", tmp_path, *PARTS)
    before = schema_of(world)
    java_tool(world, "liquibase", "up", tmp_path)
    assert_up(world)
    java_tool(world, "liquibase", "up", tmp_path)
    java_tool(world, "liquibase", "down", tmp_path)
    world.sql("DROP TABLE databasechangelog, databasechangeloglock")
    assert schema_of(world) == before


def test_django_migrates_forwards_and_back(world, tmp_path):
    print_for("django", tmp_path, *PARTS)
    (tmp_path / "settings.py").write_text(textwrap.dedent(f"""
        INSTALLED_APPS = ["outbox_relay_migrations"]
        DATABASES = {{"default": {{"ENGINE": "django.db.backends.postgresql", "NAME": "{world.name}", "USER": "postgres",
                      "PASSWORD": "{world.postgres.password}", "HOST": "127.0.0.1", "PORT": {world.postgres.port}}}}}
        SECRET_KEY = "for this test"
        """))
    before = schema_of(world)

    def manage(*words):
        return debian_python("-m", "django", *words, directory=tmp_path,
                             environment={"DJANGO_SETTINGS_MODULE": "settings", "PYTHONPATH": str(tmp_path)})

    manage("migrate")
    assert_up(world)
    print_for("django", tmp_path, "--capture", LATER)
    manage("migrate")
    assert_captured(world, "app.later")
    manage("migrate", "outbox_relay_migrations", "zero")
    world.sql("DROP TABLE django_migrations")
    assert without(schema_of(world), "django_") == before


def alembic_files(world, tmp_path):
    (tmp_path / "alembic.ini").write_text("[alembic]\nscript_location = migrations\n")
    (tmp_path / "migrations/env.py").write_text(textwrap.dedent(f"""
        from alembic import context
        from sqlalchemy import create_engine
        with create_engine("{world.postgres.url(world.name)}").connect() as connection:
            context.configure(connection=connection)  # by default all migrations are one transaction
            with context.begin_transaction():
                context.run_migrations()
        """))


def test_alembic_upgrades_and_downgrades(world, tmp_path):
    versions = tmp_path / "migrations" / "versions"
    versions.mkdir(parents=True)
    print_for("alembic", versions, *PARTS)
    alembic_files(world, tmp_path)
    before = schema_of(world)
    debian_python("-m", "alembic", "upgrade", "heads", directory=tmp_path)
    assert_up(world)
    print_for("alembic", versions, "--capture", LATER)
    debian_python("-m", "alembic", "upgrade", "heads", directory=tmp_path)
    assert_captured(world, "app.later")
    debian_python("-m", "alembic", "downgrade", "outbox_relay@base", directory=tmp_path)
    world.sql("DROP TABLE alembic_version")
    assert schema_of(world) == before


def test_alembic_keeps_no_writer_waiting_for_a_table_that_is_done(world, tmp_path):
    """Its default is one transaction for all: the lock on one table would be held while the next one is waited for."""
    versions = tmp_path / "migrations" / "versions"
    versions.mkdir(parents=True)
    print_for("alembic", versions, "--capture", LATER, "--capture", "app.orders")
    alembic_files(world, tmp_path)
    blocker = world.postgres.connect(world.name)
    blocker.autocommit = False
    blocker.cursor().execute("LOCK TABLE app.orders IN ROW EXCLUSIVE MODE")
    upgrade = threading.Thread(target=debian_python, args=("-m", "alembic", "upgrade", "heads"), kwargs={"directory": tmp_path})
    upgrade.start()
    try:
        wait_for(lambda: world.value("SELECT count(*) FROM pg_trigger WHERE tgrelid = 'app.later'::regclass") > 0, "the first table")
        world.sql("SET lock_timeout = '1s'; INSERT INTO app.later VALUES (1)")
    finally:
        blocker.rollback()
        upgrade.join()
    assert_captured(world, "app.orders")


def test_rails_migrates_and_rolls_back(world, tmp_path):
    files = tmp_path / "db"
    print_for("rails", files, *PARTS)
    script = tmp_path / "migrate.rb"
    script.write_text(textwrap.dedent("""
        require "active_record"
        ActiveRecord::Base.establish_connection(ARGV[0])
        ActiveRecord::Migration.verbose = false
        context = ActiveRecord::MigrationContext.new(ARGV[1], ActiveRecord::SchemaMigration)
        ARGV[2] == "up" ? context.migrate : context.rollback(100)
        """))
    before = schema_of(world)
    ruby(script, world.postgres.url(world.name), files, "up", directory=tmp_path)
    assert_up(world)
    migrate(None, "print", "--for", "rails", "--out", files, "--capture", LATER)  # with a later version, and the same class names
    ruby(script, world.postgres.url(world.name), files, "up", directory=tmp_path)
    assert_captured(world, "app.later")
    ruby(script, world.postgres.url(world.name), files, "down", directory=tmp_path)
    world.sql("DROP TABLE schema_migrations, ar_internal_metadata")
    assert schema_of(world) == before


@pytest.mark.parametrize("tool, up, down", [
    ("golang-migrate", "*.up.sql", "*.down.sql"), ("sqitch", "deploy/*.sql", "revert/*.sql"), ("psql", "*.sql", "*.down.sql")])
def test_the_files_of_tools_that_run_plain_sql_are_run_in_their_order(world, tmp_path, tool, up, down):
    before = schema_of(world)
    print_for(tool, tmp_path, *PARTS)
    ups = [path for path in tmp_path.glob(up) if up != "*.sql" or not path.match(down)]
    order = sorted(path.name.split(".")[0] for path in ups)
    if tool == "sqitch":
        order = [line.split(" ")[0] for line in (tmp_path / "sqitch.plan").read_text().splitlines() if " 2026-" in line]
    assert len(order) == 9
    for name in order:
        psql(world, file=next(path for path in ups if path.name.startswith(name + ".")))
    assert_up(world)
    for name in reversed(order):
        psql(world, file=next(path for path in tmp_path.glob(down) if path.name.startswith(name + ".")))
    assert schema_of(world) == before


def test_dbmates_files_have_both_directions(world, tmp_path):
    before = schema_of(world)
    files = sorted(print_for("dbmate", tmp_path, *PARTS).glob("*.sql"))
    for file in files:
        up = file.read_text().split("-- migrate:down\n")[0]
        assert up.startswith("-- migrate:up\n")
        psql(world, "BEGIN;" + up + "COMMIT;")
    assert_up(world)
    for file in reversed(files):
        psql(world, "BEGIN;" + file.read_text().split("-- migrate:down\n")[1] + "COMMIT;")
    assert schema_of(world) == before


def test_knexs_files_hold_the_sql_that_flyways_do(tmp_path):
    """Without a JavaScript engine at hand: the template literals, read back by the rules of the language and of knex."""
    knex = sorted(print_for("knex", tmp_path / "knex", *PARTS).glob("*.js"))
    flyway = sorted(print_for("flyway", tmp_path / "flyway", *PARTS).glob("V*.sql"))
    assert len(knex) == len(flyway) == 9
    for script, sql in zip(knex, flyway):
        up = script.read_text().split("exports.up = (knex) => knex.raw(`\n")[1].split("`);\n\nexports.down")[0]
        read, at = "", 0
        while at < len(up):
            if up[at] == "\\":
                at += 1
            else:
                assert up[at] != "`" and up[at:at + 2] != "${", "the template would end or begin an expression here"
            read += up[at]
            at += 1
        assert "?" not in read.replace("\\?", ""), "knex would take it for a parameter"
        assert read.replace("\\?", "?") == sql.read_text()


def test_pythons_files_are_python(tmp_path):
    for tool in ("django", "alembic"):
        for path in print_for(tool, tmp_path / tool, *PARTS).rglob("*.py"):
            py_compile.compile(str(path), doraise=True)


def test_rubys_files_are_ruby(tmp_path):
    for path in print_for("rails", tmp_path, *PARTS).glob("*.rb"):
        assert subprocess.run(["ruby", "-c", str(path)], capture_output=True).returncode == 0
