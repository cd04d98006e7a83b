"""Topics that come into being with their first events."""

from rig.processes import wait_for


def test_the_first_events_of_topics_that_are_just_being_created_all_arrive(world):
    """A partition gets its leader while its first record batches are on their way, several at once: the broker may refuse the
    first and take the second."""
    relay = world.start(world.config(pipeline={"sink": {"librdkafka": {"message.max.bytes": "4000000"}}}))
    world.wait_until_streaming(relay)
    for kind in range(12):
        world.sql(f"""INSERT INTO outbox (aggregatetype, aggregateid, type, payload)
          SELECT 'kind{kind}', g % 7, 'Big', jsonb_build_object('n', g, 'padding', repeat(md5(g::text), 15000)) FROM generate_series(1, 21) g""")
        wait_for(lambda reached=21 * (kind + 1): world.sequence() >= reached, f"the events of kind {kind}\n{relay.tail()}", 60)
    world.check(timeout=60)
    print("given up and sent again:", relay.log().count("delivery_presumed"))
    assert relay.stop() == 0
