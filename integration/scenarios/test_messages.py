"""Logical messages: an outbox without a table."""

import json

import pytest
from rig.processes import wait_for

# As world.emit, but each transaction's events are one message. `n` counts the events of each key in the order of commits.
WRITER = """
CREATE TABLE counters (key int PRIMARY KEY, n bigint NOT NULL DEFAULT 0);
INSERT INTO counters SELECT generate_series(1, 400);
CREATE TABLE sent (id text PRIMARY KEY);
CREATE FUNCTION emit(first int, many int DEFAULT 1, padding int DEFAULT 40) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
  events jsonb := '[]';
  k int;
  number bigint;
  event_id text;
BEGIN
  FOR k IN first .. first + many - 1 LOOP
    UPDATE counters SET n = n + 1 WHERE key = 1 + (k - 1) % 400 RETURNING n INTO number;
    event_id := gen_random_uuid()::text;
    INSERT INTO sent VALUES (event_id);
    events := events || jsonb_build_object(
      'id', event_id, 'aggregate_type', CASE WHEN k % 2 = 0 THEN 'order' ELSE 'customer' END, 'aggregate_id', 1 + (k - 1) % 400,
      'event_type', 'Changed', 'payload', jsonb_build_object('n', number, 'padding', repeat('x', padding)));
  END LOOP;
  PERFORM pg_logical_emit_message(true, 'outbox', events::text);
END $$;
CREATE TABLE elsewhere (id bigint GENERATED ALWAYS AS IDENTITY, filler text);
"""

MESSAGES = {"source": {"outbox": None, "snapshot": None, "messages": {}, "create": ["publication", "slot"]}}


@pytest.fixture
def world(make_world, postgres, kafka):
    world = make_world(postgres, kafka, outbox=WRITER, publication=None)
    world.sql(f"GRANT CREATE ON DATABASE {world.name} TO relay")
    world.expected_ids = lambda: {row[0] for row in world.sql("SELECT id FROM sent")}
    return world


def config(world, **pipeline):
    return world.config(pipeline={**MESSAGES, **pipeline})


def test_messages_arrive_as_events_without_any_table(world):
    relay = world.start(config(world, sink={"headers": ["id", "type", "sequence", "source"]}))
    world.wait_until_streaming(relay)
    world.sql("""SELECT pg_logical_emit_message(true, 'outbox', '{"id": "one", "aggregate_type": "order", "aggregate_id": 17,
      "event_type": "placed", "payload": {"total": 12.50, "n": 1}, "headers": {"tenant": "t1"}}')""")
    (record,) = world.broker.records(world.topics, expect=1)
    assert (record["topic"], record["key"], record["value"]) == (f"{world.name}.order", "17", '{"total": 12.50, "n": 1}')
    assert record["headers"] == {"id": "one", "type": "placed", "sequence": "1", "source": "outbox", "tenant": "t1"}
    assert relay.stop() == 0


def test_rolled_back_messages_and_those_of_others_never_arrive(world):
    relay = world.start(config(world))
    world.wait_until_streaming(relay)
    world.sql("BEGIN; SELECT emit(1, 5); ROLLBACK")
    world.sql("""SELECT pg_logical_emit_message(true, 'somebody else', '{"payload": 1}')""")
    world.sql("""BEGIN; SELECT pg_logical_emit_message(false, 'outbox', '{"id": "never", "payload": {"n": 1}}'); ROLLBACK""")
    world.sql("BEGIN; SELECT emit(1, 5); SAVEPOINT s; SELECT emit(1, 5); ROLLBACK TO s; SELECT emit(1, 5); COMMIT")
    assert world.check()["records"] == 10
    assert relay.stop() == 0


