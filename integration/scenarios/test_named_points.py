"""Kills at the points of the protocol where a mistake would show, in each part of a pipeline's life.

A proxy in front of the broker knows EndTxn, the request that commits. The witness reads past the proxy's traps.
"""

import re

import pytest
from rig.kafka_proxy import END_TXN
from rig.processes import wait_for

SMALL = {"batch": {"events": 200}}


@pytest.fixture
def trapped(make_world, postgres, kafka_behind_proxy):
    kafka, network = kafka_behind_proxy
    return make_world(postgres, kafka), network


def killed_at(world, network, point, config, skip=0):
    """A relay that is killed when its (skip+1)th commit is asked for (`request`) or done (`answer`)."""
    doomed = []
    network.at(point, END_TXN, lambda: doomed[0].kill(), skip)
    doomed.append(world.start(config))
    return doomed[0]


POINTS = pytest.mark.parametrize("point", ["request", "answer"])


@POINTS
def test_a_kill_around_a_commit_of_live_events_loses_and_repeats_nothing(trapped, point):
    world, network = trapped
    config = world.config()
    relay = world.start(config)
    world.wait_until_streaming(relay)
    world.emit(10, transactions=3)
    world.check()
    for _ in range(3):
        before = world.sequence()
        network.at(point, END_TXN, relay.kill)
        world.emit(10)
        network.wait()
        if point == "answer":  # the commit is decided; its markers may take a moment
            wait_for(lambda: world.sequence() > before, "what was committed to show")
        else:
            assert world.sequence() == before, "the kill did not land where it should"
        relay = world.start(config)
        world.wait_until_confirmed()
        world.check()
    assert relay.stop() == 0


@POINTS
def test_kills_around_every_commit_of_an_initial_read_lose_and_repeat_nothing(trapped, point):
    world, network = trapped
    world.emit_in_bulk(2_000)
    config = world.config(pipeline=SMALL)
    # Each start of the read commits a note or two and then batches of 200; it dies at another one each time.
    killed = 0
    for skip in (0, 1, 2, 3, 4, 4, 3, 2):
        relay = killed_at(world, network, point, config, skip)
        wait_for(lambda: not relay.alive() or world.sequence() >= 2_000, f"a commit\n{relay.tail()}", 60)
        killed += not relay.alive()
        if relay.alive():
            relay.stop()
    assert killed >= 4, "most kills did not land"
    world.emit(10)
    network.at(point, END_TXN, lambda: None, skip=1 << 30)
    world.drain(config)
    world.check()


@POINTS
def test_kills_inside_a_split_transaction_resume_it_exactly(trapped, point):
    world, network = trapped
    config = world.config(pipeline=SMALL)
    world.drain(config)
    world.emit_in_bulk(6_000, per_transaction=6_000)
    landed = 0
    for skip in (1, 0, 3, 2):
        relay = killed_at(world, network, point, config, skip)
        wait_for(lambda: not relay.alive() or world.sequence() >= 6_000, f"a commit\n{relay.tail()}", 60)
        landed += 0 < world.sequence() < 6_000
        if relay.alive():
            relay.stop()
    assert landed >= 2, "no kill landed inside the transaction"
    network.at(point, END_TXN, lambda: None, skip=1 << 30)
    world.drain(config)
    world.check()


def test_a_kill_between_commit_and_confirmation_repeats_nothing(make_world, postgres, kafka, proxy):
    """The stored progress is ahead of the slot: everything in between comes again from the server, and is dropped."""
    world = make_world(postgres, kafka)
    network = proxy(postgres.port)
    config = world.config(database={"url": world.url(port=network.port)})
    relay = world.start(config)
    world.wait_until_streaming(relay)
    world.emit(10)
    world.wait_until_confirmed()
    confirmed = world.confirmed()
    network.hold_back_requests()
    world.emit(10, transactions=5)
    world.wait_until_delivered(relay, 60)
    assert world.confirmed() == confirmed, "the confirmation came through"
    relay.kill()
    network.cut()
    network.thaw()
    again = world.start(config)
    world.emit(10)
    world.check()
    world.wait_until_confirmed()
    assert again.stop() == 0


def test_a_commit_whose_answer_is_lost_is_asked_again_and_the_producer_replaced(trapped):
    """A second EndTxn that comes late could end a later transaction of the same epoch; a new epoch makes that harmless."""
    world, network = trapped
    relay = world.start()
    world.wait_until_streaming(relay)
    world.emit(10)
    world.check()
    epoch = world.broker.epoch(world.name)
    network.at("answer", END_TXN, network.cut)
    world.emit(10)
    network.wait()
    world.check()
    world.emit(10)
    world.check()
    assert world.broker.epoch(world.name) != epoch, "the producer that may have a commit under way was used again"
    assert len(re.findall('"event":"started"', relay.log())) == 1, f"it began anew\n{relay.tail()}"
    assert relay.stop() == 0
