"""The four measurements. Each returns a Report: what a person reads and what a program reads, made from the same runs."""

import re
import time

import dataset as datasets
from readers import DecodeOnly, PgRecvlogical, Relay, RelayRun
from report import Report, Target, say
from series import Series
from usage import Failed, Meter, cpu_seconds, peak_rss_bytes
from world import POSTGRES_BIN

MEBIBYTE = 1 << 20


def interleaved(readers, dataset, runs, rounds_before=1):
    """{key: [Usage]}. The readers take turns, so that a bad minute of the machine hits all of them. The first rounds are
    not counted: the broker compiles its code, and files come from the disk."""
    usages = {reader.key: [] for reader in readers}
    for number in range(-rounds_before, runs):
        for reader in readers:
            usage = reader.run(dataset)
            label = f"run {number + 1} of {runs}" if number >= 0 else "warming up"
            events = dataset.rows * reader.pipelines
            say(f"{label}: {reader.title}, {usage.seconds:.1f} s, {events / usage.seconds:,.0f} events/s")
            if number >= 0:
                usages[reader.key].append(usage)
    return usages


def add_rates(report, readers, usages, events):
    """A line per reader; {key: Series of events/s}."""
    rates = {}
    for reader in readers:
        runs = usages[reader.key]
        total = events * reader.pipelines
        rates[reader.key] = Series(total / run.seconds for run in runs)
        report.line(
            reader,
            rates[reader.key],
            net=Series(total / (run.seconds - run.extra["idle_seconds"]) for run in runs),
            cpu=Series(run.cpu * 1e6 / total for run in runs),
            rss=Series(run.peak_rss / MEBIBYTE for run in runs),
            waits=Series(run.waits * 1000 / total for run in runs),
            postgres=Series(run.postgres * 1e6 / total for run in runs),
            broker=Series(run.broker * 1e6 / total for run in runs),
            others=Series(100 * run.others_share() for run in runs),
        )
    return rates


def drain(world, options):
    dataset = options.shared_dataset(world)
    readers = [PgRecvlogical(world), DecodeOnly(world), Relay(world), Relay(world, sink="file")]
    usages = interleaved(readers, dataset, options.runs_of("drain"))
    report = Report("drain", f"{dataset.rows:,} events, 10 per transaction, {dataset.payload_bytes} byte payloads")
    rates = add_rates(report, readers, usages, dataset.rows)
    relay = rates["relay_kafka"]
    report.ratio("relay / pg_recvlogical", relay.divided_by(rates["pg_recvlogical"]), Target(at_least=1.3))
    report.ratio("relay / decoding alone", relay.divided_by(rates["decode_only"]), Target(at_least=0.7))
    cpu = Series(run.cpu * 1e6 / dataset.rows for run in usages["relay_kafka"])
    report.ratio("CPU of the relay, us/event", cpu, Target(at_most=4))
    peak = Series(run.peak_rss / MEBIBYTE for run in usages["relay_kafka"])
    report.ratio("peak RSS of the relay, MiB", peak, Target(at_most=64))
    return report


def pipelines(world, options):
    dataset = options.shared_dataset(world)
    readers = [Relay(world, pipelines=count) for count in (1, 2, 4)]
    usages = interleaved(readers, dataset, options.runs_of("pipelines"), rounds_before=0)
    report = Report("pipelines", f"each drains the same {dataset.rows:,} events; one process, one slot a pipeline")
    rates = add_rates(report, readers, usages, dataset.rows)
    for reader in readers:
        if reader.pipelines > 1:
            each = Series(rate / reader.pipelines for rate in rates[reader.key].values)
            report.ratio(f"events/s of each of {reader.pipelines}", each)
    peak = Series(run.peak_rss / MEBIBYTE for run in usages[readers[-1].key])
    report.ratio(f"peak RSS with {readers[-1].pipelines}, MiB", peak)
    return report


def large(world, options):
    database = world.database("bench_large")
    say(f"writing one transaction of {options.large_rows:,} rows")
    dataset = datasets.one_large_transaction(database, options.large_rows)
    readers = [PgRecvlogical(world), Relay(world)]
    usages = interleaved(readers, dataset, options.runs_of("large"), rounds_before=0)
    dataset.forget()
    report = Report("large", f"one transaction of {options.large_rows:,} rows between {dataset.transactions - 1} small ones")
    rates = add_rates(report, readers, usages, dataset.rows)
    report.ratio("relay / pg_recvlogical", rates["relay_kafka"].divided_by(rates["pg_recvlogical"]))
    peak = Series(run.peak_rss / MEBIBYTE for run in usages["relay_kafka"])
    report.ratio("peak RSS of the relay, MiB", peak, Target(at_most=64))
    return report


def policy(world, options):
    """The same events with and without a policy, into a file, so that the relay's time is all there is."""
    dataset = datasets.orders_with_customers(world.database("bench_policy"), options.policy_rows)
    readers = [Relay(world, sink="file"), Relay(world, sink="file", policy=datasets.ORDERS_POLICY)]
    usages = interleaved(readers, dataset, options.runs_of("policy"))
    dataset.forget()
    report = Report("policy", f"{dataset.rows:,} events, {dataset.payload_bytes} byte payloads; five rules, two of them keyed hashes")
    add_rates(report, readers, usages, dataset.rows)
    without, scrubbed = ([run.cpu * 1e6 / dataset.rows for run in usages[reader.key]] for reader in readers)
    more = Series(mine - theirs for mine, theirs in zip(scrubbed, without, strict=True))
    report.ratio("CPU of the policy, us/event", more, Target(at_most=3))
    return report


