"""The binary under test, as an operator runs it: a configuration file in, exit codes, log lines and events out."""

import json
import os
import re
import signal
import time
from pathlib import Path

from . import processes

BINARY = Path(os.environ.get("OUTBOX_RELAY_BINARY", processes.ROOT / "build/release/relay/app/outbox-relay"))


class Relay:
    """One process. Its log is JSON lines in a file of its own."""

    def __init__(self, config, log, *, command=("run",), environment=None, stdout=None):
        self.log_file = Path(log)
        self.output = open(log, "ab")
        self.process = processes.start([BINARY, *command, "-c", config], stdout=stdout or self.output, stderr=self.output,
                                       env={**os.environ, "OUTBOX_RELAY_CONFIG": "", **(environment or {})})
        self.started = time.monotonic()

    @property
    def pid(self):
        return self.process.pid

    def alive(self):
        return self.process.poll() is None

    def kill(self):
        self.process.kill()
        self.process.wait(10)

    def signal(self, number=signal.SIGTERM):
        self.process.send_signal(number)

    def wait(self, timeout=30):
        """The exit code."""
        try:
            return self.process.wait(timeout)
        except Exception as late:
            raise AssertionError(f"the relay did not end within {timeout} s\n{self.tail()}") from late

    def stop(self, timeout=12):
        self.signal(signal.SIGTERM)
        return self.wait(timeout)

    def log(self):
        return self.log_file.read_text(errors="replace")

    def lines(self):
        """Log lines as dictionaries; what is no JSON as {"text": line}."""
        parsed = []
        for line in self.log().splitlines():
            try:
                parsed.append(json.loads(line))
            except ValueError:
                parsed.append({"text": line})
        return parsed

    def tail(self, count=30):
        return "\n".join(self.log().splitlines()[-count:])

    def says(self, pattern):
        return re.search(pattern, self.log()) is not None

    def wait_for_log(self, pattern, timeout=30):
        def found():
            return self.says(pattern) or not self.alive()

        processes.wait_for(found, f"/{pattern}/ in the log:\n{self.tail()}", timeout)
        assert self.says(pattern), f"the relay ended with {self.process.returncode} without /{pattern}/:\n{self.tail()}"

    def resident_bytes(self):
        status = Path(f"/proc/{self.pid}/status").read_text()
        return int(re.search(r"VmHWM:\s+(\d+) kB", status).group(1)) * 1024


def ask(*words, environment=None, timeout=60, stdin=None):
    """Runs a command of the binary to its end: (exit code, standard output, standard error)."""
    import subprocess

    done = subprocess.run([str(BINARY), *map(str, words)], capture_output=True, text=True, timeout=timeout, input=stdin or "",
                          env={**os.environ, "OUTBOX_RELAY_CONFIG": "", **(environment or {})})
    return done.returncode, done.stdout, done.stderr
