"""Nobody has to wait for us: neither who stops the relay nor who stops the database."""

import signal
import time

import pytest
from rig.processes import Frozen, wait_for


def test_sigterm_under_load_exits_with_0_within_ten_seconds(world):
    relay = world.start()
    world.wait_until_streaming(relay)
    world.load(rate=500)
    time.sleep(1)
    begun = time.monotonic()
    assert relay.stop(15) == 0, relay.tail()
    assert time.monotonic() - begun < 10
    world.stop_writers()
    world.drain()
    world.check()


def test_sigterm_with_the_broker_frozen_exits_within_ten_seconds_and_nothing_is_lost(make_world, postgres, own_kafka):
    kafka = own_kafka()
    world = make_world(postgres, kafka)
    relay = world.start()
    world.wait_until_streaming(relay)
    world.emit(10)
    world.check()
    with Frozen([kafka.pid()]):
        world.emit(10)
        time.sleep(1)
        begun = time.monotonic()
        relay.signal(signal.SIGTERM)
        code = relay.wait(20)
        assert time.monotonic() - begun < 11
        assert code in (0, 75), relay.tail()
    world.drain()
    world.check()


def stop_takes(postgres):
    begun = time.monotonic()
    postgres.stop("fast")
    return time.monotonic() - begun


@pytest.mark.parametrize("sender_timeout", ["60s", "0"])
@pytest.mark.parametrize("broker", ["up", "down", "frozen"])
def test_the_database_stops_within_five_seconds(make_world, own_postgres, own_kafka, broker, sender_timeout):
    postgres, kafka = own_postgres(f"wal_sender_timeout={sender_timeout}"), own_kafka()
    world = make_world(postgres, kafka)
    relay = world.start()
    world.wait_until_streaming(relay)
    world.emit(10)
    world.check()
    frozen = Frozen([kafka.pid()] if broker == "frozen" else [])
    if broker == "down":
        kafka.kill()
    with frozen:
        world.emit_in_bulk(30_000)  # more than two batches hold, so that the relay has stopped reading
        time.sleep(1)
        assert stop_takes(postgres) < 5
        assert relay.alive(), relay.tail()
    if broker == "down":
        kafka.start()
    postgres.start()
    world.wait_until_confirmed(timeout=90)
    world.check(timeout=90)
    assert relay.stop() == 0


def test_a_relay_that_was_frozen_goes_on(make_world, own_postgres, kafka):
    world = make_world(own_postgres("wal_sender_timeout=4s"), kafka)
    relay = world.start()
    world.wait_until_streaming(relay)
    world.emit(10)
    with Frozen([relay.pid]):
        world.emit(10)
        wait_for(lambda: not world.slot_active(), "the server to give up on the relay", 20)
    world.wait_until_confirmed()
    world.check()
    assert relay.stop() == 0


def test_a_frozen_broker_delays_and_loses_nothing(make_world, postgres, own_kafka):
    kafka = own_kafka()
    world = make_world(postgres, kafka)
    relay = world.start()
    world.wait_until_streaming(relay)
    world.load(rate=200)
    with Frozen([kafka.pid()]):
        time.sleep(14)  # longer than the transaction's time-out
    world.stop_writers()
    world.wait_until_confirmed(timeout=90)
    world.check(timeout=60)
    assert relay.stop() == 0


def test_a_frozen_database_delays_and_loses_nothing(make_world, own_postgres, kafka):
    postgres = own_postgres("wal_sender_timeout=6s")
    world = make_world(postgres, kafka)
    relay = world.start()
    world.wait_until_streaming(relay)
    world.emit(10, transactions=5)
    with Frozen(postgres.pids()):
        time.sleep(9)
    world.emit(10, transactions=5)
    world.wait_until_confirmed(timeout=90)
    world.check()
    assert relay.stop() == 0


def test_the_slot_is_given_back_while_the_broker_is_away_and_taken_again(make_world, postgres, own_kafka):
    kafka = own_kafka()
    world = make_world(postgres, kafka)
    relay = world.start(world.config(pipeline={"stall_release": "6s"}))
    world.wait_until_streaming(relay)
    world.emit(10)
    world.check()
    kafka.kill()
    world.emit(10)
    wait_for(lambda: not world.slot_active(), f"the slot to be given back\n{relay.tail()}", 30)
    kafka.start()
    world.wait_until_confirmed(timeout=90)
    world.check()
    assert relay.stop() == 0
