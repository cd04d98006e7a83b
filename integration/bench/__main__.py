"""integration/bench.sh calls this; it explains the options."""

import argparse
import json
import os
import sys
import time
from pathlib import Path

import captures
import dataset as datasets
import measures
import perf
from report import machine_facts, print_columns, say
from usage import Failed
from world import World

PARTS = {
    "drain": measures.drain, "pipelines": measures.pipelines, "large": measures.large,
    "policy": measures.policy, "latency": measures.latency, "triggers": captures.triggers, "capture": captures.capture,
}


class Options(argparse.Namespace):
    @property
    def large_rows(self):
        return 500_000 if self.quick else 2_000_000

    @property
    def policy_rows(self):
        return self.rows or (100_000 if self.quick else 300_000)

    @property
    def latency_seconds(self):
        return 10 if self.quick else 25

    @property
    def trigger_rows(self):
        return 50_000 if self.quick else 200_000

    @property
    def trigger_seconds(self):
        return 3 if self.quick else 8

    def runs_of(self, part):
        usual = {"drain": 2 if self.quick else 5, "policy": 3 if self.quick else 9, "triggers": 2 if self.quick else 7}.get(part, 1 if self.quick else 3)
        return self.runs or usual

    def shared_dataset(self, world):
        """The one of `drain`, `pipelines` and the profile, written when the first of them asks for it."""
        if self.dataset is None:
            rows = self.rows or (300_000 if self.quick else 1_000_000)
            say(f"writing {rows:,} rows, 10 per transaction")
            self.dataset = datasets.small_transactions(world.database("bench_drain"), rows)
        return self.dataset

    def forget_dataset(self):
        if self.dataset is not None:
            self.dataset.forget()
            self.dataset = None


def parse(arguments):
    parser = argparse.ArgumentParser(prog="bench.sh")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--only", action="append", choices=list(PARTS), default=[])
    parser.add_argument("--rows", type=int)
    parser.add_argument("--runs", type=int)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--profile", action="store_true")
    parser.add_argument("--keep", action="store_true")
    parser.add_argument("--binary", type=Path, required=True)
    parser.add_argument("--class-path", required=True)
    parser.add_argument("--kafka-version", required=True)
    options = parser.parse_args(arguments, Options(dataset=None))
    if not options.only and not options.profile:
        options.only = list(PARTS)
    return options


def step(text):
    started = int(os.environ.get("RELAY_SAY_START", time.time()))
    print(f"\n[{int(time.time()) - started:3d} s] {text}", flush=True)


def measure(world, options):
    result = {"machine": machine_facts(world, options.kafka_version), "quick": options.quick}
    reports = []
    for name, part in PARTS.items():
        if name in ("large", "policy"):
            options.forget_dataset()
        if name not in options.only:
            continue
        step(f"Measuring: {name}")
        reports.append(part(world, options))
        result[name] = reports[-1].as_json()
        if name == "drain" and options.profile:
            result["profile"] = perf.profile(world, options.shared_dataset(world))
    if options.profile and "profile" not in result:
        step("Profile of a drain")
        result["profile"] = perf.profile(world, options.shared_dataset(world))
    step("The numbers: the median of the runs (lowest-highest)")
    print()
    print_columns([(key.replace("_", " "), str(value)) for key, value in result["machine"].items()], right=False)
    for report in reports:
        report.print()
    return result


def main():
    options = parse(sys.argv[1:])
    step("Starting PostgreSQL and Kafka")
    try:
        with World(options.binary, options.class_path, options.keep) as world:
            result = measure(world, options)
    except Failed as failure:
        print(f"\nThe benchmark failed: {failure}", file=sys.stderr)
        return 1
    if options.json:
        options.json.write_text(json.dumps(result, indent=2) + "\n")
    return 0


sys.exit(main())
