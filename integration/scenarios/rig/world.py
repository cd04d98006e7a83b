"""One scenario's world: a database with an outbox, a pipeline of its own name, its topics, and the relays that run in it."""

import json
import subprocess
import time
import uuid

from . import processes
from .relay import Relay

RELAY_PASSWORD = "relay's own, with a ' and a @"
ROLE = "relay"

OUTBOX = """
CREATE TABLE outbox (
  id            uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  aggregatetype text NOT NULL,
  aggregateid   text NOT NULL,
  type          text NOT NULL,
  payload       jsonb,
  created_at    timestamptz NOT NULL DEFAULT clock_timestamp()
);
"""

# `n` counts the events of each key in the order of their commits: the row lock is held until then.
WRITERS = """
CREATE TABLE counters (key int PRIMARY KEY, n bigint NOT NULL DEFAULT 0);
INSERT INTO counters SELECT generate_series(1, 400);
CREATE FUNCTION emit(first int, many int DEFAULT 1, padding int DEFAULT 40) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
  k int;
  number bigint;
BEGIN
  FOR k IN first .. first + many - 1 LOOP
    UPDATE counters SET n = n + 1 WHERE key = k RETURNING n INTO number;
    INSERT INTO outbox (aggregatetype, aggregateid, type, payload)
      VALUES (CASE WHEN k % 2 = 0 THEN 'order' ELSE 'customer' END, k, 'Changed',
              jsonb_build_object('n', number, 'padding', repeat('x', padding)));
  END LOOP;
END $$;
CREATE TABLE elsewhere (id bigint GENERATED ALWAYS AS IDENTITY, filler text);
"""

# How a transaction of pgbench ends: one in ten after a savepoint that it abandons, one in ten rolls back.
FATES = r"""
\if :fate = 1
SAVEPOINT s;
SELECT emit(:first + :many, 2);
ROLLBACK TO s;
SELECT emit(:first + :many + 3, 1);
\endif
\if :fate = 2
ROLLBACK;
\else
COMMIT;
\endif
"""

# Short transactions of several events.
LOAD = r"""
\set first random(1, 180)
\set many random(1, 6)
\set fate random(1, 10)
BEGIN;
SELECT emit(:first, :many);
""" + FATES


def merge(base, change):
    """Maps key by key; None removes."""
    if not isinstance(base, dict) or not isinstance(change, dict):
        return change
    merged = dict(base)
    for key, value in change.items():
        if value is None:
            merged.pop(key, None)
        else:
            merged[key] = merge(merged.get(key), value)
    return merged


class Load:
    """pgbench with a script, started again whenever the database was away."""

    def __init__(self, world, rate, sessions, directory, text):
        script = directory / "load.sql"
        script.write_text(text)
        self.log = directory / "load.log"
        command = [world.postgres.BIN / "pgbench", "-n", "-f", script, "-c", sessions, "-T", 3600, "--max-tries", 5]
        if rate:
            command += ["-R", rate]
        words = " ".join(f"'{w}'" for w in [*command, world.postgres.url(world.name)])
        with open(self.log, "w") as log:
            self.process = processes.start(["bash", "-c", f"while :; do setpriv --pdeathsig KILL {words}; sleep 0.2; done"],
                                           stdout=log, stderr=log)

    def stop(self):
        self.process.kill()
        self.process.wait(10)


