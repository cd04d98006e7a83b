"""PgBouncer between relay and database: neither replication nor a session's lock pass through it."""

import json
import subprocess

import pytest
from rig.processes import wait_for
from rig.relay import ask
from rig.servers import as_postgres_command, free_port, give_to_postgres
from rig.world import RELAY_PASSWORD, ROLE
from test_poll import OWN, polled


class Pooler:
    def __init__(self, world, mode):
        self.port = free_port()
        directory = world.postgres.directory / f"pgbouncer-{world.name}"  # where its user may look
        directory.mkdir()
        (directory / "users").write_text(f'"{ROLE}" "{RELAY_PASSWORD.replace(chr(34), chr(34) * 2)}"\n')
        self.log = directory / "log"
        settings = directory / "pgbouncer.ini"
        settings.write_text(f"""
[databases]
{world.name} = host=127.0.0.1 port={world.postgres.port}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {self.port}
unix_socket_dir =
auth_type = scram-sha-256
auth_file = {directory}/users
pool_mode = {mode}
ignore_startup_parameters = extra_float_digits
""")
        for path in (directory, settings, directory / "users"):
            give_to_postgres(path)
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(["setpriv", "--pdeathsig", "KILL", "--", *as_postgres_command(["/usr/sbin/pgbouncer", settings])],
                                            stdout=log, stderr=log)
        wait_for(lambda: b"process up" in self.log.read_bytes(), "PgBouncer")


@pytest.fixture
def make_pooler():
    made = []

    def make(world, mode):
        made.append(Pooler(world, mode))
        return {"url": world.url(made[-1].port)}

    yield make
    for pooler in made:
        pooler.process.kill()
        pooler.process.wait(10)


def is_refused(world, through):
    tree = world.document(database=through)
    tree["pipelines"][world.name]["sink"] = {"type": "file", "path": str(world.directory / "events.jsonl")}
    config = world.directory / "outbox-relay.yaml"
    config.write_text(json.dumps(tree).replace("$", "$$"))
    relay = world.start(config)
    assert relay.wait() == 78 and relay.says("pooler_in_between"), relay.tail()
    code, out, _ = ask("doctor", "-c", config)
    assert code != 0 and "pooler_in_between" in out and "hint" in relay.tail(), out


def test_a_slot_is_not_read_through_pgbouncer(make_world, postgres, make_pooler):
    world = make_world(postgres, None)
    is_refused(world, make_pooler(world, "session"))


@pytest.mark.parametrize("mode", ["session", "transaction"])
def test_a_table_is_not_polled_through_pgbouncer(make_world, postgres, make_pooler, mode):
    world = polled(make_world(postgres, None, outbox=OWN, publication=None))
    is_refused(world, make_pooler(world, mode))
