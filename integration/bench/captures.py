"""Capture triggers: what they cost the application's writes, and how fast their events are delivered in either form."""

import json
import re
import time

import dataset as datasets
from measures import add_rates, interleaved
from readers import Relay
from report import Report, Target, say
from series import Series
from usage import Meter, run_measured
from world import INTEGRATION, POSTGRES_BIN, connection

SQL = INTEGRATION.parent / "sql"
FORMS = ["none", "outbox", "messages"]
TITLES = {"none": "no trigger", "outbox": "statement triggers into the outbox", "messages": "statement triggers as messages"}

TABLES = """
CREATE TABLE customers (id bigint PRIMARY KEY, name text NOT NULL);
INSERT INTO customers SELECT n, 'customer ' || n FROM generate_series(1, 1000) n;
CREATE TABLE orders (
  id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  customer_id bigint NOT NULL REFERENCES customers,
  total_cents bigint NOT NULL,
  note        text,
  created_at  timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX ON orders (customer_id);
CREATE TABLE bare (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, customer_id bigint, total_cents bigint, note text, created_at timestamptz DEFAULT now());
"""
ROWS = "(customer_id, total_cents, note) SELECT 1 + g %% 1000, g, 'leave it at the door, ring twice' FROM generate_series(1, %s) g"
SINGLE = """
\\set customer random(1, 1000)
INSERT INTO orders (customer_id, total_cents, note) VALUES (:customer, 1999, 'leave it at the door, ring twice');
"""


def prepare(database):
    for name in ("outbox", "capture"):
        # The file's own BEGIN and COMMIT; psycopg2 sends it as one text.
        with connection(database.url) as sql:
            sql.execute((SQL / f"{name}.sql").read_text())


def use(database, table, form, **more):
    database.execute("SELECT outbox_relay.uncapture(%s)", table)
    if form != "none":
        database.execute("SELECT outbox_relay.capture(%s, %s)", table, json.dumps({"into": form, "aggregate_type": "order", **more}))


class Writes:
    """One database; the forms take turns on the same tables."""

    def __init__(self, world, options):
        self._world = world
        self._database = world.database("bench_triggers")
        self._options = options
        self._script = world.work / "single.sql"
        self._script.write_text(SINGLE)
        self._database.execute(TABLES)
        prepare(self._database)

    def bulk(self, table, form):
        """Seconds of one large statement, PostgreSQL's processor time for it, and the share of the machine that others used."""
        use(self._database, f"public.{table}", form)
        self._database.execute(f"TRUNCATE {table}, outbox_relay.outbox")
        self._database.execute("CHECKPOINT")
        with connection(self._database.url) as sql, Meter(self._world.servers) as meter:
            begun = time.monotonic()
            sql.execute(f"INSERT INTO {table} {ROWS}", (self._options.trigger_rows,))
            seconds = time.monotonic() - begun
        use(self._database, f"public.{table}", "none")
        return seconds, meter.usage.postgres, meter.usage.others_share()

    def single(self, form):
        """Single-row transactions per second of four clients, and PostgreSQL's processor time for each in microseconds."""
        use(self._database, "public.orders", form)
        self._database.execute("TRUNCATE orders, outbox_relay.outbox")
        self._database.execute("CHECKPOINT")
        log = self._world.logs / f"single_{form}_{time.monotonic_ns()}"
        command = [POSTGRES_BIN / "pgbench", "-n", "-M", "prepared", "-c", 4, "-T", self._options.trigger_seconds]
        usage = run_measured([*command, "-f", self._script, self._database.url], log, self._world.servers, 120)
        use(self._database, "public.orders", "none")
        done = int(re.search(r"actually processed: (\d+)", log.read_text())[1])
        return float(re.search(r"tps = ([\d.]+)", log.read_text())[1]), usage.postgres * 1e6 / done


