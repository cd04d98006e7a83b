"""Outbox tables that are partitioned, altered, updated, emptied, or taken out of the publication."""

INSERT = "INSERT INTO outbox (aggregatetype, aggregateid, type, payload) VALUES ('order', '1', 'X', '{\"n\": %s}')"


def streaming(world, config=None):
    relay = world.start(config)
    world.wait_until_streaming(relay)
    return relay


# ---- rows that change

def test_update_delete_and_truncate_are_ignored(world):
    relay = streaming(world)
    world.emit(20)
    expected = world.expected_ids()
    world.sql("UPDATE outbox SET type = 'Other'")
    world.sql("DELETE FROM outbox WHERE aggregatetype = 'order'")
    world.sql("TRUNCATE outbox")
    world.emit(20, first=101)
    world.check(expected=expected | world.expected_ids())
    assert relay.alive() and relay.stop() == 0


def test_rows_that_are_deleted_in_their_own_transaction_arrive(world):
    relay = streaming(world)
    ids = [row[0] for row in world.sql("""
      WITH fresh AS (INSERT INTO outbox (aggregatetype, aggregateid, type, payload)
                       SELECT 'order', g, 'X', '{"n": 1}' FROM generate_series(1, 100) g RETURNING id)
      SELECT id::text FROM fresh""")]
    connection = world.postgres.connect(world.name)
    connection.autocommit = False
    with connection.cursor() as cursor:
        cursor.execute("INSERT INTO outbox (aggregatetype, aggregateid, type, payload) VALUES ('order', 'gone', 'X', '{\"n\": 1}') RETURNING id::text")
        ids.append(cursor.fetchone()[0])
        cursor.execute("DELETE FROM outbox")
    connection.commit()
    connection.close()
    world.check(expected=set(ids))
    assert relay.stop() == 0


# ---- tables that change

def test_columns_that_are_added_dropped_and_retyped_are_followed(world):
    relay = streaming(world)
    world.emit(5)
    world.sql("ALTER TABLE outbox ADD COLUMN note text DEFAULT 'x'")
    world.emit(5)
    world.sql("ALTER TABLE outbox DROP COLUMN note")
    world.sql("ALTER TABLE outbox ALTER COLUMN payload TYPE text")
    world.sql("ALTER TABLE outbox ALTER COLUMN payload TYPE jsonb USING payload::jsonb")
    world.sql("ALTER TABLE outbox ALTER COLUMN aggregateid TYPE varchar(50), ADD COLUMN first_now int")
    world.emit(5)
    world.sql("ALTER TABLE outbox ALTER COLUMN id DROP DEFAULT")
    world.sql("ALTER TABLE outbox ALTER COLUMN id TYPE text")
    world.sql("ALTER TABLE outbox ALTER COLUMN id SET DEFAULT gen_random_uuid()::text")
    world.emit(5)
    world.check()
    assert relay.alive() and relay.stop() == 0


def test_a_renamed_column_is_refused_and_followed_when_the_configuration_says_so(world):
    relay = streaming(world)
    world.emit(5)
    world.check()
    expected = world.expected_ids()
    world.sql("ALTER TABLE outbox RENAME COLUMN payload TO body")
    expected.add(world.value("INSERT INTO outbox (aggregatetype, aggregateid, type, body) VALUES ('order', '1', 'X', '{\"n\": 99}') RETURNING id::text"))
    assert relay.wait() == 78, relay.tail()
    assert relay.says("outbox_column_missing"), relay.tail()
    config = world.config(pipeline={"source": {"outbox": {"columns": {"payload": "body"}}}})
    world.drain(config)
    world.check(expected=expected)


def test_a_table_that_leaves_the_publication_stops_the_pipeline_soon(world):
    relay = streaming(world)
    world.emit(5)
    world.check()
    world.sql("ALTER PUBLICATION outbox_relay DROP TABLE outbox")
    assert relay.wait(45) == 78, relay.tail()
    assert relay.says("publication_table_missing"), relay.tail()
    world.sql("ALTER PUBLICATION outbox_relay ADD TABLE outbox")
    world.emit(5)
    world.drain()
    world.check()


def publication_dropped(world):
    relay = streaming(world)
    world.emit(5)
    world.check()
    expected = world.expected_ids()
    world.sql("DROP PUBLICATION outbox_relay")
    before = world.wal_end()
    world.emit(1)
    passed_over = world.expected_ids() - expected
    assert relay.wait(45) == 78, relay.tail()
    assert relay.says("publication_missing"), relay.tail()
    assert world.confirmed() <= before, "confirmed beyond what nobody could read"
    return expected, passed_over


