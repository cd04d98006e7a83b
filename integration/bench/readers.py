"""Everything that can read a dataset, all with run(dataset) -> Usage: PostgreSQL's own tools, and the relay."""

import base64
import json
import os
from itertools import count
from pathlib import Path

from dataset import BASE_SLOT
from usage import Failed, Meter, run_measured
from world import POSTGRES_BIN, PUBLICATION, connection

RUN_SECONDS_MAX = 900


class PgRecvlogical:
    """The walsender's work and a connection like the relay's, and nothing done with what arrives."""

    key = "pg_recvlogical"
    title = "pg_recvlogical to /dev/null"
    pipelines = 1
    slot = "bench_pg_recvlogical"

    def __init__(self, world):
        self._world = world

    def run(self, dataset):
        dataset.database.copy_slot(BASE_SLOT, self.slot)
        try:
            usage = self._receive(dataset)
            # What starting and stopping costs alone: there is nothing left to read.
            usage.extra["idle_seconds"] = self._receive(dataset).seconds
        finally:
            dataset.database.drop_slot(self.slot)
        return usage

    def _receive(self, dataset):
        command = [POSTGRES_BIN / "pg_recvlogical", "--start", "--no-loop", "-f", "/dev/null"]
        command += ["-d", dataset.database.url, "--slot", self.slot, f"--endpos={dataset.wal_end}"]
        command += ["-o", "proto_version=1", "-o", f"publication_names={PUBLICATION}"]
        return run_measured(command, self._world.logs / self.key, self._world.servers, RUN_SECONDS_MAX)


class DecodeOnly:
    """The server decodes and counts; not one row leaves it, and nothing is consumed."""

    key = "decode_only"
    title = "decoding alone, on the server"
    pipelines = 1

    def __init__(self, world):
        self._world = world

    def run(self, dataset):
        statement = (
            "SELECT count(*) FROM pg_logical_slot_peek_binary_changes(%s, %s, NULL, "
            "'proto_version', '1', 'publication_names', %s)"
        )
        with connection(dataset.database.url) as sql:
            with Meter(self._world.servers) as meter:
                sql.execute(statement, (BASE_SLOT, dataset.wal_end, PUBLICATION))
                messages = sql.fetchone()[0]
        if messages < dataset.messages:
            raise Failed(f"the server decoded {messages} messages of {dataset.messages}")
        meter.usage.extra["idle_seconds"] = 0
        return meter.usage


class Relay:
    """`outbox-relay drain`, one process with one or several pipelines, each with a copy of the slot and a topic of its own."""

    _numbers = count(1)

    def __init__(self, world, pipelines=1, sink="kafka", partitions=4, source=None, policy=None):
        self._world = world
        self._policy = policy
        self._source = source
        self.pipelines = pipelines
        self._sink = sink
        self._partitions = partitions
        self.key = f"relay_{sink}" if pipelines == 1 else f"relay_{sink}_{pipelines}_pipelines"
        target = {"kafka": "into Kafka, exactly once", "file": "into a file"}[sink]
        self.title = f"outbox-relay drain {target}" if pipelines == 1 else f"{pipelines} pipelines in one process"
        if policy:
            self.key, self.title = self.key + "_policy", self.title + ", with a policy"

    def run(self, dataset):
        run = RelayRun(self._world, dataset.database, f"{self._sink}{next(self._numbers)}", self.pipelines, self._sink, self._source,
                       self._policy)
        for slot in run.slots:
            dataset.database.copy_slot(dataset.base, slot)
        try:
            run.prepare(self._partitions)
            usage = self.drain(run)
            usage.extra["idle_seconds"] = self.drain(run).seconds
            run.must_have(dataset.rows)
        finally:
            for slot in run.slots:
                dataset.database.drop_slot(slot)
            run.clean()
        return usage

    def drain(self, run, wrapper=()):
        command = [*wrapper, self._world.binary, "drain", "-c", run.config]
        return run_measured(command, run.log, self._world.servers, RUN_SECONDS_MAX)


class RelayRun:
    """The configuration of one run and what it leaves on the broker. Its slots are made by whoever knows where they begin."""

    def __init__(self, world, database, name, pipelines=1, sink="kafka", source=None, policy=None):
        self._world = world
        self._policy = self._with_key(policy) if policy else "none"
        self._source = source or {"snapshot": "never", "outbox": {"tables": ["public.outbox"]}}
        self._database = database
        self._sink = sink
        self.names = [f"bench_{name}_{n}" for n in range(1, pipelines + 1)]
        self.slots = [f"outbox_relay_{name}" for name in self.names]
        self.log = world.logs / f"relay_{name}"
        self.config = world.work / f"{name}.yaml"
        # JSON is YAML.
        pipelines = {name: self._pipeline(name) for name in self.names}
        self.config.write_text(json.dumps({"database": {"url": database.url}, "pipelines": pipelines}, indent=2))

    def _pipeline(self, name):
        if self._sink == "kafka":
            sink = {"type": "kafka", "bootstrap_servers": self._world.bootstrap, "topic": f"{name}.event.{{aggregate_type}}"}
            sink["create_topics"] = {"partitions": 1, "replication_factor": 1}
        else:
            sink = {"type": "file", "path": str(self._file(name))}
        return {"source": {"type": "slot", **self._source}, "policy": self._policy, "sink": sink}

    def _with_key(self, text):
        """The policy as a file of this world, and the key that it names."""
        key, policy = self._world.work / "bench.key", self._world.work / "policy.yaml"
        if not key.exists():
            key.touch(mode=0o600)
            key.write_text(base64.b64encode(os.urandom(32)).decode())
        policy.write_text(text)
        return {"file": str(policy)}

    def _file(self, name):
        return self._world.work / f"{name}.jsonl"

    def topics(self, name):
        return name + r"\.event\..*"

    def prepare(self, partitions=4):
        """Topics, and a position to begin at: that of the slots."""
        for name in self.names:
            if self._sink == "kafka":
                self._world.audit.admin("create-topic", f"{name}.event.order", partitions)
            command = [self._world.binary, "progress", "adopt", "-c", self.config, "--pipeline", name, "--confirm", name]
            run_measured(command, self.log, self._world.servers, 60)

    def must_have(self, rows):
        """The count of the independent consumer."""
        for name in self.names:
            if self._sink == "kafka":
                self._must_be_in_kafka(name, rows)
            else:
                self._must_be_in_file(name, rows)

    def _must_be_in_kafka(self, name, rows):
        counted = self._world.audit.count(self.topics(name), rows)
        expected = {"records": rows, "unique": rows, "sequence_highest": rows}
        expected |= dict.fromkeys(["duplicates", "out_of_order", "split_keys", "foreign_partition", "sequence_missing"], 0)
        wrong = {key: counted[key] for key, value in expected.items() if counted[key] != value}
        if wrong:
            raise Failed(f"{name}: not exactly once. Expected {rows} records; counted {wrong}")

    def _must_be_in_file(self, name, rows):
        with open(self._file(name), "rb") as lines:
            found = sum(block.count(b"\n") for block in iter(lambda: lines.read(1 << 20), b""))
        if found != rows:
            raise Failed(f"{name}: {found} lines in the file, expected {rows}")

    def clean(self):
        for name in self.names:
            if self._sink == "kafka":
                self._world.audit.admin("delete-topic", f"{name}.event.order")
            else:
                for path in Path(self._world.work).glob(f"{name}.jsonl*"):
                    path.unlink()
