"""Several pipelines in one process leave each other alone."""

import json
import time

from rig.processes import wait_for


def two(world, **second_sink):
    """The world's pipeline and another one over the same table, `<name>_b`, with another sink."""
    tree = world.document()
    other = json.loads(json.dumps(tree["pipelines"][world.name]))
    other["sink"].update(second_sink)
    other["sink"]["topic"] = f"{world.name}b.{{aggregate_type}}"
    tree["pipelines"][f"{world.name}_b"] = other
    path = world.directory / "two.yaml"
    path.write_text(json.dumps(tree).replace("$", "$$"))
    return path


def test_both_deliver_everything(world):
    world.emit(20)
    relay = world.start(two(world))
    world.wait_until_streaming(relay)
    world.emit(20)
    world.check()
    world.check(topics=rf"{world.name}b\..*")
    assert relay.stop() == 0


def test_one_with_its_broker_down_does_not_hold_up_the_other(world):
    world.emit(20)
    relay = world.start(two(world, bootstrap_servers="127.0.0.1:1"))
    world.wait_until_streaming(relay)
    world.emit(20)
    world.check(timeout=20)
    wait_for(lambda: relay.says("broker_unreachable|Connection refused"), f"a word about the other\n{relay.tail()}", 40)
    assert relay.alive()
    begun = time.monotonic()
    assert relay.stop() == 0, relay.tail()
    assert time.monotonic() - begun < 10


def test_one_that_is_refused_leaves_the_other_running(world):
    tree = world.document()
    other = json.loads(json.dumps(tree["pipelines"][world.name]))
    other["source"]["publication"] = "no_such_publication"
    tree["pipelines"][f"{world.name}_b"] = other
    path = world.directory / "two.yaml"
    path.write_text(json.dumps(tree).replace("$", "$$"))
    world.emit(5)
    relay = world.start(path)
    relay.wait_for_log("publication_missing")
    world.emit(5)
    world.check()
    assert relay.alive()
    assert relay.stop() == 78 or relay.process.returncode == 0


def test_only_the_named_pipeline_runs(world):
    world.emit(5)
    world.drain(two(world))
    world.emit(5)
    relay = world.start(two(world), command=("drain", "--pipeline", world.name))
    assert relay.wait() == 0, relay.tail()
    world.check()
    assert world.broker.count(rf"{world.name}b\..*")[0]["records"] == 5
