"""A database that is not the one it was: restored copies and other time lines. Refused, and nothing dropped."""

import shutil
import subprocess

import pytest
from rig.processes import wait_for
from rig.relay import ask


def copy_of(postgres, name):
    """The data directory of a stopped server, beside the real one."""
    target = postgres.data.parent / name
    subprocess.run(["cp", "-a", postgres.data, target], check=True)
    return target


def put_back(postgres, copy):
    shutil.rmtree(postgres.data)
    copy.rename(postgres.data)


def start_on_a_new_timeline(postgres):
    """As a promoted standby: what is there is kept, and history forks at its end."""
    with open(postgres.data / "postgresql.auto.conf", "a") as settings:
        settings.write("restore_command = 'false'\n")
    (postgres.data / "recovery.signal").touch()
    postgres.start()
    wait_for(lambda: not postgres.query("SELECT pg_is_in_recovery()")[0][0], "the end of recovery")
    assert postgres.query("SELECT pg_walfile_name(pg_current_wal_lsn())")[0][0].startswith("00000002")


@pytest.fixture
def delivered_then_rolled_back(make_world, own_postgres, kafka):
    """A world whose data directory is older than what was delivered from it; the server is stopped."""
    postgres = own_postgres()
    world = make_world(postgres, kafka)
    world.emit(10)
    world.drain()
    postgres.stop("fast")
    copy = copy_of(postgres, "copy")
    postgres.start()
    world.emit(50)
    world.drain()
    world.check()
    postgres.stop("fast")
    put_back(postgres, copy)
    return world


def refused(world, codes):
    """Twice, with 78 and the same stored progress; nothing is delivered."""
    stored = world.broker.progress(world.name)
    confirmed = world.confirmed()
    records = world.broker.count(world.topics)[0]["records"]
    for _ in range(2):
        relay = world.start()
        assert relay.wait() == 78, relay.tail()
        assert relay.says(codes), relay.tail()
        assert relay.says("progress adopt"), "the way on is not named"
    assert world.broker.progress(world.name) == stored
    assert world.confirmed() == confirmed
    assert world.broker.count(world.topics)[0]["records"] == records


def test_a_rolled_back_data_directory_is_refused(delivered_then_rolled_back):
    world = delivered_then_rolled_back
    world.postgres.start()
    refused(world, "wal_behind_progress")


def test_a_rolled_back_data_directory_that_has_been_written_on_is_refused(delivered_then_rolled_back):
    """Its WAL is longer than what was delivered, but it is another history."""
    world = delivered_then_rolled_back
    world.postgres.start()
    world.emit(60, transactions=30)
    world.write_elsewhere(2)
    stored = world.broker.progress(world.name)
    relay = world.start()
    assert relay.wait() == 78, relay.tail()
    assert world.broker.progress(world.name) == stored, "something was taken from the other history"
    code, out, _ = ask("progress", "adopt", "-c", world.config(), "--pipeline", world.name, "--confirm", world.name)
    assert code == 0, out
    again = world.start()
    world.wait_until_confirmed()
    delivered = {row[0] for row in world.broker.count(world.topics, settle=500)[1]}
    assert world.expected_ids() <= delivered, "new commits were dropped as if they had been delivered"
    assert again.stop() == 0


def test_a_copy_that_was_promoted_before_what_was_delivered_is_refused(delivered_then_rolled_back):
    world = delivered_then_rolled_back
    start_on_a_new_timeline(world.postgres)
    world.emit(60, transactions=30)
    refused(world, "timeline_diverged")


def test_a_promotion_after_everything_was_delivered_goes_on(make_world, own_postgres, kafka):
    postgres = own_postgres()
    world = make_world(postgres, kafka)
    world.emit(10)
    world.drain()
    postgres.stop("fast")
    start_on_a_new_timeline(postgres)
    world.emit(10)
    world.drain()
    world.check()


def test_a_slot_that_is_ahead_of_the_stored_position_is_refused_and_can_be_adopted(world):
    world.emit(10)
    world.drain()
    world.emit(10)
    skipped = world.expected_ids()
    world.sql("SELECT pg_replication_slot_advance(%s, pg_current_wal_insert_lsn())", (world.slot,))
    refused(world, "slot_ahead_of_progress")
    config = world.config()
    code, out, err = ask("progress", "adopt", "-c", config, "--pipeline", world.name, "--confirm", world.name)
    assert code == 0, out + err
    world.emit(10)
    world.drain()
    summary, rows = world.broker.count(world.topics, expect=20)
    assert (summary["records"], summary["duplicates"], summary["sequence_missing"]) == (20, 0, 0)
    assert len({row[0] for row in rows} - skipped) == 10


@pytest.fixture
def two_primaries(make_world, own_postgres, kafka):
    """A world that has delivered some, and another server with the same history, promoted; both are alive."""
    postgres, other = own_postgres(), own_postgres()
    world = make_world(postgres, kafka)
    world.emit(10)
    world.drain()
    other.stop("immediate")
    postgres.stop("fast")
    shutil.rmtree(other.data)
    subprocess.run(["cp", "-a", postgres.data, other.data], check=True)
    postgres.start()
    with open(other.data / "postgresql.auto.conf", "a") as settings:
        settings.write(f"port = {other.port}\nunix_socket_directories = '{other.directory}/postgres/socket'\n")
    other.password = postgres.password
    start_on_a_new_timeline(other)
    return world, other


def test_of_two_primaries_that_are_both_alive_only_the_delivered_history_goes_on(two_primaries):
    world, promoted = two_primaries
    there = world.config(database={"url": world.url(port=promoted.port)}, name="there")

    first = world.start(world.config())
    world.wait_until_streaming(first)
    world.emit(20)
    world.check()
    promoted.query("SELECT emit(1, 60) FROM generate_series(1, 30)", database=world.name)
    epoch = world.broker.epoch(world.name)
    second = world.start(there)
    assert second.wait() == 78, second.tail()
    assert second.says("timeline_diverged"), second.tail()
    assert world.broker.epoch(world.name) == epoch, "the first was fenced"
    world.emit(10)
    world.check()
    assert first.stop() == 0


def test_after_a_promoted_server_was_followed_the_old_primary_is_refused(two_primaries):
    world, promoted = two_primaries
    promoted.query("SELECT emit(1, 60)", database=world.name)
    world.drain(world.config(database={"url": world.url(port=promoted.port)}, name="there"))
    world.emit(60, transactions=30)
    world.write_elsewhere(2)
    refused(world, "timeline_behind")