def test_a_publication_that_is_dropped_while_running_stops_the_pipeline_soon(world):
    publication_dropped(world)


def test_a_publication_that_is_dropped_while_running_stops_the_pipeline_on_a_server_that_only_warns(make_world, own_postgres, kafka):
    """PostgreSQL 18 goes on without the publication, so that its rows are passed over until somebody looks."""
    world = make_world(own_postgres(major=18), kafka)
    expected, passed_over = publication_dropped(world)
    delivered = {row[0] for row in world.broker.count(world.topics)[1]}
    assert expected <= delivered and not (delivered - expected - passed_over)


# ---- partitions

PARTITIONED = """
CREATE TABLE outbox (
  id uuid DEFAULT gen_random_uuid(), aggregatetype text NOT NULL, aggregateid text NOT NULL, type text NOT NULL, payload jsonb,
  created_at timestamptz NOT NULL DEFAULT clock_timestamp(), shelf int NOT NULL DEFAULT 1, PRIMARY KEY (id, shelf)
) PARTITION BY LIST (shelf);
CREATE TABLE outbox_1 PARTITION OF outbox FOR VALUES IN (1);
CREATE TABLE outbox_2 PARTITION OF outbox FOR VALUES IN (2);
"""


def put(world, shelf, count):
    world.sql("""INSERT INTO outbox (aggregatetype, aggregateid, type, payload, shelf)
                 SELECT 'order', g, 'X', '{}', %s FROM generate_series(1, %s) g""", (shelf, count))


def test_a_partitioned_outbox_arrives_whole_whichever_way_it_is_published(make_world, postgres, kafka):
    for publication in ("FOR TABLE outbox", "FOR TABLE outbox WITH (publish_via_partition_root = true)"):
        world = make_world(postgres, kafka, outbox=PARTITIONED, publication=publication)
        put(world, 1, 10), put(world, 2, 10)
        relay = world.start()
        world.wait_until_delivered(relay, 20)
        put(world, 1, 10), put(world, 2, 10)
        world.sql("CREATE TABLE outbox_3 PARTITION OF outbox FOR VALUES IN (3)")
        put(world, 3, 10)
        world.check()
        assert relay.stop() == 0, publication


def test_a_row_that_moves_to_another_partition_is_not_sent_again(make_world, postgres, kafka):
    world = make_world(postgres, kafka, outbox=PARTITIONED)
    relay = streaming(world)
    put(world, 1, 10)
    world.sql("UPDATE outbox SET shelf = 2")
    put(world, 1, 5)
    world.check()
    assert relay.stop() == 0


def test_a_partition_that_is_detached_and_dropped_or_truncated_takes_nothing_with_it(make_world, postgres, kafka):
    world = make_world(postgres, kafka, outbox=PARTITIONED)
    relay = streaming(world)
    put(world, 1, 10), put(world, 2, 10)
    expected = world.expected_ids()
    world.sql("TRUNCATE outbox_1; ALTER TABLE outbox DETACH PARTITION outbox_2; DROP TABLE outbox_2")
    put(world, 1, 5)
    world.check(expected=expected | world.expected_ids())
    assert relay.stop() == 0


def test_rows_of_a_partition_that_was_dropped_before_they_were_read_are_not_passed_over(make_world, postgres, kafka):
    """Whose partition it was is not in the catalogs any more. The relay says so, and takes it by its own name."""
    world = make_world(postgres, kafka, outbox=PARTITIONED)
    world.drain()
    put(world, 1, 10), put(world, 2, 10)
    expected = world.expected_ids()
    world.sql("DROP TABLE outbox_2")
    relay = world.start(command=("drain",))
    assert relay.wait(60) == 78, relay.tail()
    assert relay.says("relation_unmatched") and relay.says(r"public\.outbox_2"), relay.tail()
    world.drain(world.config(pipeline={"source": {"outbox": {"tables": ["public.outbox*"]}}}))
    world.check(expected=expected)


def test_a_published_table_that_is_not_configured_is_refused_or_ignored_as_told(world):
    world.sql("ALTER PUBLICATION outbox_relay ADD TABLE elsewhere")
    relay = world.start()
    world.wait_until_streaming(relay)
    world.sql("INSERT INTO elsewhere (filler) VALUES ('x')")
    assert relay.wait() == 78, relay.tail()
    world.emit(3)
    ignoring = world.config(pipeline={"source": {"unmatched_tables": "ignore"}})
    world.drain(ignoring)
    world.check()
