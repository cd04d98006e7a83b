"""The servers of a benchmark, and everything in a database or on the broker that a measurement begins with."""

import json
import os
import subprocess
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path

import psycopg2
from usage import Failed, Process, Servers

INTEGRATION = Path(__file__).resolve().parent.parent
POSTGRES_BIN = Path("/usr/lib/postgresql/15/bin")
PUBLICATION = "outbox_relay"

# No checkpoint begins by itself during a run; everything else is as PostgreSQL comes.
POSTGRES_SETTINGS = ["max_wal_size=32GB", "checkpoint_timeout=1d"]

OUTBOX = """
CREATE TABLE outbox (
  id            uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  aggregatetype text NOT NULL,
  aggregateid   text NOT NULL,
  type          text NOT NULL,
  payload       jsonb NOT NULL
) WITH (autovacuum_enabled = off);
CREATE PUBLICATION outbox_relay FOR TABLE outbox;
CREATE FUNCTION orders(first bigint, last bigint) RETURNS TABLE (aggregatetype text, aggregateid text, type text, payload jsonb)
LANGUAGE sql AS $$
  SELECT 'order', (n % 50000)::text, 'OrderPlaced', jsonb_build_object('order_id', n % 50000, 'n', n,
    'customer', 'customer ' || n % 977, 'sku', 'sku-' || n % 97, 'total_cents', 1000 + n % 19000, 'currency', 'EUR',
    'note', 'leave it at the door, ring twice, thank you')
  FROM generate_series(first, last) n
$$;
CREATE PROCEDURE place_orders(count bigint, per_transaction bigint, first bigint DEFAULT 1) LANGUAGE plpgsql AS $$
BEGIN
  FOR n IN first .. first + count - 1 BY per_transaction LOOP
    INSERT INTO outbox (aggregatetype, aggregateid, type, payload)
      SELECT * FROM orders(n, least(n + per_transaction, first + count) - 1);
    COMMIT;
  END LOOP;
END $$;
"""


class Database:
    """One database with an outbox table and a publication."""

    def __init__(self, server_url, name):
        self.name = name
        with connection(f"{server_url}/postgres") as sql:
            sql.execute(f"CREATE DATABASE {name}")
        self.url = f"{server_url}/{name}"
        self.execute(OUTBOX)

    def execute(self, statement, *parameters):
        with connection(self.url) as sql:
            sql.execute(statement, parameters or None)

    def value(self, statement, *parameters):
        with connection(self.url) as sql:
            sql.execute(statement, parameters or None)
            return sql.fetchone()[0]

    def create_slot(self, slot):
        self.execute("SELECT pg_create_logical_replication_slot(%s, 'pgoutput')", slot)

    def copy_slot(self, slot, copy):
        """The copy stands where the slot stands, so both read the same WAL."""
        self.execute("SELECT pg_copy_logical_replication_slot(%s, %s)", slot, copy)

    def drop_slot(self, slot):
        """Waits for the walsender to see that its client is gone."""
        deadline = time.monotonic() + 10
        while self.value("SELECT active FROM pg_replication_slots WHERE slot_name = %s", slot):
            if time.monotonic() > deadline:
                raise Failed(f"the slot {slot} is still in use")
            time.sleep(0.05)
        self.execute("SELECT pg_drop_replication_slot(%s)", slot)

    def wal_end(self):
        return self.value("SELECT pg_current_wal_insert_lsn()")

    def settle(self):
        """After a load: nothing of it is left to be done while we measure."""
        self.execute("VACUUM (ANALYZE) outbox")
        self.execute("CHECKPOINT")


@contextmanager
def connection(url):
    connected = psycopg2.connect(url, application_name="bench")
    connected.autocommit = True
    try:
        yield connected.cursor()
    finally:
        connected.close()