def test_a_malformed_message_is_a_rejected_event_and_what_surrounds_it_arrives(world):
    dead = f"{world.name}-dead"
    settings = config(world, on_reject={"dead_letter": {"topic": dead}})
    world.drain(settings)
    world.emit(5)
    world.sql("""SELECT pg_logical_emit_message(true, 'outbox', 'no JSON at all')""")
    world.sql("""SELECT pg_logical_emit_message(true, 'outbox', '[{"id": "no", "paylod": 1}, 7]')""")
    world.emit(5)
    world.drain(settings)
    letters = world.broker.records(dead, expect=3)
    assert sorted(letter["value"] for letter in letters) == ["7", "no JSON at all", '{"id": "no", "paylod": 1}']
    assert all("message_malformed" in letter["headers"].values() for letter in letters)
    summary, rows = world.broker.count(rf"{world.name}(\..*|-dead)", expect=13)
    assert (summary["duplicates"], summary["sequence_missing"]) == (0, 0)
    assert world.expected_ids() <= {row[0] for row in rows}


def test_a_malformed_message_stops_the_pipeline_by_default_and_its_content_is_not_in_the_log(world):
    world.drain(config(world))
    world.sql("""SELECT pg_logical_emit_message(true, 'outbox', 'secret words')""")
    relay = world.start(config(world))
    assert relay.wait() == 78, relay.tail()
    assert relay.says("message_malformed") and not relay.says("secret words"), relay.tail()


def test_kills_inside_one_huge_message_resume_it_exactly(world):
    settings = config(world, batch={"events": 200})
    world.drain(settings)
    world.sql("""
      WITH fresh AS (SELECT gen_random_uuid()::text AS id, g FROM generate_series(1, 20000) g),
           kept AS (INSERT INTO sent SELECT id FROM fresh)
      SELECT pg_logical_emit_message(true, 'outbox', jsonb_agg(jsonb_build_object('id', id, 'aggregate_type', 'order',
        'aggregate_id', g % 100, 'payload', jsonb_build_object('n', g)) ORDER BY g)::text) FROM fresh""")
    landed = 0
    for _ in range(6):
        before = world.sequence()
        relay = world.start(settings)
        wait_for(lambda: world.sequence() > before or not relay.alive(), f"some delivery\n{relay.tail()}", every=0.01)
        relay.kill()
        landed += 0 < world.sequence() < 20_000
    assert landed >= 3, "no kill landed inside the message"
    world.drain(settings)
    world.check()


def test_messages_and_rows_of_one_transaction_keep_their_order(make_world, postgres, kafka):
    world = make_world(postgres, kafka)
    settings = world.config(pipeline={"source": {"messages": {"prefix": "mine"}}})
    relay = world.start(settings)
    world.wait_until_streaming(relay)
    world.sql("""
      BEGIN;
      INSERT INTO outbox (aggregatetype, aggregateid, type, payload) VALUES ('order', 'k', 'X', '{"n": 1}');
      SELECT pg_logical_emit_message(true, 'mine',
        '[{"id": "m2", "aggregate_type": "order", "aggregate_id": "k", "payload": {"n": 2}},
          {"id": "m3", "aggregate_type": "order", "aggregate_id": "k", "payload": {"n": 3}}]');
      INSERT INTO outbox (aggregatetype, aggregateid, type, payload) VALUES ('order', 'k', 'X', '{"n": 4}');
      COMMIT""")
    world.check(expected=world.expected_ids() | {"m2", "m3"})
    records = sorted(world.broker.records(world.topics, expect=4), key=lambda r: int(r["headers"]["sequence"]))
    assert [json.loads(r["value"])["n"] for r in records] == [1, 2, 3, 4]
    assert relay.stop() == 0


def test_kills_under_load_lose_and_repeat_nothing(world, seed):
    settings = config(world, batch={"events": 300})
    world.drain(settings)  # makes the slot: messages from before it are nowhere any more
    world.load(rate=200)
    for _ in range(6):
        relay = world.start(settings)
        wait_for(lambda end=world.sequence() + seed.randrange(50, 400): world.sequence() > end, "some delivery", every=0.005)
        relay.kill()
    world.stop_writers()
    world.drain(settings)
    world.check()


def test_a_pipeline_without_tables_and_messages_is_a_configuration_error(world):
    from rig.relay import ask

    path = world.config(pipeline={"source": {"outbox": None, "snapshot": None}})
    code, _, err = ask("check", "-c", path)
    assert code == 78 and "messages: {prefix: outbox}" in err
