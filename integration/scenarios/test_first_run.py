"""What a first user sees: rows that were there, then rows as they are committed."""

import json


def test_rows_that_were_there_come_first_and_live_rows_follow(world):
    world.emit(50, transactions=4)
    relay = world.start()
    world.wait_until_delivered(relay, 200)
    world.emit(50, transactions=4)
    summary = world.check()
    assert summary["sequence_highest"] == 400
    assert relay.stop() == 0


def test_an_event_carries_key_headers_and_the_bytes_of_the_payload(world):
    relay = world.start()
    world.wait_until_streaming(relay)
    event_id = world.value("""INSERT INTO outbox (aggregatetype, aggregateid, type, payload)
        VALUES ('order', 'key-1', 'OrderPlaced', '{"b": 1, "a": "ü \\u20ac \\"quoted\\""}') RETURNING id::text""")
    (record,) = world.broker.records(world.topics, expect=1)
    assert record["topic"] == f"{world.name}.order"
    assert record["key"] == "key-1"
    assert record["headers"] == {"id": event_id, "type": "OrderPlaced", "sequence": "1"}
    assert record["value"] == world.value("SELECT payload::text FROM outbox")
    assert json.loads(record["value"]) == {"b": 1, "a": 'ü € "quoted"'}
    assert relay.stop() == 0


def test_every_header_that_can_be_asked_for_arrives(world):
    config = world.config(pipeline={
        "source": {"outbox": {"header_columns": ["created_at"]}},
        "sink": {"headers": ["id", "type", "sequence", "commit_lsn", "committed_at", "source"],
                 "extra_headers": {"tenant": "{pipeline}-{aggregate_id}"}}})
    relay = world.start(config)
    world.wait_until_streaming(relay)
    world.emit(1)
    (record,) = world.broker.records(world.topics, expect=1)
    headers = record["headers"]
    assert headers["source"] == "public.outbox"
    assert headers["tenant"] == f"{world.name}-1"
    assert headers["commit_lsn"].count("/") == 1
    assert headers["committed_at"]
    assert headers["created_at"] == world.value("SELECT created_at::text FROM outbox")


def test_a_null_payload_is_a_tombstone_when_asked_for_and_otherwise_stops_the_pipeline(world):
    tombstones = world.config(pipeline={"source": {"outbox": {"null_payload": "tombstone"}}})
    insert = "INSERT INTO outbox (aggregatetype, aggregateid, type, payload) VALUES ('order', '1', 'Gone', NULL)"
    relay = world.start(tombstones)
    world.wait_until_streaming(relay)
    world.sql(insert)
    (record,) = world.broker.records(world.topics, expect=1)
    assert record["value"] is None and record["key"] == "1"
    assert relay.stop() == 0
    world.sql(insert)
    refusing = world.start()
    assert refusing.wait() == 78
    assert len(world.broker.records(world.topics)) == 1


def test_columns_may_have_any_name_and_type(make_world, postgres, kafka):
    world = make_world(postgres, kafka, outbox="""
      CREATE TABLE "Event Log" (no bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, kind varchar(40), "Of" int, what char(12),
                                body bytea, tenant text)""", publication='FOR TABLE "Event Log"')
    config = world.config(pipeline={
        "source": {"outbox": {"tables": ["public.Event Log"], "header_columns": ["tenant"], "columns": {
            "id": "no", "aggregate_type": "kind", "aggregate_id": "Of", "event_type": "what", "payload": "body"}},
            "snapshot": {"order_by": "no"}}})
    world.sql("""INSERT INTO "Event Log" (kind, "Of", what, body, tenant) VALUES ('order', 7, 'placed', '\\x00ff7b', 't1')""")
    relay = world.start(config)
    world.wait_until_delivered(relay, 1)
    world.sql("""INSERT INTO "Event Log" (kind, "Of", what, body, tenant) VALUES ('order', 8, 'paid', 'plain', 't2')""")
    first, second = sorted(world.broker.records(world.topics, expect=2), key=lambda r: r["headers"]["id"])
    assert (first["key"], first["headers"]["id"], first["headers"]["tenant"]) == ("7", "1", "t1")
    assert (second["key"], second["headers"]["id"], second["value"]) == ("8", "2", "plain")
    assert second["headers"]["type"].strip() == "paid"
    assert relay.stop() == 0


def test_several_tables_and_patterns_feed_one_pipeline(make_world, postgres, kafka):
    columns = """(id uuid PRIMARY KEY DEFAULT gen_random_uuid(), aggregatetype text, aggregateid text, type text, payload jsonb,
                  created_at timestamptz NOT NULL DEFAULT clock_timestamp())"""
    world = make_world(postgres, kafka, outbox=f"""
      CREATE SCHEMA tenant_a; CREATE TABLE tenant_a.outbox {columns}; CREATE SCHEMA tenant_b; CREATE TABLE tenant_b.outbox {columns};
      CREATE TABLE outbox {columns}; GRANT USAGE ON SCHEMA tenant_a, tenant_b TO relay;
      GRANT SELECT ON tenant_a.outbox, tenant_b.outbox TO relay""", publication="FOR TABLE outbox, tenant_a.outbox, tenant_b.outbox")
    insert = "INSERT INTO {} (aggregatetype, aggregateid, type, payload) VALUES ('order', '1', 'X', '{{}}')"
    tables = ["outbox", "tenant_a.outbox", "tenant_b.outbox"]
    for table in tables:
        world.sql(insert.format(table))
    config = world.config(pipeline={"source": {"outbox": {"tables": ["public.outbox", "tenant_*.outbox"]}},
                                    "sink": {"headers": ["id", "sequence", "source"]}})
    relay = world.start(config)
    world.wait_until_delivered(relay, 3)
    for table in tables:
        world.sql(insert.format(table))
    records = world.broker.records(world.topics, expect=6)
    assert sorted(r["headers"]["source"] for r in records) == sorted(
        2 * ["public.outbox", "tenant_a.outbox", "tenant_b.outbox"])
    assert relay.stop() == 0


def test_publication_and_slot_are_created_when_told_to(make_world, postgres, kafka):
    world = make_world(postgres, kafka, publication=None)
    world.sql(f"ALTER TABLE outbox OWNER TO relay; GRANT CREATE ON DATABASE {world.name} TO relay")
    world.emit(3)
    relay = world.start(world.config(pipeline={"source": {"create": ["publication", "slot"]}}))
    world.check(timeout=30)
    assert world.value("SELECT count(*) FROM pg_publication WHERE pubname = 'outbox_relay'") == 1
    assert relay.stop() == 0


def test_existing_rows_are_left_out_when_told_to(world):
    world.emit(10)
    old = world.expected_ids()
    relay = world.start(world.config(pipeline={"source": {"snapshot": {"mode": "never", "order_by": None}}}))
    world.wait_until_streaming(relay)
    world.emit(10)
    world.check(expected=world.expected_ids() - old)
    assert relay.stop() == 0
