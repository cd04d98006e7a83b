"""Sinks for someone without a broker: a file, and standard output."""

import json

from rig.processes import wait_for


def lines_of(path):
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def ids_of(lines):
    return [line["id"] for line in lines]



def with_sink(world, sink, **change):
    """The configuration with another sink, all of it."""
    tree = world.document(pipeline=change)
    tree["pipelines"][world.name]["sink"] = sink
    path = world.directory / "outbox-relay.yaml"
    path.write_text(json.dumps(tree, indent=2).replace("$", "$$"))
    return path


def test_events_become_lines_of_a_file_in_order(make_world, postgres):
    world = make_world(postgres, None)
    out = world.directory / "events.jsonl"
    config = with_sink(world, {"type": "file", "path": str(out)})
    world.emit(20)
    relay = world.start(config)
    wait_for(lambda: len(lines_of(out)) == 20, f"the initial rows\n{relay.tail()}")
    world.emit(20)
    wait_for(lambda: len(lines_of(out)) == 40, f"the live rows\n{relay.tail()}")
    assert relay.stop() == 0
    lines = lines_of(out)
    assert set(ids_of(lines)) == world.expected_ids()
    assert [line["sequence"] for line in lines] == list(range(1, 41))


def test_a_file_holds_every_event_once_after_kills(make_world, postgres, seed):
    world = make_world(postgres, None)
    out = world.directory / "events.jsonl"
    config = with_sink(world, {"type": "file", "path": str(out)}, batch={"events": 100})
    world.emit_in_bulk(20_000)
    world.load(rate=300)
    for _ in range(8):
        size = out.stat().st_size if out.exists() else 0
        relay = world.start(config)
        wait_for(lambda: out.exists() and out.stat().st_size > size or not relay.alive(), f"new lines\n{relay.tail()}")
        try:
            relay.process.wait(seed.uniform(0, 0.3))
        except Exception:
            relay.kill()
    world.stop_writers()
    world.drain(config)
    lines = lines_of(out)
    assert sorted(ids_of(lines)) == sorted(world.expected_ids())
    assert [line["sequence"] for line in lines] == list(range(1, len(lines) + 1))


def test_standard_output_carries_events_and_nothing_else(make_world, postgres):
    world = make_world(postgres, None)
    world.sql(f"GRANT CREATE ON DATABASE {world.name} TO relay")
    config = with_sink(world, {"type": "stdout"}, source={"create": ["slot", "tables"]})
    world.emit(20)
    out = world.directory / "stdout.jsonl"
    with open(out, "wb") as stdout:
        relay = world.start(config, command=("drain",), stdout=stdout)
        assert relay.wait() == 0, relay.tail()
        world.emit(20)
        relay = world.start(config, command=("drain",), stdout=stdout)
        assert relay.wait() == 0, relay.tail()
    lines = lines_of(out)
    assert sorted(ids_of(lines)) == sorted(world.expected_ids())
    assert [line["sequence"] for line in lines] == list(range(1, 41))


def test_standard_output_repeats_but_never_loses_after_kills(make_world, postgres, seed):
    world = make_world(postgres, None)
    world.sql(f"GRANT CREATE ON DATABASE {world.name} TO relay")
    config = with_sink(world, {"type": "stdout"}, source={"create": ["slot", "tables"]}, batch={"events": 100})
    out = world.directory / "stdout.jsonl"
    with open(out, "ab") as stdout:
        for _ in range(5):
            world.emit_in_bulk(10_000)
            size = out.stat().st_size
            relay = world.start(config, stdout=stdout)
            wait_for(lambda: out.stat().st_size > size or not relay.alive(), f"new lines\n{relay.tail()}", every=0.01)
            try:
                relay.process.wait(seed.uniform(0, 0.1))
            except Exception:
                relay.kill()
        relay = world.start(config, command=("drain",), stdout=stdout)
        assert relay.wait(60) == 0, relay.tail()
    seen = {}
    for text in out.read_text().splitlines():
        try:
            line = json.loads(text)
        except ValueError:
            continue  # the half line of a kill
        assert seen.setdefault(line["id"], line["sequence"]) == line["sequence"], "another sequence for the same event"
    assert set(seen) == world.expected_ids()
    assert sorted(seen.values()) == list(range(1, len(seen) + 1))


def test_rejected_events_go_to_the_table_with_a_sink_that_has_no_topics(make_world, postgres):
    world = make_world(postgres, None)
    world.sql(f"GRANT CREATE ON DATABASE {world.name} TO relay")
    out = world.directory / "events.jsonl"
    config = with_sink(world, {"type": "file", "path": str(out)}, source={"create": ["slot", "tables"]},
                       on_reject={"dead_letter": {"table": True}})
    world.drain(config)
    world.emit(5)
    rejected = world.value("INSERT INTO outbox (aggregatetype, aggregateid, type) VALUES ('order', '1', 'NoPayload') RETURNING id::text")
    world.emit(5)
    world.drain(config)
    assert set(ids_of(lines_of(out))) == world.expected_ids() - {rejected}
    rows = world.sql("SELECT * FROM outbox_relay.dead_letter")
    assert len(rows) == 1 and rejected in map(str, rows[0])
    sequences = {line["sequence"] for line in lines_of(out)}
    assert sequences == set(range(1, 12)) - {6}
