"""Every major of PostgreSQL that is supported; 15 is what all other scenarios run on."""

import platform
import tempfile

import pytest
from rig.processes import wait_for
from rig.relay import ask
from rig.servers import Postgres
from test_business_tables import ROWS, TYPES, check_state

MAJORS = [13, 14, 16, 17, 18]


@pytest.fixture(scope="module", params=MAJORS)
def server(request, session_directory):
    if platform.machine() != "x86_64":
        pytest.skip(f"PostgreSQL {request.param} is fetched for x86_64 only")
    server = Postgres(tempfile.mkdtemp(prefix="postgres.", dir=session_directory), (), False, request.param)
    server.major = request.param
    yield server
    server.remove()


def kill_between(world, settings, seed, times=3):
    for _ in range(times):
        relay = world.start(settings)
        target = world.sequence() + 1 + seed.randrange(300)
        wait_for(lambda: world.sequence() >= target or not relay.alive(), f"some delivery\n{relay.tail()}", every=0.01)
        relay.kill()


def test_an_outbox_arrives_exactly_once_with_existing_rows_load_and_kills(make_world, server, kafka, seed):
    world = make_world(server, kafka)
    world.emit_in_bulk(2_000)
    settings = world.config(pipeline={"batch": {"events": 100}})
    load = world.load(rate=200)
    kill_between(world, settings, seed)
    load.stop()
    world.drain(settings)
    world.check()


def test_business_tables_arrive_with_every_type_and_their_last_state(make_world, server, kafka, seed):
    world = make_world(server, kafka, outbox=TYPES, publication="FOR TABLE things")
    world.sql("ALTER TABLE things REPLICA IDENTITY FULL")

    def insert(first):
        for i, row in enumerate(ROWS):
            row = {column: value for column, value in row.items() if column != "t_xml"}  # not every build has it
            world.sql(f"INSERT INTO things (id{''.join(f', {c}' for c in row)}) VALUES ({first + i}{''.join(', ' + v for v in row.values())})")

    insert(1)
    settings = world.config(pipeline={"source": {"outbox": None, "snapshot": "initial", "tables": ["public.things"]}, "batch": {"events": 2}})
    server.query(f"ALTER DATABASE {world.name} SET timezone = 'UTC'")  # for check_state's own look at the rows
    for round_ in range(3):
        relay = world.start(settings)
        wait_for(lambda: world.slot_active() or not relay.alive(), f"the slot\n{relay.tail()}")
        insert(100 * (round_ + 1))
        world.sql("UPDATE things SET t_text = coalesce(t_text, '') || 'x' WHERE id % 2 = 0")
        world.sql("DELETE FROM things WHERE id % 100 = 3")
        relay.kill()
    world.drain(settings)
    check_state(world, {"things": ["id"]})


def test_logical_messages_arrive_from_14_on_and_are_refused_before(make_world, server, kafka):
    world = make_world(server, kafka, outbox="SELECT 1", publication=None)
    world.sql("CREATE PUBLICATION outbox_relay")
    settings = world.config(pipeline={"source": {"outbox": None, "snapshot": None, "messages": {}}})
    if server.major < 14:
        relay = world.start(settings)
        assert relay.wait() == 78 and relay.says("messages_unsupported"), relay.tail()
        return
    world.drain(settings)
    world.sql("""SELECT pg_logical_emit_message(true, 'outbox',
      (SELECT jsonb_agg(jsonb_build_object('id', g, 'aggregate_type', 'order', 'aggregate_id', g % 10, 'payload', jsonb_build_object('n', g)))
       FROM generate_series(1, 500) g)::text)""")
    world.drain(settings)
    world.check(expected={str(g) for g in range(1, 501)})


def test_doctor_finds_nothing_wrong_and_names_the_version(make_world, server, kafka):
    world = make_world(server, kafka)
    code, out, err = ask("doctor", "-c", world.config())
    assert code == 0 and f"connected to PostgreSQL {server.major}." in out, out + err


def test_a_publication_that_the_relay_makes_never_breaks_the_applications_updates(make_world, server, kafka):
    world = make_world(server, kafka, publication=None, outbox="""
      CREATE TABLE orders (id int PRIMARY KEY, total int, double int GENERATED ALWAYS AS (total * 2) STORED);
      ALTER TABLE orders REPLICA IDENTITY FULL; ALTER TABLE orders OWNER TO relay""")
    world.sql(f"GRANT CREATE ON DATABASE {world.name} TO relay; INSERT INTO orders VALUES (1, 1)")
    settings = world.config(pipeline={"source": {
        "outbox": None, "snapshot": "initial", "create": ["publication", "slot"], "tables": ["public.orders"]}})
    relay = world.start(settings)
    if server.major < 18:  # these know no generated columns in a publication, and ask for none
        wait_for(lambda: world.slot_active() or not relay.alive(), f"the slot\n{relay.tail()}")
        world.sql("UPDATE orders SET total = 2")
        assert relay.stop() == 0, relay.tail()
        return
    assert relay.wait() == 78 and relay.says("publication_breaks_updates"), relay.tail()
    world.sql("UPDATE orders SET total = 2")
    world.sql("CREATE PUBLICATION outbox_relay FOR TABLE orders")
    with pytest.raises(Exception, match="generated columns"):  # the premise
        world.sql("UPDATE orders SET total = 3")
    code, out, _ = ask("doctor", "-c", settings)
    assert code != 0 and "publication_breaks_updates" in out, out
    world.sql("ALTER PUBLICATION outbox_relay SET (publish_generated_columns = stored)")
    world.sql("UPDATE orders SET total = 4")
    code, out, _ = ask("doctor", "-c", settings)
    assert code == 0, out
