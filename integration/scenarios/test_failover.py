"""Failover to a standby that has the slot (PostgreSQL 17 on), and to one that lacks what was delivered."""

import pytest
from rig.processes import wait_for
from rig.relay import ask

FAILOVER = {"source": {"failover": True}}


@pytest.fixture(params=[17, 18])
def pair(request, make_world, own_postgres, own_directory, kafka):
    """A world on a primary, and its standby, which synchronises slots."""
    postgres = own_postgres("wal_level=logical", major=request.param)
    world = make_world(postgres, kafka)
    standby = postgres.standby(own_directory())
    return world, standby


def both(world, standby):
    """A URL of both servers, whichever accepts writes."""
    url = world.url().replace(f"127.0.0.1:{world.postgres.port}", f"127.0.0.1:{world.postgres.port},127.0.0.1:{standby.port}")
    return {"url": url + "?target_session_attrs=read-write"}


def slot_is_synchronised(world, standby):
    """The standby could be promoted now, and its slot would go on. (Where sync_replication_slots is on, a worker does this.)"""
    standby.query("SELECT pg_sync_replication_slots()")
    rows = standby.query("SELECT NOT temporary AND confirmed_flush_lsn IS NOT NULL FROM pg_replication_slots WHERE slot_name = %s AND synced",
                         (world.slot,))
    return bool(rows) and rows[0][0]


def delivering(world, standby):
    """A relay that has delivered fifty events, with its configuration; the standby has the slot."""
    config = world.config(pipeline=FAILOVER, database=both(world, standby))
    relay = world.start(config)
    world.wait_until_streaming(relay)
    world.emit(10, transactions=5)
    world.wait_until_delivered(relay, 50)
    world.wait_until_confirmed(relay)
    wait_for(lambda: slot_is_synchronised(world, standby), "the slot on the standby", 60, 0.5)
    return relay, config


def wait_for_rows(world, standby, count):
    wait_for(lambda: standby.query("SELECT count(*) FROM outbox", database=world.name)[0][0] == count, "the standby's rows")


def test_a_promoted_standby_with_the_slot_continues_without_loss_or_repetition(pair):
    world, standby = pair
    world.postgres.query("ALTER SYSTEM SET synchronized_standby_slots = 'standby_1'")
    world.postgres.query("SELECT pg_reload_conf()")
    relay, _ = delivering(world, standby)
    world.emit(10, transactions=5)
    wait_for_rows(world, standby, 100)
    world.postgres.stop("immediate")
    standby.promote()
    world.postgres = standby
    world.emit(10, transactions=5)
    world.check()
    assert relay.stop() == 0


def test_a_promoted_standby_that_lacks_what_was_delivered_is_refused_with_the_window(pair):
    world, standby = pair
    relay, config = delivering(world, standby)
    wait_for_rows(world, standby, 50)
    standby.stop()  # nothing holds delivery back: synchronized_standby_slots is empty
    world.emit(10, transactions=5)
    world.wait_until_delivered(relay, 100)
    world.postgres.stop("immediate")
    standby.start()
    standby.promote()
    world.postgres = standby
    assert relay.wait(60) == 78, relay.tail()
    assert relay.says("timeline_diverged|wal_behind_progress"), relay.tail()
    assert relay.says("progress adopt"), relay.tail()
    code, out, err = ask("progress", "adopt", "-c", config, "--pipeline", world.name, "--confirm", world.name)
    assert code == 0, out + err
    world.emit(10)
    world.drain(config)
    delivered = {row[0] for row in world.broker.count(world.topics, settle=500)[1]}
    assert world.expected_ids() <= delivered


def test_a_standby_without_the_slot_is_refused(make_world, own_postgres, own_directory, kafka):
    postgres = own_postgres(major=16)
    world = make_world(postgres, kafka)
    standby = postgres.standby(own_directory())
    config = world.config(database=both(world, standby))
    world.emit(10)
    world.drain(config)
    wait_for_rows(world, standby, 10)
    world.postgres.stop("immediate")
    standby.promote()
    world.postgres = standby
    relay = world.start(config)
    assert relay.wait() == 78 and relay.says("slot_missing"), relay.tail()


def test_failover_is_refused_where_the_server_cannot_and_enabled_later_where_it_can(make_world, own_postgres, postgres, kafka):
    world = make_world(postgres, kafka)
    relay = world.start(world.config(pipeline=FAILOVER))
    assert relay.wait() == 78 and relay.says("failover_unsupported"), relay.tail()
    world = make_world(own_postgres(major=17), kafka)
    world.emit(5)
    world.drain()
    assert not world.value("SELECT failover FROM pg_replication_slots")
    config = world.config(pipeline=FAILOVER)
    code, out, _ = ask("doctor", "-c", config)
    assert "synchronized_standby_slots_unset" in out and "not synchronised to standbys yet" in out, out
    world.emit(5)
    world.drain(config)
    assert world.value("SELECT failover FROM pg_replication_slots")
    world.check()


def test_a_second_instance_that_wants_failover_waits_for_the_slot_without_holding_a_server_process(make_world, own_postgres, kafka):
    world = make_world(own_postgres(major=17), kafka)
    first = world.start()
    world.wait_until_streaming(first)
    second = world.start(world.config(pipeline=FAILOVER, name="second"))
    second.wait_for_log("standby")
    world.emit(5)
    world.wait_until_delivered(first, 5)
    assert not world.postgres.query("SELECT 1 FROM pg_stat_activity WHERE wait_event = 'ReplicationSlotDrop'")
    assert first.stop() == 0
    wait_for(lambda: world.value("SELECT failover FROM pg_replication_slots"), f"the slot's change\n{second.tail()}")
    world.emit(5)
    world.check()
    assert second.stop() == 0
