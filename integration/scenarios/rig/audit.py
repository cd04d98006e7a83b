"""The witness: Apache's own Java client, reading committed records only, in one Java process for a whole session."""

import json
import queue
import subprocess
import threading

from . import processes

SHELL = f'. "{processes.INTEGRATION}/lib/say.sh"; . "{processes.INTEGRATION}/lib/java.sh"; '


class Audit:
    def __init__(self, directory):
        self.errors = open(directory / "audit.log", "w")
        words = processes.run(["bash", "-c", SHELL + 'printf "%s\\n" "$java_classes:$(java_class_path)"']).strip()
        self.process = processes.start(
            ["java", "-Xshare:auto", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xmx512m",
             "-Dorg.slf4j.simpleLogger.defaultLogLevel=error", "-cp", words, "Audit", "serve"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.errors, text=True)
        self.lines = queue.Queue()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        for line in self.process.stdout:
            self.lines.put(line)
        self.lines.put(None)

    def ask(self, *words, timeout=180):
        self.process.stdin.write("\t".join(map(str, words)) + "\n")
        self.process.stdin.flush()
        line = self.lines.get(timeout=timeout)
        assert line is not None, "the audit process has ended"
        verdict, _, text = line.rstrip("\n").partition(" ")
        if verdict != "ok":
            raise RuntimeError(f"audit {words[0]} {words[1:4]}: {text}")
        return json.loads(text) if text else None

    def close(self):
        self.process.stdin.close()
        self.process.wait(10)
        self.errors.close()


class Broker:
    """What scenarios ask of one Kafka, through the audit process."""

    def __init__(self, audit, kafka, scratch):
        self.audit, self.kafka, self.bootstrap, self.scratch = audit, kafka, kafka.bootstrap, scratch

    def admin(self, *words):
        return self.audit.ask("admin", self.bootstrap, *words)

    def topics(self):
        return self.admin("topics")

    def count(self, topics, expect=0, timeout=60, settle=0, order_field="n"):
        """The summary of everything in topics that match, and (id, key, sequence, topic) of each record."""
        out = self.scratch / "delivered.tsv"
        summary = self.audit.ask("count", "--bootstrap", self.bootstrap, "--topics", topics, "--expect", expect, "--timeout",
                                 timeout, "--settle", settle, "--order-field", order_field, "--format", "tsv", "--out", out,
                                 timeout=timeout + 60)
        with open(out, encoding="utf-8") as lines:
            rows = [line.rstrip("\n").split("\t") for line in lines]
        return summary, rows

    def records(self, topics, expect=0, timeout=30, settle=0):
        """Every record as a dictionary; headers as a dictionary of the last value of each name."""
        out = self.scratch / "records.json"
        self.audit.ask("count", "--bootstrap", self.bootstrap, "--topics", topics, "--expect", expect, "--timeout", timeout,
                       "--settle", settle, "--format", "json", "--out", out, timeout=timeout + 60)
        with open(out, encoding="utf-8") as lines:
            records = [json.loads(line) for line in lines]
        for record in records:
            record["headers"] = dict(record["headers"])
        return records

    def progress(self, pipeline):
        """The newest committed progress record, or None."""
        topic = f"outbox-relay.progress.{pipeline}"
        if topic not in self.topics():
            return None
        last = self.admin("last", topic, 0)
        return json.loads(last["value"]) if last and last["value"] is not None else None

    def epoch(self, pipeline, n=0, prefix=""):
        """(producer id, epoch) of a pipeline's transactional id: changes whenever somebody fences."""
        t = self.admin("transaction", f"{prefix}outbox-relay.{pipeline}.{n}")
        return t["producer_id"], t["epoch"]