class World:
    def __init__(self, name, postgres, kafka, broker, directory, outbox=OUTBOX + WRITERS, publication="FOR TABLE outbox"):
        self.name, self.postgres, self.kafka, self.broker, self.directory = name, postgres, kafka, broker, directory
        self.slot = f"outbox_relay_{name}"
        self.topics = rf"{name}\..*"
        self.relays = []
        self.loads = []
        self.make_role()
        postgres.query(f"CREATE DATABASE {name}")
        self.sql(outbox)
        self.sql(f"GRANT SELECT ON ALL TABLES IN SCHEMA public TO {ROLE}")
        if publication:
            self.sql(f"CREATE PUBLICATION outbox_relay {publication}")

    def make_role(self):
        self.postgres.query(f"""
          DO $$ BEGIN
            IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = '{ROLE}') THEN
              CREATE ROLE {ROLE} LOGIN REPLICATION PASSWORD '{RELAY_PASSWORD.replace("'", "''")}';
            END IF;
          END $$""")

    # ---- the database

    def sql(self, statement, parameters=None):
        return self.postgres.query(statement, parameters, database=self.name)

    def value(self, statement, parameters=None):
        return self.sql(statement, parameters)[0][0]

    def emit(self, count, transactions=1, first=1):
        """Events for keys first, first+1 ..., `count` in each transaction."""
        for _ in range(transactions):
            self.sql("SELECT emit(%s, %s)", (first, count))

    def emit_in_bulk(self, count, keys=200, per_transaction=1000, padding=40):
        """Many events, quickly, in large transactions."""
        connection = self.postgres.connect(self.name)
        connection.autocommit = False
        try:
            with connection.cursor() as cursor:
                for begin in range(0, count, per_transaction):
                    many = min(per_transaction, count - begin)
                    cursor.execute("""
                      WITH fresh AS (SELECT g, 1 + g %% %s AS k FROM generate_series(%s, %s) g),
                           numbered AS (SELECT k, row_number() OVER (PARTITION BY k ORDER BY g) AS r, g FROM fresh),
                           base AS (UPDATE counters c SET n = n + f.many FROM
                                      (SELECT k, count(*) AS many FROM fresh GROUP BY k) f
                                    WHERE c.key = f.k RETURNING c.key, c.n - f.many AS n)
                      INSERT INTO outbox (aggregatetype, aggregateid, type, payload)
                      SELECT CASE WHEN k %% 2 = 0 THEN 'order' ELSE 'customer' END, k, 'Changed',
                             jsonb_build_object('n', base.n + r, 'padding', repeat('x', %s))
                      FROM numbered JOIN base ON base.key = k ORDER BY g""", (keys, begin + 1, begin + many, padding))
                    connection.commit()
        finally:
            connection.close()

    def write_elsewhere(self, mebibytes=1):
        """WAL that is none of the relay's business."""
        for _ in range(mebibytes):
            self.sql("INSERT INTO elsewhere (filler) SELECT repeat(md5(g::text), 30) FROM generate_series(1, 1000) g")

    def load(self, rate=200, sessions=4, script=LOAD):
        load = Load(self, rate, sessions, self.directory, script)
        self.loads.append(load)
        return load

    def stop_writers(self):
        """All of load(); what they committed is committed when this returns."""
        for load in self.loads:
            load.stop()
        processes.wait_for(lambda: not self.sql("""
          SELECT 1 FROM pg_stat_activity WHERE application_name = 'pgbench' AND datname = current_database()"""), "the writers to go")

    def confirmed(self):
        """The slot's confirmed_flush_lsn as a number, or None."""
        rows = self.postgres.query(
            "SELECT confirmed_flush_lsn - '0/0' FROM pg_replication_slots WHERE slot_name = %s", (self.slot,))
        return int(rows[0][0]) if rows else None

    def wal_end(self):
        return int(self.postgres.query("SELECT pg_current_wal_insert_lsn() - '0/0'")[0][0])

    def slot_active(self):
        rows = self.postgres.query("SELECT active FROM pg_replication_slots WHERE slot_name = %s", (self.slot,))
        return bool(rows) and rows[0][0]

    # ---- the relay

    def url(self, port=None, options=""):
        from urllib.parse import quote

        return f"postgresql://{ROLE}:{quote(RELAY_PASSWORD, safe='')}@127.0.0.1:{port or self.postgres.port}/{self.name}{options}"

    def document(self, change=None, *, pipeline=None, database=None):
        """The configuration as a tree. `pipeline` and `database` change those parts of it."""
        tree = {
            "database": {"url": self.url()},
            "pipelines": {
                self.name: {
                    "source": {
                        "type": "slot",
                        "create": ["slot"],
                        "snapshot": {"mode": "initial", "order_by": "created_at"},
                        "outbox": {"tables": ["public.outbox"]},
                    },
                    "policy": "none",
                    "sink": {
                        "type": "kafka",
                        "bootstrap_servers": self.kafka.bootstrap if self.kafka else "127.0.0.1:1",
                        "topic": self.name + ".{aggregate_type}",
                        "create_topics": {"partitions": 3, "replication_factor": 1},
                    },
                }
            },
        }
        tree = merge(tree, change or {})
        tree["pipelines"][self.name] = merge(tree["pipelines"][self.name], pipeline or {})
        tree["database"] = merge(tree["database"], database or {})
        return tree

    def config(self, change=None, *, pipeline=None, database=None, name="outbox-relay"):
        """Writes it; JSON is YAML. `$` is the configuration's own sign, so it is doubled."""
        path = self.directory / f"{name}.yaml"
        path.write_text(json.dumps(self.document(change, pipeline=pipeline, database=database), indent=2).replace("$", "$$"))
        return path

    def owner_config(self):
        """For those who change the schema: the same pipeline, the owner's database URL."""
        return self.config(database={"url": self.postgres.url(self.name)}, name="owner")

    def start(self, config=None, command=("run",), **options):
        config = config or self.config()
        relay = Relay(config, self.directory / f"relay-{len(self.relays) + 1}.log", command=command, **options)
        self.relays.append(relay)
        return relay

    def drain(self, config=None, timeout=60, expect=0):
        relay = self.start(config, command=("drain",))
        code = relay.wait(timeout)
        assert code == expect, f"drain exited with {code}, not {expect}\n{relay.tail()}"
        return relay

    def wait_until_streaming(self, relay, timeout=30):
        """The slot's stream is open and everything that is committed now has been delivered."""
        processes.wait_for(lambda: self.slot_active() or not relay.alive(), f"the slot's stream\n{relay.tail()}", timeout)
        assert relay.alive(), relay.tail()

    def sequence(self):
        """Of the last event that was handed over, as the newest progress record says; 0 when there is none."""
        progress = self.broker.progress(self.name)
        return progress["sequence"] if progress else 0

    def wait_until_delivered(self, relay, count, timeout=30):
        processes.wait_for(lambda: self.sequence() >= count or not relay.alive(), f"event {count}\n{relay.tail()}", timeout, 0.02)
        assert self.sequence() >= count, f"the relay ended with {relay.process.returncode}\n{relay.tail()}"

    def wait_until_confirmed(self, relay=None, timeout=40, lsn=None):
        """The slot's position has passed all that is written now."""
        target = lsn or self.wal_end()
        processes.wait_for(lambda: (self.confirmed() or 0) >= target, f"confirmed_flush_lsn to pass {target:#x}", timeout, 0.2)

    # ---- what arrived

    def expected_ids(self):
        return {row[0] for row in self.sql("SELECT id::text FROM outbox")}

    def check(self, expected=None, timeout=60, settle=500, topics=None):
        """0 lost, 0 twice, 0 out of order, no hole in the sequence: what SQL says against what the witness read."""
        expected = self.expected_ids() if expected is None else expected
        summary, rows = self.broker.count(topics or self.topics, expect=len(expected), timeout=timeout, settle=settle)
        delivered = {row[0] for row in rows}
        lost, invented = expected - delivered, delivered - expected
        verdict = {name: summary[name] for name in (
            "duplicates", "out_of_order", "sequence_missing", "sequence_repeated", "without_id", "without_sequence",
            "split_keys", "foreign_partition")}
        verdict.update(lost=len(lost), invented=len(invented))
        assert not any(verdict.values()), (
            f"{len(expected)} committed, {len(delivered)} delivered: {verdict}\n"
            f"first lost: {sorted(lost)[:3]}\nfirst invented: {sorted(invented)[:3]}\n{json.dumps(summary)}")
        return summary

    def close(self):
        for load in self.loads:
            load.stop()
        for relay in self.relays:
            if relay.alive():
                relay.kill()
            relay.output.close()
        try:
            self.drop_database()
        except Exception:  # the server may be one that the scenario broke
            pass

    def drop_database(self):
        self.postgres.query("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", (self.name,))
        for _ in range(50):
            rows = self.postgres.query("SELECT slot_name FROM pg_replication_slots WHERE database = %s AND NOT active", (self.name,))
            for (slot,) in rows:
                self.postgres.query("SELECT pg_drop_replication_slot(%s)", (slot,))
            if not self.postgres.query("SELECT 1 FROM pg_replication_slots WHERE database = %s", (self.name,)):
                break
            time.sleep(0.1)
        self.postgres.query(f"DROP DATABASE IF EXISTS {self.name} WITH (FORCE)")


def new_id():
    return str(uuid.uuid4())


def run_pgbench(world, script, clients=1, transactions=1):
    """A pgbench script to its end."""
    path = world.directory / "script.sql"
    path.write_text(script)
    return subprocess.run([world.postgres.BIN / "pgbench", "-n", "-f", path, "-c", str(clients), "-t", str(transactions),
                           world.postgres.url(world.name)], check=True, capture_output=True, text=True)