class Audit:
    """The independent consumer (integration/java), kept running: a Java machine that is warm costs the others less."""

    def __init__(self, class_path, bootstrap, log):
        self._bootstrap = bootstrap
        self._errors = open(log, "ab")
        self._child = subprocess.Popen(
            ["setpriv", "--pdeathsig", "KILL", "--", "java", "-Xshare:auto", "-XX:+UseSerialGC", "-Xmx512m"]
            + ["-Dorg.slf4j.simpleLogger.defaultLogLevel=error", "-cp", class_path, "Audit", "serve"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            text=True,
        )
        self.pid = self._child.pid

    def admin(self, *words):
        return self._ask("admin", self._bootstrap, *words)

    def count(self, topics, expect, timeout=300):
        return self._ask(
            "count", "--bootstrap", self._bootstrap, "--topics", topics, "--expect", expect, "--order-field", "n",
            "--settle", 300, "--timeout", timeout,
        )  # fmt: skip

    def begin_latency(self, topics, warmup, duration):
        """Returns when it reads; end_latency() gives the numbers."""
        self._say("latency", "--bootstrap", self._bootstrap, "--topics", topics, "--warmup", warmup, "--duration", duration)
        line = self._child.stdout.readline().strip()
        if line != "ready":
            raise Failed(f"the audit consumer answered: {line}")

    def end_latency(self):
        return self._answer()

    def close(self):
        self._child.stdin.close()
        self._child.wait(10)
        self._errors.close()

    def _say(self, *words):
        self._child.stdin.write("\t".join(map(str, words)) + "\n")
        self._child.stdin.flush()

    def _ask(self, *words):
        self._say(*words)
        return self._answer()

    def _answer(self):
        line = self._child.stdout.readline().strip()
        if not line.startswith("ok "):
            raise Failed(f"the audit consumer answered: {line or 'nothing'}")
        return json.loads(line[3:])


def postmaster_of(servers):
    return int((servers / "postgres/data/postmaster.pid").read_text().split()[0])


class World:
    """PostgreSQL, Kafka, the consumer and the relay's binary, for the length of a benchmark. `with` ends all of it."""

    def __init__(self, binary, class_path, keep):
        self.binary = binary
        self._class_path = class_path
        self._keep = keep

    def __enter__(self):
        self.work = Path(tempfile.mkdtemp(prefix="outbox-relay-bench."))
        self.work.chmod(0o711)  # PostgreSQL runs as another user when we are root
        self.logs = self.work / "logs"
        self.logs.mkdir()
        self._settings = ["--owner", str(os.getpid()), *(word for setting in POSTGRES_SETTINGS for word in ("--postgres", setting))]
        self._further = []  # directories of PostgreSQL servers of their own
        servers = self.work / "servers"
        self._servers(servers, "up", *self._settings)
        self.server_url = (servers / "postgres/url").read_text().strip()
        self.bootstrap = "127.0.0.1:" + (servers / "kafka/port").read_text().strip()
        self.servers = Servers(postmaster_of(servers), int((servers / "kafka/pid").read_text()))
        self.audit = Audit(self._class_path, self.bootstrap, self.logs / "audit")
        return self

    def __exit__(self, kind, *_):
        self.audit.close()
        for servers in (*self._further, self.work / "servers"):
            self._servers(servers, "down")
        if not self._keep and kind is None:
            subprocess.run(["rm", "-rf", self.work], check=True)
        else:
            print(f"        configurations and logs: {self.work}")

    def _servers(self, directory, command, *options):
        script = ["bash", INTEGRATION / "lib/servers.sh", command, directory, *options]
        with open(self.logs / "servers", "ab") as out:
            if subprocess.run(script, stdin=subprocess.DEVNULL, stdout=out, stderr=out, check=False).returncode != 0:
                raise Failed("the servers: " + (self.logs / "servers").read_text())

    def database(self, name):
        return Database(self.server_url, name)

    def database_of_its_own_server(self, name):
        """Its WAL holds nothing of other databases, which every slot of a server reads through."""
        servers = self.work / name
        self._servers(servers, "postgres-start", *self._settings)
        self._further.append(servers)
        self.servers.add_postmaster(postmaster_of(servers))
        return Database((servers / "postgres/url").read_text().strip(), name)

    def process(self, command, log):
        return Process(command, self.logs / log)
