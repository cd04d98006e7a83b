"""What PostgreSQL's transactions look like from outside: split, abandoned in part, copied, prepared."""

import time

from rig.processes import wait_for

SMALL = {"batch": {"events": 200}}


def killed_inside(world, config, first, last):
    """A relay that was killed after it had delivered some, not all, of the events numbered first..last."""
    for _ in range(8):
        relay = world.start(config)
        wait_for(lambda: world.sequence() >= first or not relay.alive(), f"the transaction to begin\n{relay.tail()}", every=0.01)
        relay.kill()
        if first <= world.sequence() < last:
            return
        raise AssertionError(f"the relay was through: {world.sequence()} of {last}")
    raise AssertionError("no kill landed inside the transaction")


def test_a_transaction_larger_than_a_batch_is_resumed_in_its_middle(world):
    config = world.config(pipeline=SMALL)
    world.drain(config)
    world.emit_in_bulk(60_000, per_transaction=60_000)
    world.load(rate=50)
    for landed in range(4):
        killed_inside(world, config, world.sequence() + 1, 60_000)
    world.stop_writers()
    world.drain(config)
    world.check()


def test_a_resume_inside_a_transaction_survives_a_changed_publication(world):
    config = world.config(pipeline=SMALL)
    world.drain(config)
    connection = world.postgres.connect(world.name)
    connection.autocommit = False
    with connection.cursor() as cursor:
        cursor.execute("SELECT emit(1, 300) FROM generate_series(1, 100)")
        cursor.execute("INSERT INTO elsewhere (filler) SELECT 'x' FROM generate_series(1, 5000)")
        cursor.execute("SELECT emit(1, 300) FROM generate_series(1, 100)")
        connection.commit()
    connection.close()
    killed_inside(world, config, 1, 60_000)
    world.sql("ALTER PUBLICATION outbox_relay SET (publish = 'insert')")
    world.drain(config)
    world.check()


def test_rows_of_an_abandoned_savepoint_never_arrive(world):
    relay = world.start()
    world.wait_until_streaming(relay)
    world.sql("""
      DO $$
      BEGIN
        FOR i IN 1 .. 50 LOOP
          PERFORM emit(i);
          BEGIN
            PERFORM emit(i + 100, 2);
            RAISE EXCEPTION 'abandoned';
          EXCEPTION WHEN raise_exception THEN NULL;
          END;
          BEGIN
            PERFORM emit(i);
          EXCEPTION WHEN raise_exception THEN NULL;
          END;
        END LOOP;
      END $$""")
    summary = world.check()
    assert summary["records"] == 100
    assert relay.stop() == 0


def test_rows_that_were_copied_in_share_their_lsn_and_are_resumed_exactly(world):
    config = world.config(pipeline=SMALL)
    world.drain(config)
    import io

    rows = io.StringIO("".join(f"order\t{1 + i % 50}\tCopied\t{{\"n\": {1 + i // 50}}}\n" for i in range(60_000)))
    connection = world.postgres.connect(world.name)
    with connection.cursor() as cursor:
        cursor.copy_expert("COPY outbox (aggregatetype, aggregateid, type, payload) FROM STDIN", rows)
    connection.close()
    for _ in range(4):
        killed_inside(world, config, world.sequence() + 1, 60_000)
    world.drain(config)
    world.check()


def test_a_prepared_transaction_arrives_when_it_commits(world):
    relay = world.start()
    world.wait_until_streaming(relay)
    world.sql("BEGIN; SELECT emit(1, 20); PREPARE TRANSACTION 'kept'")
    world.sql("BEGIN; SELECT emit(101, 20); PREPARE TRANSACTION 'dropped'")
    world.emit(20, first=201)
    world.check()
    world.sql("ROLLBACK PREPARED 'dropped'")
    relay.kill()
    world.sql("COMMIT PREPARED 'kept'")
    again = world.start()
    summary = world.check()
    assert summary["records"] == 40
    assert again.stop() == 0


def test_interleaved_transactions_arrive_in_the_order_of_their_commits(world):
    relay = world.start()
    world.wait_until_streaming(relay)
    early, late = world.postgres.connect(world.name), world.postgres.connect(world.name)
    early.autocommit = late.autocommit = False
    insert = "INSERT INTO outbox (aggregatetype, aggregateid, type, payload) VALUES ('order', 'k', 'X', %s)"
    with early.cursor() as a, late.cursor() as b:
        for _ in range(20):
            a.execute(insert, ('{"n": 2}',))
            b.execute(insert, ('{"n": 1}',))
        late.commit()
        early.commit()
    summary = world.check()
    assert summary["records"] == 40
    early.close(), late.close()
    assert relay.stop() == 0


def test_a_transaction_of_other_tables_costs_nothing_but_time(world):
    relay = world.start()
    world.wait_until_streaming(relay)
    world.sql("INSERT INTO elsewhere (filler) SELECT md5(g::text) FROM generate_series(1, 300000) g")
    world.emit(5)
    world.check()
    assert relay.stop() == 0


def test_memory_stays_bounded_while_a_transaction_of_300000_rows_passes(world):
    relay = world.start()
    world.wait_until_streaming(relay)
    world.emit_in_bulk(300_000, per_transaction=300_000, padding=120)
    world.check(timeout=90)
    assert relay.resident_bytes() <= 64 << 20
    time.sleep(0.1)
    assert relay.stop() == 0
