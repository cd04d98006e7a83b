"""The network is cut, servers go away and come back: no gap and no duplicate, without anybody's help."""

import time

from rig.processes import wait_for


def test_the_database_is_restarted_under_load(make_world, own_postgres, kafka):
    postgres = own_postgres()
    world = make_world(postgres, kafka)
    relay = world.start()
    world.wait_until_streaming(relay)
    load = world.load(rate=200)
    for mode in ("fast", "immediate"):
        time.sleep(1)
        postgres.stop(mode)
        time.sleep(0.5)
        postgres.start()
    time.sleep(1)
    load.stop()
    world.wait_until_confirmed(timeout=60)
    world.check()
    assert relay.stop() == 0


def test_the_broker_is_killed_under_load_for_a_moment_and_for_long(make_world, postgres, own_kafka):
    kafka = own_kafka()
    world = make_world(postgres, kafka)
    relay = world.start()
    world.wait_until_streaming(relay)
    load = world.load(rate=200)
    for away in (0, 13):  # longer than the transaction's time-out
        time.sleep(1)
        kafka.kill()
        time.sleep(away)
        kafka.start()
    time.sleep(1)
    load.stop()
    world.wait_until_confirmed(timeout=90)
    world.check()
    assert relay.stop() == 0


def test_broker_and_database_are_killed_in_the_same_second(make_world, own_postgres, own_kafka):
    postgres, kafka = own_postgres(), own_kafka()
    world = make_world(postgres, kafka)
    relay = world.start()
    world.wait_until_streaming(relay)
    load = world.load(rate=200)
    time.sleep(1.5)
    kafka.kill()
    postgres.stop("immediate")
    postgres.start()
    kafka.start()
    time.sleep(1)
    load.stop()
    world.wait_until_confirmed(timeout=90)
    world.check()
    assert relay.stop() == 0


def test_the_database_connection_breaks_with_both_batches_full_and_half_a_transaction_received(make_world, postgres, own_kafka, proxy):
    from rig.processes import Frozen

    kafka = own_kafka()
    world = make_world(postgres, kafka)
    network = proxy(postgres.port)
    config = world.config(pipeline={"batch": {"events": 500}}, database={"url": world.url(port=network.port)})
    relay = world.start(config)
    world.wait_until_streaming(relay)
    world.emit(10)
    world.check()
    with Frozen([kafka.pid()]):
        network.limit = network.passed + 1_500_000
        world.emit_in_bulk(40_000, per_transaction=20_000)
        time.sleep(3)
        network.cut()
        network.thaw()
        time.sleep(1)
    world.wait_until_confirmed(timeout=90)
    world.check(timeout=90)
    assert relay.stop() == 0


def test_a_network_that_is_cut_again_and_again(world, proxy, seed):
    network = proxy(world.postgres.port)
    relay = world.start(world.config(pipeline={"batch": {"events": 200}}, database={"url": world.url(port=network.port)}))
    world.wait_until_streaming(relay)
    load = world.load(rate=300)
    for _ in range(8):
        time.sleep(seed.uniform(0.2, 1.5))
        network.cut()
    load.stop()
    world.wait_until_confirmed(timeout=60)
    world.check()
    assert relay.stop() == 0


def test_a_network_that_swallows_everything_is_noticed(make_world, own_postgres, kafka, proxy):
    postgres = own_postgres("wal_sender_timeout=5s")
    world = make_world(postgres, kafka)
    network = proxy(postgres.port)
    relay = world.start(world.config(database={"url": world.url(port=network.port)}))
    world.wait_until_streaming(relay)
    world.emit(10)
    world.check()
    network.freeze()
    world.emit(10)
    wait_for(lambda: not world.slot_active(), "the server to give up", 20)
    network.cut()
    network.thaw()
    world.wait_until_confirmed(timeout=90)
    world.check()
    assert relay.stop() == 0


def test_the_database_is_there_only_later(make_world, own_postgres, kafka):
    postgres = own_postgres()
    world = make_world(postgres, kafka)
    world.emit(10)
    postgres.stop("fast")
    relay = world.start()
    time.sleep(3)
    assert relay.alive(), relay.tail()
    postgres.start()
    world.check(timeout=60)
    assert relay.stop() == 0


def test_the_broker_is_there_only_later(make_world, postgres, own_kafka):
    kafka = own_kafka()
    world = make_world(postgres, kafka)
    world.emit(10)
    kafka.kill()
    relay = world.start()
    time.sleep(3)
    assert relay.alive(), relay.tail()
    kafka.start()
    world.check(timeout=90)
    assert relay.stop() == 0


def test_partitions_that_are_added_under_load_split_no_key_in_a_wrong_order(world):
    relay = world.start()
    world.wait_until_streaming(relay)
    load = world.load(rate=200)
    wait_for(lambda: world.sequence() > 100, "some delivery")
    world.broker.admin("add-partitions", f"{world.name}.order", 6)
    time.sleep(3)
    load.stop()
    world.wait_until_confirmed()
    summary, rows = world.broker.count(world.topics, expect=len(world.expected_ids()), settle=500)
    assert {row[0] for row in rows} == world.expected_ids()
    assert (summary["duplicates"], summary["sequence_missing"]) == (0, 0)
    assert relay.alive() and relay.stop() == 0


def test_partitions_that_are_added_stop_the_pipeline_when_told_so_and_a_new_start_goes_on(world):
    config = world.config(pipeline={"sink": {"on_partition_change": "halt", "librdkafka": {"topic.metadata.refresh.interval.ms": "2000"}}})
    relay = world.start(config)
    world.wait_until_streaming(relay)
    world.emit(10)
    world.check()
    before = world.broker.progress(world.name)
    world.broker.admin("add-partitions", f"{world.name}.order", 6)

    def stopped():
        world.emit(2)
        return not relay.alive()

    wait_for(stopped, f"the change to be noticed\n{relay.tail()}", 60, 1)
    assert relay.wait() == 78 and relay.says("partition_count_changed"), relay.tail()
    assert world.broker.progress(world.name)["sequence"] >= before["sequence"]
    again = world.start(config)
    world.wait_until_confirmed()
    summary, rows = world.broker.count(world.topics, expect=len(world.expected_ids()), settle=500)
    assert {row[0] for row in rows} == world.expected_ids()
    assert (summary["duplicates"], summary["sequence_missing"]) == (0, 0)
    assert again.stop() == 0
