"""Existing rows while the application goes on writing: no gap, no overlap, also when killed and resumed."""

import contextlib
import time

import psycopg2
import pytest

from rig.processes import Frozen, wait_for

SMALL = {"batch": {"events": 300}}


def killed_while_reading(world, config, rows):
    before = world.sequence()
    relay = world.start(config)
    wait_for(lambda: world.sequence() > before or not relay.alive(), f"the initial read\n{relay.tail()}", every=0.01)
    relay.kill()
    assert world.sequence() < rows, "the initial read was through before it was killed"


@contextlib.contextmanager
def slot_under_way(world):
    """A transaction is open that has written, so a relay that was started waits for its slot. Commits at the end."""
    transaction = world.postgres.connect(world.name)
    transaction.autocommit = False
    try:
        with transaction.cursor() as cursor:
            cursor.execute("SELECT emit(301)")
        relay = world.start()
        wait_for(lambda: world.postgres.query("SELECT 1 FROM pg_replication_slots WHERE slot_name = %s", (world.slot,)),
                 f"the slot to be under way\n{relay.tail()}")
        yield relay
        transaction.commit()
    finally:
        transaction.close()


def test_rows_written_during_the_initial_read_arrive_once(world):
    world.emit_in_bulk(30_000)
    world.load(rate=0, sessions=6)
    time.sleep(0.5)
    relay = world.start(world.config(pipeline=SMALL))
    world.wait_until_delivered(relay, 32_000, 60)
    world.stop_writers()
    world.wait_until_confirmed()
    world.check()
    assert relay.stop() == 0


def test_savepoints_that_are_open_when_the_slot_is_made_neither_lose_nor_repeat_their_rows(world):
    """Transactions with subtransactions begin and end around the consistent point, again and again."""
    world.emit_in_bulk(50_000)
    world.load(rate=0, sessions=8)
    config = world.config(pipeline=SMALL)
    time.sleep(0.3)
    for _ in range(3):
        killed_while_reading(world, config, 50_000)
    relay = world.start(config)
    world.wait_until_delivered(relay, 51_000, 60)
    world.stop_writers()
    world.wait_until_confirmed()
    world.check()
    assert relay.stop() == 0


def test_a_kill_between_making_the_slot_and_storing_its_place_begins_anew(world):
    """A transaction that is open keeps the slot from being made; the relay is killed in that moment."""
    world.emit(50)
    with slot_under_way(world) as relay:
        relay.kill()
        world.emit(50)
    world.drain()
    world.check()


def test_deleted_rows_are_not_sent_and_truncate_waits_for_the_reader(world):
    world.emit_in_bulk(20_000)
    world.sql("DELETE FROM outbox WHERE (payload->>'n')::int % 3 = 0")
    expected = world.expected_ids()
    world.drain(world.config(pipeline=SMALL))
    world.sql("TRUNCATE outbox")
    world.drain(world.config(pipeline=SMALL))
    world.check(expected=expected)


def test_rows_that_are_deleted_or_changed_during_the_read_arrive_as_they_were_and_truncate_waits(world):
    world.emit_in_bulk(60_000)
    expected = world.expected_ids()
    relay = world.start(world.config(pipeline=SMALL))
    wait_for(lambda: world.sequence() > 0 or not relay.alive(), f"the initial read\n{relay.tail()}", every=0.01)
    with Frozen([relay.pid]):
        assert world.sequence() < 50_000, "the initial read was through before it was frozen"
        with pytest.raises(psycopg2.errors.LockNotAvailable):
            world.sql("SET lock_timeout = '300ms'; TRUNCATE outbox")
        world.sql("UPDATE outbox SET type = 'Rewritten' WHERE id IN (SELECT id FROM outbox ORDER BY created_at DESC LIMIT 50)")
        world.sql("DELETE FROM outbox WHERE id IN (SELECT id FROM outbox ORDER BY created_at DESC LIMIT 10)")
        world.emit(100)
    world.wait_until_confirmed()
    world.check(expected=expected | world.expected_ids())
    assert not any(r["headers"]["type"] == "Rewritten" for r in world.broker.records(world.topics))
    assert relay.stop() == 0


LAST = "(SELECT id FROM outbox ORDER BY created_at DESC LIMIT 1)"


@pytest.mark.parametrize(
    "statement, code",
    [
        (f"UPDATE outbox SET type = 'Rewritten' WHERE id = {LAST}", "snapshot_rows_changed"),
        (f"DELETE FROM outbox WHERE id = {LAST}", "snapshot_rows_changed"),
        ("TRUNCATE outbox", "snapshot_table_rewritten"),
        ("ALTER TABLE outbox ADD COLUMN salt double precision DEFAULT random()", "snapshot_table_rewritten"),
        ("ALTER PUBLICATION outbox_relay SET (publish = 'insert')", "snapshot_changes_hidden"),
    ],
)
def test_what_changes_or_hides_unread_rows_before_a_read_is_resumed_is_refused_by_default(world, statement, code):
    config = world.config(pipeline=SMALL)
    world.emit_in_bulk(60_000)
    killed_while_reading(world, config, 60_000)
    world.sql(statement)
    confirmed = world.confirmed()
    relay = world.start(config, command=("drain",))
    assert relay.wait(60) == 78, relay.tail()
    assert relay.says(code), relay.tail()
    assert world.confirmed() == confirmed


def test_sigterm_while_the_slot_waits_for_an_open_transaction_ends_in_order_and_leaves_no_slot(world):
    world.emit(5)
    with slot_under_way(world) as relay:
        begun = time.monotonic()
        assert relay.stop() == 0, relay.tail()
        assert time.monotonic() - begun < 5
        wait_for(lambda: world.confirmed() is None and not world.slot_active(), "the half-made slot to be gone", 10)
    world.drain()
    world.check()


def test_existing_rows_without_a_choice_are_a_refusal(world):
    world.emit(3)
    relay = world.start(world.config(pipeline={"source": {"snapshot": None}}))
    assert relay.wait() == 78
    assert relay.says("snapshot_choice_required"), relay.tail()
    assert world.confirmed() is None


def test_an_empty_table_needs_no_choice(world):
    relay = world.start(world.config(pipeline={"source": {"snapshot": None}}))
    world.wait_until_streaming(relay)
    world.emit(3)
    world.check()
    assert relay.stop() == 0
