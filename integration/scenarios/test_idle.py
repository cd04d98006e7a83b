"""An idle outbox does not keep the database's WAL."""

from rig.processes import wait_for


def test_wal_of_other_tables_is_freed_and_a_restart_after_kill_finds_its_place(world):
    relay = world.start()
    world.wait_until_streaming(relay)
    world.emit(5)
    world.check()
    sequence = world.broker.progress(world.name)["sequence"]
    before = world.wal_end()
    world.write_elsewhere(mebibytes=24)
    wait_for(lambda: world.confirmed() > before, "confirmed_flush_lsn to move on without events", 25)
    progress = world.broker.progress(world.name)
    assert progress["sequence"] == sequence
    high, low = (int(half, 16) for half in progress["end_lsn"].split("/"))
    assert world.confirmed() <= high * 2**32 + low, "confirmed more than is stored"
    relay.kill()
    again = world.start()
    world.wait_until_streaming(again)
    world.emit(5)
    world.check()
    assert again.stop() == 0


def test_confirmed_never_passes_the_stored_position(world):
    relay = world.start()
    world.wait_until_streaming(relay)
    world.load(rate=300)
    for _ in range(40):
        confirmed = world.confirmed()  # asked first: the stored position may move on in between, never back
        progress = world.broker.progress(world.name)
        high, low = (int(half, 16) for half in progress["end_lsn"].split("/"))
        assert confirmed <= high * 2**32 + low
    assert relay.stop() == 0


def test_nothing_is_written_to_the_database_and_little_to_the_broker_while_nothing_happens(world):
    relay = world.start()
    world.wait_until_streaming(relay)
    world.emit(5)
    world.check()
    offset = world.broker.admin("last", f"outbox-relay.progress.{world.name}", 0)["offset"]
    import time

    time.sleep(12)
    later = world.broker.admin("last", f"outbox-relay.progress.{world.name}", 0)["offset"]
    assert later - offset <= 6, "an idle pipeline keeps writing progress"
    assert relay.stop() == 0


def test_wal_of_ignored_changes_alone_is_freed_and_a_restart_after_kill_finds_its_place(world):
    """Everything that is decoded is filtered: rows of a table that is none of ours, updates and deletes of the outbox."""
    world.sql("ALTER PUBLICATION outbox_relay ADD TABLE elsewhere")
    config = world.config(pipeline={"source": {"unmatched_tables": "ignore"}})
    relay = world.start(config)
    world.wait_until_streaming(relay)
    world.emit(200)
    world.wait_until_delivered(relay, 200)
    expected = world.expected_ids()
    world.wait_until_confirmed()
    before = world.wal_end()
    world.write_elsewhere(mebibytes=24)
    world.sql("UPDATE outbox SET type = 'Later'")
    world.sql("DELETE FROM outbox")
    wait_for(lambda: world.confirmed() > before, "confirmed_flush_lsn to move on without events", 25)
    assert world.sequence() == 200
    relay.kill()
    world.write_elsewhere()
    again = world.start(config)
    world.wait_until_streaming(again)
    world.emit(5)
    world.check(expected=expected | world.expected_ids())
    world.wait_until_confirmed()
    assert again.stop() == 0
