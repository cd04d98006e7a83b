"""The runbooks of config/README.md, step by step."""

import platform
import subprocess

import pytest
from rig.relay import ask

pytestmark = pytest.mark.skipif(platform.machine() != "x86_64", reason="PostgreSQL 16, 18 and their pg_upgrade are fetched for x86_64 only")


def command(world, config, *words, confirm=True):
    code, out, err = ask(*words, "-c", config, "--pipeline", world.name, *(["--confirm", world.name] if confirm else []))
    assert code == 0, out + err
    return out


def test_a_major_upgrade_drains_upgrades_makes_a_new_slot_and_adopts_it(make_world, own_postgres, own_directory, kafka):
    world = make_world(own_postgres(major=16), kafka)
    config = world.config()
    world.emit(10, transactions=5)
    world.drain(config)                                        # 1: the application is stopped; everything is delivered
    command(world, config, "slot", "drop")                     # 2
    old = world.postgres
    old.stop()
    world.postgres = old.upgraded(own_directory(), 18)         # 3: pg_upgrade
    assert world.value("SHOW server_version_num").startswith("18")
    relay = world.start(config)                                # nobody who forgets a step loses anything
    assert relay.wait() == 78 and relay.says("system_identifier_changed"), relay.tail()
    world.sql(f"SELECT pg_create_logical_replication_slot('{world.slot}', 'pgoutput')")  # 4: before the application writes
    world.emit(10, transactions=5)                             # even if it does
    command(world, config, "progress", "adopt")                # 5
    world.drain(config)
    summary = world.check()
    assert summary["records"] == 100 and world.sequence() == 100


def test_a_slot_that_pg_upgrade_kept_is_adopted(make_world, own_postgres, own_directory, kafka):
    world = make_world(own_postgres(major=18), kafka)
    old = world.postgres
    old.stop()  # checksums off, as pg_upgrade's other side
    subprocess.run([(old.directory / "postgres/bin").read_text().strip() + "/pg_checksums", "--disable", "-D", str(old.data)], check=True,
                   stdout=subprocess.DEVNULL)
    old.start()
    config = world.config()
    world.emit(10, transactions=5)
    world.drain(config)
    old.stop()
    world.postgres = old.upgraded(own_directory(), 18)
    assert world.value("SELECT count(*) FROM pg_replication_slots WHERE slot_name = %s", (world.slot,)) == 1
    world.emit(10, transactions=5)
    command(world, config, "progress", "adopt")
    world.drain(config)
    summary = world.check()
    assert summary["records"] == 100 and world.sequence() == 100


def test_a_staging_clone_with_names_of_its_own_never_touches_production(make_world, own_postgres, own_directory, kafka):
    world = make_world(own_postgres(), kafka)
    production = world.start()
    world.wait_until_streaming(production)
    world.emit(10)
    world.wait_until_delivered(production, 10)
    epoch = world.broker.epoch(world.name)
    clone = world.postgres.standby(own_directory())            # a copy that is then opened for writing
    world.wait_until_streaming(production)
    clone.promote()
    world.emit(10)
    url = world.url().replace(f":{world.postgres.port}/", f":{clone.port}/")
    staging = world.config(pipeline={"sink": {"transactional_id_prefix": "staging-", "topic": f"staging-{world.name}.{{aggregate_type}}"},
                                     "source": {"slot": "staging"}}, database={"url": url}, name="staging")
    text = staging.read_text().replace(f'"{world.name}": {{', f'"staging_{world.name}": {{', 1)
    staging.write_text(text)
    clone.query("SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE NOT active")
    world.drain(staging)
    summary, _ = world.broker.count(rf"staging-{world.name}\..*", settle=500)
    assert summary["records"] == 10, summary                   # the rows of the clone
    world.wait_until_delivered(production, 20)
    world.check()
    assert world.broker.epoch(world.name)[0] == epoch[0] and production.alive()
    assert production.stop() == 0
