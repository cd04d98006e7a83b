"""Where the processor time of a drain goes: perf, by thread, by library, by function."""

import shutil
import subprocess

from readers import RelayRun, Relay
from dataset import BASE_SLOT
from report import say

TOP = {"comm": 8, "dso": 12, "dso,symbol": 45}
TITLES = {"comm": "by thread", "dso": "by library", "dso,symbol": "by function"}


def why_not():
    """Why perf cannot be used here, or None."""
    if not shutil.which("perf"):
        return "perf is not installed (Debian: apt-get install linux-perf)"
    tried = subprocess.run(["perf", "record", "-o", "/dev/null", "true"], capture_output=True, text=True, check=False)
    return None if tried.returncode == 0 else "perf may not look: " + (tried.stderr.strip().splitlines() or ["no reason given"])[0]


def profile(world, dataset):
    """Records one drain into Kafka and prints it. {what: [[percent, name]]}, or None when perf is not permitted."""
    reason = why_not()
    if reason:
        say(f"no profile: {reason}")
        return None
    data = world.work / "perf.data"
    relay = Relay(world)
    relay.run(dataset)  # not recorded: the broker compiles its code
    run = RelayRun(world, dataset.database, "profile")
    dataset.database.copy_slot(BASE_SLOT, run.slots[0])
    try:
        run.prepare()
        usage = relay.drain(run, ["perf", "record", "-q", "-g", "-F", "1999", "-o", str(data), "--"])
        run.must_have(dataset.rows)
    finally:
        dataset.database.drop_slot(run.slots[0])
        run.clean()
    print(f"\nprofile: {dataset.rows:,} events in {usage.seconds:.1f} s, perf's own work included")
    return {TITLES[key]: top(data, key, lines) for key, lines in TOP.items()}


def top(data, key, lines):
    command = ["perf", "report", "-i", str(data), "--stdio", "--no-children", "-g", "none", "--sort", key, "--percent-limit", "0.3"]
    text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    found = [line.strip().split(None, 1) for line in text.splitlines() if line.strip() and not line.startswith("#")]
    print(f"  {TITLES[key]}")
    for percent, name in found[:lines]:
        print(f"    {percent:>7}  {' '.join(name.split())}")
    return found[:lines]
