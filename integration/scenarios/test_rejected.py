"""Events that can never be delivered: exactly those are set aside, or the pipeline stops before them."""

import random

import pytest


def noise(size):
    """Text that no compression makes small."""
    return "".join(random.Random(size).choices("0123456789abcdef", k=size))


def small_and_one_large(world, size=60_000):
    """40 small events with a large one in their middle, in one transaction. Returns the large one's id."""
    world.sql(f"""
      BEGIN; SELECT emit(1, 20);
      INSERT INTO outbox (aggregatetype, aggregateid, type, payload) VALUES ('order', '2', 'Large', '{{"noise": "{noise(size)}"}}');
      SELECT emit(1, 20); COMMIT""")
    return world.value("SELECT id::text FROM outbox WHERE type = 'Large'")


def limited_topics(world, limit=20_000):
    """The topics' limit lies below the size of a batch and above that of a small event."""
    for kind in ("order", "customer"):
        world.broker.admin("create-topic", f"{world.name}.{kind}", 3, f"max.message.bytes={limit}")


def test_a_large_event_among_small_ones_stops_the_pipeline_before_it(world):
    limited_topics(world)
    world.drain()
    confirmed = world.confirmed()
    small_and_one_large(world)
    for _ in range(2):
        relay = world.start()
        assert relay.wait() == 78, relay.tail()
        assert relay.says("message_too_large"), relay.tail()
    assert not relay.says(noise(60_000)[:100]), "the payload is in the log"
    assert world.confirmed() == confirmed
    delivered = world.broker.count(world.topics)[0]
    assert delivered["duplicates"] == 0 and delivered["sequence_missing"] == 0


@pytest.mark.parametrize("limit, size", [(20_000, 60_000), (5_000, 10_000)])
def test_exactly_the_large_event_goes_to_the_dead_letter_topic(world, limit, size):
    limited_topics(world, limit)
    dead = f"{world.name}-dead"
    config = world.config(pipeline={"on_reject": {"dead_letter": {"topic": dead}}})
    world.drain(config)
    large = small_and_one_large(world, size)
    world.drain(config)
    world.emit(5)
    world.drain(config)
    (letter,) = world.broker.records(dead, expect=1, settle=500)
    assert letter["headers"]["id"] == large
    assert "message_too_large" in letter["headers"].values()
    world.check(topics=rf"{world.name}(\..*|-dead)")


def test_with_a_hundred_events_in_the_batch_one_is_rejected_not_a_hundred(world):
    limited_topics(world)
    dead = f"{world.name}-dead"
    config = world.config(pipeline={"on_reject": {"dead_letter": {"topic": dead}}})
    world.drain(config)
    world.emit_in_bulk(3000, per_transaction=3000, padding=900)  # together far beyond the topics' limit
    large = small_and_one_large(world)
    world.emit_in_bulk(3000, per_transaction=3000, padding=900)
    world.drain(config)
    (letter,) = world.broker.records(dead, expect=1, settle=500)
    assert letter["headers"]["id"] == large
    world.check(topics=rf"{world.name}(\..*|-dead)")


def test_a_large_event_at_the_beginning_of_a_large_batch_is_found_while_the_rest_is_still_being_produced(world):
    limited_topics(world)
    dead = f"{world.name}-dead"
    config = world.config(pipeline={"batch": {"events": 50_000, "bytes": "64MiB"}, "on_reject": {"dead_letter": {"topic": dead}},
                                    "sink": {"librdkafka": {"linger.ms": "0"}}})
    world.drain(config)
    large = world.value(f"""
      INSERT INTO outbox (aggregatetype, aggregateid, type, payload) VALUES ('order', '2', 'Large', '{{"noise": "{noise(60_000)}"}}')
      RETURNING id::text""")
    world.emit_in_bulk(40_000, per_transaction=40_000)
    relay = world.drain(config)
    assert not relay.says("kafka_error"), relay.tail()
    (letter,) = world.broker.records(dead, expect=1, settle=500)
    assert letter["headers"]["id"] == large
    world.check(topics=rf"{world.name}(\..*|-dead)")