LATENCY_SCRIPT = """
\\set customer random(1, 50000)
INSERT INTO outbox (aggregatetype, aggregateid, type, payload) VALUES ('order', :customer::text, 'OrderPlaced',
  jsonb_build_object('inserted_at', (extract(epoch FROM clock_timestamp()) * 1000000)::bigint, 'order_id', :customer::int,
    'sku', 'sku-' || :customer::int % 97, 'total_cents', 1999, 'currency', 'EUR', 'note', 'leave it at the door, ring twice, thanks'));
"""
RATES = (200, 2000, 5000)
LATENCY_TARGETS = {200: (8, 40), 2000: (15, 50)}  # p50, p99 in ms


class SteadyLoad:
    """Single-row transactions at a steady rate, each committed durably, while one relay runs."""

    WARM_UP_SECONDS = 5
    CLIENTS = 16

    def __init__(self, world, seconds):
        self._world = world
        self._seconds = seconds
        self._database = world.database("bench_latency")
        self._script = world.work / "latency.sql"
        self._script.write_text(LATENCY_SCRIPT)
        self._run = RelayRun(world, self._database, "latency")
        self._database.create_slot(self._run.slots[0])
        self._run.prepare()
        self._relay = world.process([world.binary, "run", "-c", self._run.config], self._run.log.name)
        self._wait_for_slot()

    def _wait_for_slot(self):
        for _ in range(300):
            if not self._relay.running:
                raise Failed(f"the relay ended{self._relay.log_end()}")
            if self._database.value("SELECT count(*) FROM pg_stat_replication WHERE state = 'streaming'"):
                return
            time.sleep(0.1)
        raise Failed(f"the relay did not begin to read within 30 s{self._relay.log_end()}")

    def warm_up(self):
        """The broker's virtual machine compiles its code first: for half a minute each transaction takes ten times as long."""
        say("warming up")
        command = [POSTGRES_BIN / "pgbench", "-n", "-M", "prepared", "-R", 1000, "-T", 40, "-c", self.CLIENTS]
        load = self._world.process([*command, "-f", self._script, self._database.url], "pgbench_warm_up")
        load.wait(70)
        load.succeeded()

    def at(self, rate):
        """The numbers of one run at so many transactions per second."""
        seconds = self.WARM_UP_SECONDS + self._seconds + 2
        command = [POSTGRES_BIN / "pgbench", "-n", "-M", "prepared", "-R", rate, "-T", seconds, "-c", self.CLIENTS]
        load_log = f"pgbench_{rate}_{time.monotonic_ns()}"
        load = self._world.process([*command, "-f", self._script, self._database.url], load_log)
        self._world.audit.begin_latency(self._run.topics(self._run.names[0]), self.WARM_UP_SECONDS, self._seconds)
        time.sleep(self.WARM_UP_SECONDS)
        relay_before = cpu_seconds(self._relay.pid)
        with Meter(self._world.servers) as meter:
            time.sleep(self._seconds)
        relay_cpu = cpu_seconds(self._relay.pid) - relay_before
        latency = self._world.audit.end_latency()
        load.wait(30)
        load.succeeded()
        latency["relay_cpu_percent"] = 100 * relay_cpu / meter.usage.seconds
        latency["broker_cpu_percent"] = 100 * meter.usage.broker / meter.usage.seconds
        latency["postgres_cpu_percent"] = 100 * meter.usage.postgres / meter.usage.seconds
        latency["commit_ms"] = self._commit_ms((self._world.logs / load_log).read_text())
        return latency

    @staticmethod
    def _commit_ms(output):
        """What the application waits for its transaction, without the time by which pgbench itself was late."""
        whole = float(re.search(r"latency average = ([\d.]+) ms", output)[1])
        late = float(re.search(r"rate limit schedule lag: avg ([\d.]+)", output)[1])
        return whole - late

    def finish(self):
        """Everything must have arrived once; the relay must stop in order. Its peak RSS in MiB."""
        self._run.must_have(self._database.value("SELECT count(*) FROM outbox"))
        peak = peak_rss_bytes(self._relay.pid) / MEBIBYTE
        if self._relay.stop() != 0:
            raise Failed(f"the relay ended with {self._relay.exit_code}{self._relay.log_end()}")
        self._database.drop_slot(self._run.slots[0])
        self._run.clean()
        return peak


def latency(world, options):
    load = SteadyLoad(world, options.latency_seconds)
    load.warm_up()
    runs = {rate: [] for rate in RATES}
    for number in range(options.runs_of("latency")):
        for rate in RATES:
            one = load.at(rate)
            runs[rate].append(one)
            say(f"run {number + 1}: {rate}/s, p50 {one['p50_ms']:.1f} ms, p99 {one['p99_ms']:.1f} ms, max {one['max_ms']:.0f} ms")
    peak = load.finish()
    report = Report("latency", f"insert to consumer, single-row transactions, {options.latency_seconds} s a run")
    for rate in RATES:
        report.latency_line(rate, {key: Series(run[key] for run in runs[rate]) for key in runs[rate][0]})
    for rate, (p50, p99) in LATENCY_TARGETS.items():
        report.ratio(f"p50 at {rate:,}/s, ms", Series(run["p50_ms"] for run in runs[rate]), Target(at_most=p50))
        report.ratio(f"p99 at {rate:,}/s, ms", Series(run["p99_ms"] for run in runs[rate]), Target(at_most=p99))
    report.ratio("peak RSS of the relay, MiB", Series([peak]), Target(at_most=64))
    return report
