"""The progress topic is the memory. What happens to it is noticed before anything is delivered."""

import json
import time

import pytest
from rig.processes import wait_for
from rig.relay import ask


def topic_of(world):
    return f"outbox-relay.progress.{world.name}"


def deliver_some(world):
    world.emit(20)
    world.drain()
    world.check()
    return world.confirmed()


def refused(world, code, config=None):
    confirmed = world.confirmed()
    relay = world.start(config)
    assert relay.wait() == 78, relay.tail()
    assert relay.says(code), relay.tail()
    assert world.confirmed() == confirmed
    return relay


def delete_topic(world):
    world.broker.admin("delete-topic", topic_of(world))
    wait_for(lambda: topic_of(world) not in world.broker.topics(), "the topic to be gone")


def test_it_is_made_with_the_settings_that_it_needs(world):
    deliver_some(world)
    topic = world.broker.admin("topic", topic_of(world))
    assert topic["partitions"] == 1
    assert topic["cleanup.policy"] == "compact"
    assert topic["segment.bytes"] == str(16 << 20)
    assert topic["segment.ms"] == "600000"
    assert topic["unclean.leader.election.enable"] == "false"


def test_a_deleted_topic_is_refused_and_the_slot_can_be_adopted(world):
    deliver_some(world)
    delete_topic(world)
    world.emit(10)
    relay = refused(world, "progress_missing")
    assert relay.says("progress adopt")
    code, out, err = ask("progress", "adopt", "-c", world.config(), "--pipeline", world.name, "--confirm", world.name)
    assert code == 0, out + err
    world.drain()
    delivered = {row[0] for row in world.broker.count(world.topics)[1]}
    assert delivered == world.expected_ids()


def test_a_topic_with_delete_policy_is_refused(world):
    deliver_some(world)
    world.broker.admin("set-topic", topic_of(world), "cleanup.policy=delete")
    refused(world, "progress_topic")


def test_a_topic_with_three_partitions_is_refused(world):
    deliver_some(world)
    delete_topic(world)
    world.broker.admin("create-topic", topic_of(world), 3, "cleanup.policy=compact")
    refused(world, "progress_topic")


def test_partitions_that_are_added_later_are_refused(world):
    deliver_some(world)
    world.broker.admin("add-partitions", topic_of(world), 3)
    refused(world, "progress_topic")


def test_a_topic_with_a_million_records_is_read_quickly(world):
    deliver_some(world)
    record = world.broker.admin("last", topic_of(world), 0)
    older = {**json.loads(record["value"]), "sequence": 1}
    world.broker.admin("produce", topic_of(world), 0, world.name, json.dumps(older), 1_000_000)
    world.broker.admin("produce", topic_of(world), 0, world.name, record["value"])
    world.broker.admin("produce", topic_of(world), 0, "somebody else", "x", 20_000)
    begun = time.monotonic()
    world.emit(10)
    world.drain()
    assert time.monotonic() - begun < 10
    world.check()


def test_a_record_of_another_program_under_our_key_is_refused(world):
    deliver_some(world)
    world.broker.admin("produce", topic_of(world), 0, world.name, "not a record of ours")
    refused(world, "progress_unreadable")


def test_another_kafka_cluster_is_refused(world, own_kafka, make_world):
    deliver_some(world)
    other = own_kafka()
    refused(world, "progress_missing|cluster_changed", world.config(pipeline={"sink": {"bootstrap_servers": other.bootstrap}}))


def test_a_copied_topic_on_another_cluster_is_refused(world, own_kafka, make_world, audit):
    deliver_some(world)
    other = own_kafka()
    elsewhere = make_world(world.postgres, other)
    record = world.broker.admin("last", topic_of(world), 0)
    elsewhere.broker.admin("create-topic", topic_of(world), 1, "cleanup.policy=compact", "segment.bytes=16777216", "segment.ms=600000")
    elsewhere.broker.admin("produce", topic_of(world), 0, world.name, record["value"])
    refused(world, "cluster_changed", world.config(pipeline={"sink": {"bootstrap_servers": other.bootstrap}}))


def test_a_renamed_pipeline_does_not_take_over_the_slot_by_itself(world):
    deliver_some(world)
    tree = world.document(pipeline={"source": {"slot": world.slot}})
    tree["pipelines"] = {f"{world.name}_renamed": tree["pipelines"][world.name]}
    path = world.directory / "renamed.yaml"
    path.write_text(json.dumps(tree).replace("$", "$$"))
    refused(world, "progress_missing", path)


def test_a_transaction_that_is_open_in_the_topic_is_waited_for(world):
    deliver_some(world)
    world.broker.admin("open-transaction", f"intruder-{world.name}", topic_of(world), 0, 4000)
    world.emit(5)
    world.drain(timeout=40)
    world.check()


@pytest.mark.long
def test_a_transaction_that_hangs_in_the_topic_is_named_with_the_command_that_ends_it(world):
    deliver_some(world)
    world.broker.admin("open-transaction", f"intruder-{world.name}", topic_of(world), 0, 600_000)
    world.emit(5)
    relay = world.start()
    relay.wait_for_log("progress_blocked", timeout=90)
    assert relay.says("kafka-transactions"), relay.tail()
    assert relay.says(topic_of(world)), relay.tail()
    relay.kill()
