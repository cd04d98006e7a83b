"""Running a process and counting what it, and the servers beside it, used meanwhile. Linux only."""

import os
import select
import signal
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path

TICK = os.sysconf("SC_CLK_TCK")
CORES = os.cpu_count()
DIE_WITH_PARENT = ["setpriv", "--pdeathsig", "KILL", "--"]


class Failed(Exception):
    """Something that was measured did not do its work. The text is for a person."""


def cpu_seconds(pid):
    """User and system time of a living process, without its children; 0 when it is gone."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return 0.0
    return (int(fields[11]) + int(fields[12])) / TICK


def peak_rss_bytes(pid):
    """The kernel's own high-water mark. Not ru_maxrss: that one starts with the memory of the process that forked."""
    try:
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    except (FileNotFoundError, ProcessLookupError):
        pass
    return 0


def machine_busy_seconds():
    """What all cores together have worked since boot."""
    user, nice, system, _idle, _iowait, irq, softirq, steal = map(int, Path("/proc/stat").read_text().split()[1:9])
    return (user + nice + system + irq + softirq + steal) / TICK


def children_of(pid):
    try:
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except (FileNotFoundError, ProcessLookupError):
        return []


class Servers:
    """Processor time of PostgreSQL's processes and of the broker. Backends come and go: look() often."""

    def __init__(self, postmaster_pid, broker_pid):
        self._postmasters = [postmaster_pid]
        self._broker = broker_pid
        self._seen = {}

    def add_postmaster(self, pid):
        self._postmasters.append(pid)

    def look(self):
        for postmaster in self._postmasters:
            for pid in children_of(postmaster):
                used = cpu_seconds(pid)
                if used:
                    self._seen[pid] = used

    def postgres(self):
        self.look()
        return sum(self._seen.values())

    def broker(self):
        return cpu_seconds(self._broker)


@dataclass
class Usage:
    """What one run took. `postgres`, `broker` and `others` are processor seconds of the servers and of everything else on
    the machine in the same time; much of the last makes a run worthless."""

    seconds: float = 0
    cpu: float = 0
    peak_rss: int = 0
    waits: int = 0
    postgres: float = 0
    broker: float = 0
    others: float = 0
    extra: dict = field(default_factory=dict)

    def others_share(self):
        return max(self.others, 0) / (self.seconds * CORES)


class Meter:
    """Used as a context: what happened between its beginning and its end, apart from the process itself."""

    def __init__(self, servers):
        self._servers = servers
        self.usage = Usage()

    def __enter__(self):
        own = os.times()
        self._before = (self._servers.postgres(), self._servers.broker(), machine_busy_seconds(), own.user + own.system)
        self._start = time.monotonic()
        return self

    def __exit__(self, *_):
        usage = self.usage
        usage.seconds = time.monotonic() - self._start
        postgres, broker, busy, own_before = self._before
        own = os.times()
        usage.postgres = self._servers.postgres() - postgres
        usage.broker = self._servers.broker() - broker
        known = usage.postgres + usage.broker + usage.cpu + own.user + own.system - own_before
        usage.others = machine_busy_seconds() - busy - known
        return False


class Process:
    """A child that dies with us, its output in a file."""

    def __init__(self, command, log, environment=None):
        self._log = Path(log)
        self._command = [str(word) for word in command]
        with open(log, "ab") as out:
            self._child = subprocess.Popen(
                DIE_WITH_PARENT + self._command,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                env={**os.environ, **(environment or {})},
            )
        self.pid = self._child.pid
        self._gone = os.pidfd_open(self.pid)
        self.peak_rss = 0

    def wait(self, timeout, look=lambda: None):
        """Waits until it ends; returns its rusage. Looks at its memory and calls `look` every 20 ms meanwhile."""
        deadline = time.monotonic() + timeout
        while not select.select([self._gone], [], [], 0.02)[0]:
            self.peak_rss = max(self.peak_rss, peak_rss_bytes(self.pid))
            look()
            if time.monotonic() > deadline:
                self.stop(signal.SIGKILL)
                raise Failed(f"{self._name()} did not end within {timeout} s{self.log_end()}")
        _, status, rusage = os.wait4(self.pid, 0)
        os.close(self._gone)
        self._child.returncode = os.waitstatus_to_exitcode(status)
        return rusage

    def stop(self, with_signal=signal.SIGTERM, timeout=15):
        """Returns the exit code."""
        if self._child.returncode is None:
            os.kill(self.pid, with_signal)
            self.wait(timeout)
        return self._child.returncode

    @property
    def running(self):
        return self._child.returncode is None and not select.select([self._gone], [], [], 0)[0]

    @property
    def exit_code(self):
        return self._child.returncode

    def succeeded(self):
        if self._child.returncode != 0:
            raise Failed(f"{self._name()} ended with {self._child.returncode}{self.log_end()}")

    def log_end(self, lines=15):
        text = self._log.read_text(errors="replace").splitlines()[-lines:]
        return "".join(f"\n    {line}" for line in text)

    def _name(self):
        return f"{Path(self._command[0]).name} {self._command[1] if len(self._command) > 1 else ''}".strip()


def run_measured(command, log, servers, timeout=900, environment=None):
    """Runs the command to its end, which must be a good one."""
    with Meter(servers) as meter:
        process = Process(command, log, environment)
        rusage = process.wait(timeout, servers.look)
        usage = meter.usage
        usage.cpu = rusage.ru_utime + rusage.ru_stime
        usage.peak_rss = process.peak_rss
        usage.waits = rusage.ru_nvcsw
    process.succeeded()
    return usage
