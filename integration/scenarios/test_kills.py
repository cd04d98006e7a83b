"""kill -9 at random moments. Only kills that land in delivery count."""

import itertools
import json

import pytest
from rig.processes import wait_for

SMALL_BATCHES = {"batch": {"events": 300}}


class Storm:
    """Starts a relay, kills it, and again, until enough kills have landed while it was delivering."""

    def __init__(self, world, seed, config, command=("run",)):
        self.world, self.seed, self.config, self.command = world, seed, config, command
        self.landed = 0

    def kill_once(self, longest=0.6, unfinished=lambda: True):
        """True when the relay delivered something and was not through when it was killed."""
        before = self.world.sequence()
        relay = self.world.start(self.config, command=self.command)
        wait_for(lambda: self.world.slot_active() or not relay.alive(), f"the slot to be taken\n{relay.tail()}", every=0.01)
        wait_for(lambda: self.world.sequence() > before or not relay.alive(), f"the first delivery\n{relay.tail()}", every=0.01)
        wait_until = self.seed.uniform(0, longest)
        try:
            code = relay.process.wait(wait_until)
            assert code == 0, f"the relay ended by itself with {code}\n{relay.tail()}"
            return False  # a drain that was through
        except Exception as still_running:
            if isinstance(still_running, AssertionError):
                raise
        relay.kill()
        landed = self.world.sequence() > before and unfinished()
        self.landed += landed
        return landed

    def until(self, kills, limit, **options):
        for tries in itertools.count(1):
            self.kill_once(**options)
            if self.landed >= kills:
                return
            assert tries < limit, f"only {self.landed} of {tries} kills landed in delivery"


def storm_over_everything(world, seed, each, rows):
    """Over the initial rows, over a drain, and under live load."""
    config = world.config(pipeline=SMALL_BATCHES)
    world.emit_in_bulk(rows)
    initial = Storm(world, seed, config)
    initial.until(each, limit=each * 3, longest=0.15, unfinished=lambda: world.sequence() < rows)
    world.drain(config)
    world.check()
    drained = Storm(world, seed, config, command=("drain",))
    for _ in range(each * 4):
        if drained.landed >= each:
            break
        world.emit_in_bulk(rows // 4, per_transaction=7000)
        for _ in range(each):
            if not drained.kill_once(longest=0.2) or drained.landed >= each:
                break
    assert drained.landed >= each
    world.load(rate=300)
    live = Storm(world, seed, config)
    live.until(each, limit=each * 3)
    world.stop_writers()
    world.drain(config)
    world.check(settle=1000)
    for relay in world.relays:  # fencing ends a dead relay's transaction; nobody waits for its time-out
        assert not relay.says("progress_blocked"), relay.tail()
    return initial.landed + drained.landed + live.landed


def test_kills_over_initial_rows_drain_and_live_load_lose_and_repeat_nothing(world, seed):
    landed = storm_over_everything(world, seed, each=5, rows=60_000)
    assert landed >= 15


@pytest.mark.long
def test_a_hundred_kills_lose_and_repeat_nothing(world, seed):
    landed = storm_over_everything(world, seed, each=34, rows=300_000)
    assert landed >= 100


class Chaos:
    """Everything that can be killed is, one after the other or together, under load."""

    def __init__(self, world, postgres, kafka, seed):
        self.world, self.postgres, self.kafka, self.seed = world, postgres, kafka, seed
        self.config = world.config(pipeline=SMALL_BATCHES)
        self.running = [world.start(self.config)]
        self.counts = {}

    def kill_relay(self):
        victim = self.running.pop(self.seed.randrange(len(self.running)))
        victim.kill()

    def kill_broker(self):
        self.kafka.kill()
        self.seed.random() < 0.5 and self.pause(3)
        self.kafka.start()

    def kill_database(self):
        self.postgres.stop("immediate")
        self.postgres.start()

    def kill_both(self):
        self.postgres.stop("immediate")
        self.kafka.kill()
        self.kafka.start()
        self.postgres.start()

    def second_instance(self):
        self.running.append(self.world.start(self.config))

    def pause(self, longest):
        import time

        time.sleep(self.seed.uniform(0.2, longest))

    def step(self):
        action = self.seed.choice([self.kill_relay] * 6 + [self.second_instance] * 2 + [self.kill_broker, self.kill_database])
        action()
        self.counts[action.__name__] = self.counts.get(action.__name__, 0) + 1
        while len(self.running) < 1:
            self.running.append(self.world.start(self.config))
        for relay in self.running:
            code = relay.process.poll()
            assert code is None, f"a relay ended by itself with {code}\n{relay.tail()}"
        self.pause(2.5)


def chaos(world, postgres, kafka, seed, steps):
    world.emit_in_bulk(20_000)
    storm = Chaos(world, postgres, kafka, seed)
    world.load(rate=150)
    for _ in range(steps):
        storm.step()
    storm.kill_both()
    world.stop_writers()
    world.wait_until_confirmed(timeout=120)
    summary = world.check(timeout=120, settle=2000)
    print(json.dumps(storm.counts), json.dumps(summary))
    for relay in storm.running[:1]:
        assert relay.alive()


def test_relay_broker_and_database_are_killed_in_turn_and_together(make_world, own_postgres, own_kafka, seed):
    postgres, kafka = own_postgres(), own_kafka()
    chaos(make_world(postgres, kafka), postgres, kafka, seed, steps=8)


@pytest.mark.long
def test_relay_broker_and_database_are_killed_for_many_minutes(make_world, own_postgres, own_kafka, seed):
    postgres, kafka = own_postgres(), own_kafka()
    chaos(make_world(postgres, kafka), postgres, kafka, seed, steps=150)