def test_an_event_above_the_clients_own_limit_is_rejected_too(world):
    """And a dead letter topic cannot take it either: that is said, and the table takes it."""
    world.sql(f"GRANT CREATE ON DATABASE {world.name} TO relay")
    topic = world.config(pipeline={"on_reject": {"dead_letter": {"topic": f"{world.name}-dead"}}})
    world.drain(topic)
    large = small_and_one_large(world, size=3_000_000)
    relay = world.start(topic)
    assert relay.wait() == 78, relay.tail()
    assert relay.says("dead_letter_rejected") and relay.says("table: true"), relay.tail()
    table = world.config(pipeline={"source": {"create": ["slot", "tables"]}, "on_reject": {"dead_letter": {"table": True}}})
    world.drain(table)
    assert len(world.sql("SELECT * FROM outbox_relay.dead_letter")) == 1
    summary, rows = world.broker.count(world.topics, expect=40)
    assert {row[0] for row in rows} == world.expected_ids() - {large}
    assert summary["duplicates"] == 0


INSERT = "INSERT INTO outbox (aggregatetype, aggregateid, type, payload) VALUES (%s, '1', 'X', '{\"n\": 1}')"


@pytest.mark.parametrize("kind", ["two words", "ümlaut", "x" * 260, "a/b"])
def test_a_value_that_is_no_legal_topic_name_is_a_rejected_event(world, kind):
    dead = f"{world.name}-dead"
    config = world.config(pipeline={"on_reject": {"dead_letter": {"topic": dead}}})
    world.drain(config)
    world.emit(5)
    world.sql(INSERT, (kind,))
    world.emit(5)
    world.drain(config)
    (letter,) = world.broker.records(dead, expect=1)
    assert "topic_illegal" in letter["headers"].values()
    world.check(topics=rf"{world.name}(\..*|-dead)")


def test_a_value_that_is_no_legal_topic_name_halts_by_default(world):
    world.drain()
    world.sql(INSERT, ("two words",))
    relay = world.start()
    assert relay.wait() == 78, relay.tail()
    assert relay.says("topic_illegal"), relay.tail()


def test_an_unknown_topic_with_creation_refused_halts_and_is_not_created(world):
    config = world.config(pipeline={"sink": {"create_topics": None}})
    world.drain(config)
    world.emit(5)
    relay = world.start(config)
    assert relay.wait() == 78, relay.tail()
    assert relay.says("topic_unknown"), relay.tail()
    assert not [t for t in world.broker.topics() if t.startswith(world.name + ".")]
    for kind in ("order", "customer"):
        world.broker.admin("create-topic", f"{world.name}.{kind}", 2)
    world.drain(config)
    world.check()


def test_an_unknown_topic_can_be_a_rejected_event_instead(world):
    dead = f"{world.name}-dead"
    config = world.config(pipeline={"sink": {"create_topics": None, "unknown_topic": "reject"},
                                    "on_reject": {"dead_letter": {"topic": dead}}})
    for topic in (dead, f"{world.name}.order"):
        world.broker.admin("create-topic", topic, 1)
    world.drain(config)
    world.emit(10)
    world.drain(config)
    letters = world.broker.records(dead, expect=5)
    assert len(letters) == 5
    assert all("topic_unknown" in letter["headers"].values() for letter in letters)
    world.check(topics=rf"{world.name}(\..*|-dead)")


def test_dead_letters_can_go_to_a_table(world):
    limited_topics(world)
    world.sql(f"GRANT CREATE ON DATABASE {world.name} TO relay")
    config = world.config(pipeline={"source": {"create": ["slot", "tables"]}, "on_reject": {"dead_letter": {"table": True}}})
    world.drain(config)
    large = small_and_one_large(world)
    world.drain(config)
    rows = world.sql("SELECT * FROM outbox_relay.dead_letter")
    assert len(rows) == 1
    assert large in map(str, rows[0])
    assert "message_too_large" in map(str, rows[0])
    delivered = {row[0] for row in world.broker.count(world.topics, expect=40)[1]}
    assert delivered == world.expected_ids() - {large}
