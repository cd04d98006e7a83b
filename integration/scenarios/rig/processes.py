"""Processes that end with us, however we end."""

import os
import signal
import subprocess
import time
from pathlib import Path

INTEGRATION = Path(__file__).resolve().parents[2]
ROOT = INTEGRATION.parent


def start(command, **options):
    """The child gets SIGKILL when this process is gone."""
    options.setdefault("stdin", subprocess.DEVNULL)
    return subprocess.Popen(["setpriv", "--pdeathsig", "KILL", "--", *map(str, command)], **options)


def run(command, timeout=120, **options):
    done = subprocess.run(list(map(str, command)), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          text=True, timeout=timeout, **options)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(map(str, command))}: exit {done.returncode}\n{done.stdout}")
    return done.stdout


def wait_for(condition, what, timeout=30.0, every=0.05):
    """The condition's first true value. `what` completes the sentence "waited in vain for ..."."""
    deadline = time.monotonic() + timeout
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {timeout:g} s in vain for {what}")
        time.sleep(every)


def stay(condition, what, seconds, every=0.1):
    """The condition holds all the time."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        assert condition(), f"did not stay: {what}"
        time.sleep(every)


class Frozen:
    """A process, and all that it forked, that is there and does nothing."""

    def __init__(self, pids):
        self.pids = list(pids)

    def __enter__(self):
        self._send(signal.SIGSTOP)
        return self

    def __exit__(self, *_):
        self._send(signal.SIGCONT)

    def _send(self, number):
        for pid in self.pids:
            try:
                os.kill(pid, number)
            except ProcessLookupError:  # a server's backend may end at any time
                pass


def children_of(pid):
    """Pids of the direct children."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rsplit(")", 1)[1].split()
        except OSError:
            continue
        if int(fields[1]) == pid:
            found.append(int(stat.parent.name))
    return found
