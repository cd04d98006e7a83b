"""`drain`: the form for a Kubernetes Job."""

import signal
import time


def test_a_drain_delivers_all_that_was_committed_before_and_exits_with_0(world):
    world.emit_in_bulk(5000)
    world.drain()
    world.check(timeout=5)
    world.emit(20, transactions=5)
    world.drain()
    world.check(timeout=5)


def test_a_drain_with_nothing_to_do_exits_with_0(world):
    world.drain()
    world.drain()
    assert world.broker.records(world.topics) == []


def test_a_drain_ends_although_others_write_all_the_time(world):
    world.drain()
    world.load(rate=300)
    time.sleep(1)
    begun = time.monotonic()
    before = world.expected_ids()
    world.drain(timeout=30)
    assert time.monotonic() - begun < 25
    summary, rows = world.broker.count(world.topics, expect=len(before), timeout=5)
    assert before <= {row[0] for row in rows}


def test_a_drain_that_runs_out_of_time_exits_with_75_and_the_next_goes_on(world):
    world.drain()
    world.emit_in_bulk(200_000, per_transaction=5000)
    slow = world.config(pipeline={"batch": {"events": 100}})
    relay = world.start(slow, command=("drain", "--timeout", "1s"))
    assert relay.wait(30) == 75, relay.tail()
    world.drain()
    world.check(timeout=30)


def test_a_drain_that_gets_sigterm_exits_with_75_and_the_next_goes_on(world):
    world.drain()
    world.emit_in_bulk(200_000, per_transaction=5000)
    slow = world.config(pipeline={"batch": {"events": 100}})
    relay = world.start(slow, command=("drain",))
    world.wait_until_streaming(relay)
    time.sleep(0.3)
    relay.signal(signal.SIGTERM)
    begun = time.monotonic()
    assert relay.wait(15) == 75, relay.tail()
    assert time.monotonic() - begun < 10
    world.drain()
    world.check(timeout=30)


def test_a_drain_whose_broker_never_answers_says_where_it_stood_and_what_to_ask(world):
    config = world.config(pipeline={"sink": {"bootstrap_servers": "127.0.0.1:1"}})
    relay = world.start(config, command=("drain", "--timeout", "2s"))
    assert relay.wait(20) == 75, relay.tail()
    assert relay.says("drain_out_of_time") and relay.says("outbox-relay doctor"), relay.tail()
    assert world.confirmed() is None
