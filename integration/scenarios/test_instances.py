"""The slot is the lock: a second instance waits, and one that is set up wrongly never disturbs the first."""

from rig.processes import stay, wait_for


def test_a_second_instance_waits_and_takes_over_when_the_first_is_killed(world):
    config = world.config()
    first = world.start(config)
    world.wait_until_streaming(first)
    world.emit(10)
    world.check()
    epoch = world.broker.epoch(world.name)
    second = world.start(config)
    second.wait_for_log("slot_active|standby")
    world.load(rate=100)
    stay(lambda: first.alive() and second.alive() and world.broker.epoch(world.name) == epoch, "the first, undisturbed", 3)
    first.kill()
    before = world.broker.progress(world.name)["sequence"]
    wait_for(lambda: world.broker.progress(world.name)["sequence"] > before, "the second to deliver")
    world.stop_writers()
    world.wait_until_confirmed()
    world.check()
    assert second.stop() == 0


def test_a_standby_ends_in_order_when_told_to(world):
    config = world.config()
    first = world.start(config)
    world.wait_until_streaming(first)
    second = world.start(config)
    second.wait_for_log("slot_active|standby")
    assert second.stop() == 0
    assert first.stop() == 0


def undisturbed(world, first, wrong, code):
    """`wrong` is refused with this code while the first goes on with its epoch."""
    epoch = world.broker.epoch(world.name)
    second = world.start(wrong)
    assert second.wait() == 78, second.tail()
    assert second.says(code), second.tail()
    assert world.broker.epoch(world.name) == epoch, "the first was fenced"
    world.emit(5)
    world.check()
    assert first.alive()
    assert first.stop() == 0


def test_an_instance_with_another_database_never_fences_the_first(world, make_world, postgres, kafka):
    other = make_world(postgres, kafka)
    first = world.start()
    world.wait_until_streaming(first)
    world.emit(5)
    world.check()
    wrong = world.config(database={"url": world.url().replace(f"/{world.name}", f"/{other.name}")}, name="wrong")
    undisturbed(world, first, wrong, "slot_wrong_database")


def test_an_instance_with_another_server_never_fences_the_first(world, own_postgres, make_world, kafka):
    other = make_world(own_postgres(), kafka)
    first = world.start()
    world.wait_until_streaming(first)
    world.emit(5)
    world.check()
    wrong = world.config(database={"url": other.url()}, name="wrong")
    undisturbed(world, first, wrong, "system_identifier_changed")


def test_an_instance_with_another_slot_never_fences_the_first(world):
    first = world.start()
    world.wait_until_streaming(first)
    world.emit(5)
    world.check()
    world.sql("SELECT pg_create_logical_replication_slot(%s, 'pgoutput')", (world.name + "_other",))
    wrong = world.config(pipeline={"source": {"slot": world.name + "_other"}}, name="wrong")
    undisturbed(world, first, wrong, "slot_changed")


def test_a_consumer_is_not_held_up_for_longer_than_the_transaction_timeout_after_a_kill(world):
    config = world.config(pipeline={"batch": {"events": 100}})
    world.load(rate=300)
    relay = world.start(config)
    wait_for(lambda: (world.broker.progress(world.name) or {}).get("sequence", 0) > 300, "some delivery")
    relay.kill()
    again = world.start(config)
    wait_for(lambda: world.slot_active(), "the successor")
    world.stop_writers()
    world.wait_until_confirmed()
    world.check(timeout=20)
    assert again.stop() == 0
