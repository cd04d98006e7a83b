"""Fixtures: one PostgreSQL, one Kafka and one witness for the whole session; a world per scenario."""

import itertools
import platform
import random
import shutil
import sys
import tempfile
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from rig import relay as relay_module  # noqa: E402
from rig.audit import Audit, Broker  # noqa: E402
from rig.kafka_proxy import KafkaProxy  # noqa: E402
from rig.proxy import Proxy  # noqa: E402
from rig.servers import Kafka, Postgres, servers_sh  # noqa: E402
from rig.world import World  # noqa: E402


def pytest_addoption(parser):
    parser.addoption("--all", action="store_true", help="the long scenarios too")
    parser.addoption("--seed", type=int, default=0, help="of everything random; 0: a new one, printed")


def pytest_configure(config):
    config.addinivalue_line("markers", "long: takes minutes; only with --all")
    config.relay_seed = config.getoption("--seed") or random.SystemRandom().randrange(1, 1 << 31)


def pytest_report_header(config):
    return f"seed {config.relay_seed} (the same again: --seed {config.relay_seed})"


def pytest_collection_modifyitems(config, items):
    for item in items:
        if "long" in item.keywords:
            item.add_marker(pytest.mark.timeout(3600))
    if config.getoption("--all"):
        return
    for item in items:
        if "long" in item.keywords:
            item.add_marker(pytest.mark.skip(reason="long; with --all"))


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    """A scenario that fails shows the end of the logs of everything that took part."""
    outcome = yield
    report = outcome.get_result()
    if report.when != "call" or not report.failed:
        return
    for world in getattr(item, "worlds", []):
        for relay in world.relays:
            state = "running" if relay.alive() else f"exit {relay.process.returncode}"
            report.sections.append((f"{relay.log_file.name} ({state})", relay.tail(40)))
        for server in (world.postgres, world.kafka):
            if server:
                text = server.log.read_text(errors="replace") if server.log.exists() else ""
                report.sections.append((f"end of {server.log}", "\n".join(text.splitlines()[-15:])))


@pytest.fixture(scope="session")
def session_directory():
    directory = Path(tempfile.mkdtemp(prefix="outbox-relay-scenarios."))
    directory.chmod(0o755)
    yield directory
    shutil.rmtree(directory, ignore_errors=True)


@pytest.fixture(scope="session", autouse=True)
def binary():
    assert relay_module.BINARY.exists(), f"{relay_module.BINARY} is not there; build it with: cmake --preset release && ninja -C build/release"
    return relay_module.BINARY


@pytest.fixture(scope="session")
def postgres(session_directory):
    server = Postgres(session_directory / "postgres")
    yield server
    server.remove()


@pytest.fixture(scope="session")
def kafka(session_directory):
    server = Kafka(session_directory / "kafka")
    yield server
    server.remove()


@pytest.fixture(scope="session")
def audit(session_directory):
    process = Audit(session_directory)
    yield process
    process.close()


@pytest.fixture
def seed(request):
    """A generator of its own for each scenario, from the session's seed and the scenario's name."""
    return random.Random(f"{request.config.relay_seed} {request.node.name}")


@pytest.fixture
def own_postgres(session_directory):
    """make(settings..., tls=False, major=15): a server that the scenario may stop, kill and break."""
    servers = []

    def make(*settings, tls=False, major=15):
        if major != 15 and platform.machine() != "x86_64":
            pytest.skip(f"PostgreSQL {major} is fetched for x86_64 only")
        servers.append(Postgres(tempfile.mkdtemp(prefix="postgres.", dir=session_directory), settings, tls, major))
        return servers[-1]

    yield make
    for server in servers:
        server.remove()


@pytest.fixture
def own_directory(session_directory):
    """make(): an empty directory that a server's user may enter; what runs in it is stopped afterwards."""
    directories = []

    def make():
        directories.append(Path(tempfile.mkdtemp(prefix="own.", dir=session_directory)))
        directories[-1].chmod(0o755)
        return directories[-1]

    yield make
    for directory in directories:
        servers_sh("down", directory)


@pytest.fixture
def own_kafka(session_directory):
    """make(properties..., sasl=False): a broker that the scenario may kill and break."""
    brokers = []

    def make(*properties, sasl=False):
        brokers.append(Kafka(tempfile.mkdtemp(prefix="kafka.", dir=session_directory), properties, sasl))
        return brokers[-1]

    yield make
    for broker in brokers:
        broker.remove()


@pytest.fixture
def proxy():
    """make(port): a proxy in front of it."""
    proxies = []

    def make(port):
        proxies.append(Proxy(port))
        return proxies[-1]

    yield make
    for one in proxies:
        one.close()


@pytest.fixture
def kafka_behind_proxy(own_kafka):
    """(broker, proxy): everybody who asks the broker where it is is sent to the proxy."""
    network = KafkaProxy()
    kafka = own_kafka(f"advertised.listeners=PLAINTEXT://127.0.0.1:{network.port}")
    network.target = kafka.port
    yield kafka, network
    network.close()


NUMBERS = itertools.count(1)


@pytest.fixture
def make_world(request, tmp_path, audit):
    """make(postgres, kafka, ...): a world on given servers; `kafka=None` for none."""
    request.node.worlds = []

    def make(postgres, kafka, **options):
        name = f"s{next(NUMBERS)}"
        directory = tmp_path / name
        directory.mkdir()
        broker = Broker(audit, kafka, directory) if kafka else None
        request.node.worlds.append(World(name, postgres, kafka, broker, directory, **options))
        return request.node.worlds[-1]

    yield make
    for world in request.node.worlds:
        world.close()


@pytest.fixture
def world(make_world, postgres, kafka):
    """A world on the session's servers."""
    return make_world(postgres, kafka)