def triggers(world, options):
    writes = Writes(world, options)
    found = {form: {key: [] for key in ("seconds", "bare", "cpu", "tps", "cpu_single", "others")} for form in FORMS}
    for number in range(-1, options.runs_of("triggers")):
        for form in FORMS:
            bare, _, _ = writes.bulk("bare", form)
            one, cpu, share = writes.bulk("orders", form)
            rate, cpu_single = writes.single(form)
            label = f"run {number + 1}" if number >= 0 else "warming up"
            say(f"{label}: {TITLES[form]}, {one:.2f} s, bare {bare:.2f} s, {rate:,.0f} transactions/s")
            if number >= 0:
                row = (one, bare, cpu * 1e6 / options.trigger_rows, rate, cpu_single, 100 * share)
                for key, value in zip(("seconds", "bare", "cpu", "tps", "cpu_single", "others"), row, strict=True):
                    found[form][key].append(value)
    series = {form: {key: Series(values) for key, values in found[form].items()} for form in FORMS}
    report = Report("triggers", f"one INSERT of {options.trigger_rows:,} rows; single-row transactions of four clients, table orders")
    for form in FORMS:
        report.cost_line(TITLES[form], form, series[form])

    def against_none(form, key):
        return series[form][key].divided_by(series["none"][key])

    for form, most in (("outbox", 2.7), ("messages", 1.9)):
        report.ratio(f"one INSERT, {form} / no trigger", against_none(form, "seconds"), Target(at_most=most))
        report.ratio(f"the same by processor time, {form} / no trigger", against_none(form, "cpu"))
        report.ratio(f"without foreign key and index, {form} / no trigger", against_none(form, "bare"))
        least = Target(at_least=0.9) if form == "messages" else None
        report.ratio(f"transactions/s, {form} / no trigger", against_none(form, "tps"), least)
        report.ratio(f"processor time of a transaction, {form} / no trigger", against_none(form, "cpu_single"))
    return report


PURCHASES = """
DROP PUBLICATION outbox_relay;
CREATE TABLE purchases (n bigint PRIMARY KEY, order_id bigint NOT NULL, customer text, sku text, total_cents bigint, currency text, note text)
  WITH (autovacuum_enabled = off);
CREATE PROCEDURE buy(count bigint, per_statement bigint) LANGUAGE plpgsql AS $$
BEGIN
  FOR begins IN 1 .. count BY per_statement LOOP
    INSERT INTO purchases SELECT n, n % 50000, 'customer ' || n % 977, 'sku-' || n % 97, 1000 + n % 19000, 'EUR',
      'leave it at the door, ring twice, thank you' FROM generate_series(begins, least(begins + per_statement - 1, count)) n;
    COMMIT;
  END LOOP;
END $$;
"""
SOURCES = {"outbox": {"snapshot": "never", "outbox": {"tables": ["outbox_relay.outbox"]}}, "messages": {"messages": {}}}


class Bound:
    """A relay that always reads the same dataset."""

    def __init__(self, world, form, dataset):
        self._relay = Relay(world, source=SOURCES[form])
        self.dataset = dataset
        self.key, self.title, self.pipelines = form, {"outbox": "as outbox rows", "messages": "as messages"}[form], 1

    def run(self, _):
        return self._relay.run(self.dataset)


def purchases(world, form):
    """A database with a captured table, whose slot reads no other's WAL."""
    database = world.database_of_its_own_server(f"bench_capture_{form}")
    database.execute(PURCHASES)
    prepare(database)
    database.execute("CREATE PUBLICATION outbox_relay" + (" FOR TABLE outbox_relay.outbox" if form == "outbox" else ""))
    use(database, "public.purchases", form, aggregate_id="order_id")
    return database


def capture(world, options):
    rows = options.rows or (100_000 if options.quick else 1_000_000)
    databases = {form: purchases(world, form) for form in SOURCES}
    readers = []
    for form, database in databases.items():
        database.create_slot(f"base_{form}")
        say(f"writing {rows:,} rows, 10 per statement: {TITLES[form]}")
        readers.append(Bound(world, form, datasets.captured(database, rows, f"base_{form}")))
    usages = interleaved(readers, readers[0].dataset, options.runs_of("capture"))
    for reader in readers:
        reader.dataset.forget()
    report = Report("capture", f"{rows:,} events of statement triggers, 10 rows per statement, into Kafka exactly once")
    rates = add_rates(report, readers, usages, rows)
    report.ratio("messages / outbox rows", rates["messages"].divided_by(rates["outbox"]), Target(at_least=2))
    report.ratio("CPU of the relay, us/event, messages", Series(run.cpu * 1e6 / rows for run in usages["messages"]), Target(at_most=3.5))
    return report
