"""What the measurements found, as a table for people and as JSON."""

import os
from dataclasses import dataclass


def say(text):
    """Indented like everything else that the scripts say."""
    print(f"        {text}", flush=True)


@dataclass
class Target:
    at_least: float | None = None
    at_most: float | None = None

    def met(self, value):
        return value >= self.at_least if self.at_least is not None else value <= self.at_most

    def text(self, value):
        bound = f">= {self.at_least:g}" if self.at_least is not None else f"<= {self.at_most:g}"
        return f"target {bound}: {'met' if self.met(value) else 'MISSED'}"


class Report:
    """One measurement. Rows of a table, then single figures, some with a target."""

    def __init__(self, name, title):
        self.name = name
        self.title = title
        self._head = []
        self._rows = []
        self._figures = []
        self._json = {"what": title, "measured": {}, "figures": {}}

    def line(self, reader, rate, **series):
        """A reader's row. The figures of PostgreSQL's own tools that mean nothing are left blank."""
        self._head = ["", "events/s", "without start", "us/event: itself", "PostgreSQL", "Kafka", "waits/1000", "RSS MiB", "others %"]
        itself = series["cpu"].middle
        row = [reader.title, rate.text(), f"{series['net'].middle:,.0f}", f"{itself:.2f}" if itself else ""]
        row += [f"{series['postgres'].middle:.2f}", f"{series['broker'].middle:.2f}"]
        row += [f"{series['waits'].middle:.1f}", f"{series['rss'].middle:.1f}"] if itself else ["", ""]
        self._rows.append([*row, f"{series['others'].middle:.0f}"])
        names = {
            "net": "events_per_second_without_start", "cpu": "cpu_us_per_event", "rss": "peak_rss_mib",
            "waits": "waits_per_1000_events", "postgres": "postgres_cpu_us_per_event", "broker": "kafka_cpu_us_per_event",
            "others": "other_processes_percent_of_machine",
        }  # fmt: skip
        measured = {"events_per_second": rate.as_json()}
        measured |= {names[key]: value.as_json() for key, value in series.items()}
        self._json["measured"][reader.key] = measured

    def latency_line(self, rate, series):
        self._head = ["", "arrived/s", "p50 ms", "p99 ms", "p99.9 ms", "max ms", "commit ms", "CPU %: relay", "Kafka", "PostgreSQL"]
        row = [f"{rate:,} transactions/s", f"{series['per_second'].middle:,.0f}"]
        row += [series["p50_ms"].text("{:.1f}"), series["p99_ms"].text("{:.1f}"), f"{series['p999_ms'].middle:.0f}"]
        row += [f"{series['max_ms'].middle:.0f}", f"{series['commit_ms'].middle:.1f}", f"{series['relay_cpu_percent'].middle:.1f}"]
        row += [f"{series['broker_cpu_percent'].middle:.0f}", f"{series['postgres_cpu_percent'].middle:.0f}"]
        self._rows.append(row)
        self._json["measured"][f"{rate}_per_second"] = {key: value.as_json() for key, value in series.items()}

    def cost_line(self, title, key, series):
        """What a write costs with and without triggers: seconds of one large statement, and single-row transactions per second."""
        self._head = ["", "s for all rows", "CPU us/row", "transactions/s", "CPU us each", "others %"]
        row = [title, series["seconds"].text("{:.2f}"), series["cpu"].text("{:.2f}"), series["tps"].text()]
        self._rows.append([*row, series["cpu_single"].text("{:.0f}"), f"{series['others'].middle:.0f}"])
        self._json["measured"][key] = {name: value.as_json() for name, value in series.items()}

    def ratio(self, name, series, target=None):
        form = "{:,.0f}" if series.middle >= 1000 else "{:.2f}"
        self._figures.append((name, series.text(form), target.text(series.middle) if target else ""))
        figure = series.as_json()
        if target:
            figure |= {"target_at_least": target.at_least, "target_at_most": target.at_most, "met": target.met(series.middle)}
        self._json["figures"][name] = figure

    def as_json(self):
        return self._json

    def print(self):
        print(f"\n{self.name}: {self.title}")
        print_columns([self._head, *self._rows], right=True)
        print_columns(self._figures, right=False)


def print_columns(rows, right):
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    for row in rows:
        first, rest = row[0].ljust(widths[0]), zip(row[1:], widths[1:], strict=True)
        cells = [cell.rjust(width) if right else cell.ljust(width) for cell, width in rest]
        print("  " + "  ".join([first, *cells]).rstrip())


def machine_facts(world, kafka_version):
    """What the numbers depend on; nothing that names the machine."""
    import re
    import subprocess
    from pathlib import Path

    def of(command):
        return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()

    cpu = re.search(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text())
    memory_kib = int(re.search(r"MemTotal:\s+(\d+)", Path("/proc/meminfo").read_text())[1])
    return {
        "cores": os.cpu_count(),
        "processor": cpu[1] if cpu else "unknown",
        "memory_gib": round(memory_kib / (1 << 20)),
        "kernel": of(["uname", "-r"]).split("-")[0],
        "postgresql": of(["/usr/lib/postgresql/15/bin/postgres", "--version"]).split()[2],
        "kafka": kafka_version,
        "librdkafka": of(["dpkg-query", "-W", "-f", "${Version}", "librdkafka1"]),
        "outbox_relay": (of([world.binary, "version"]).splitlines() or ["unknown"])[0],
    }
