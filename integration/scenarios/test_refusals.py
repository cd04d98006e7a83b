"""Every refusal: its code, its exit code, the way on; slot and progress are as they were."""

import json

import pytest
from rig.processes import wait_for
from rig.relay import ask


@pytest.fixture
def delivered(world):
    """A world in which something was delivered, so that there is something to leave untouched."""
    world.emit(10)
    world.drain()
    return world


def refused(world, code, config=None, exit_code=78, environment=None):
    """`run` and `drain` both end with this exit code and this code in the log; nothing is changed."""
    stored, confirmed, topics = world.broker.progress(world.name), world.confirmed(), world.broker.topics()
    for command in ("run", "drain"):
        relay = world.start(config, command=(command,), environment=environment)
        assert relay.wait() == exit_code, relay.tail()
        assert relay.says(rf"\b{code}\b"), relay.tail()
        assert relay.says("hint"), "no way on"
    assert (stored, confirmed) == (world.broker.progress(world.name), world.confirmed())
    assert topics == world.broker.topics()
    return relay


def test_a_missing_slot(delivered):
    delivered.sql("SELECT pg_drop_replication_slot(%s)", (delivered.slot,))
    refused(delivered, "slot_missing")


def test_a_slot_that_may_not_be_created(world):
    relay = refused(world, "slot_missing", world.config(pipeline={"source": {"create": None}}))
    assert relay.says("pg_create_logical_replication_slot|slot create"), "no SQL to copy"


def test_a_slot_of_somebody_else_without_a_progress_record(world):
    world.sql("SELECT pg_create_logical_replication_slot(%s, 'pgoutput')", (world.slot,))
    refused(world, "progress_missing")


def test_a_slot_of_another_plugin(world):
    world.sql("SELECT pg_create_logical_replication_slot(%s, 'test_decoding')", (world.slot,))
    refused(world, "slot_wrong_plugin")


def test_a_physical_slot(world):
    world.sql("SELECT pg_create_physical_replication_slot(%s)", (world.slot,))
    try:
        relay = world.start()
        assert relay.wait() == 78, relay.tail()
        assert relay.says("slot_physical"), relay.tail()
    finally:
        world.sql("SELECT pg_drop_replication_slot(%s)", (world.slot,))


def test_a_slot_that_decodes_prepared_transactions(world):
    world.sql("SELECT pg_create_logical_replication_slot(%s, 'pgoutput', false, true)", (world.slot,))
    refused(world, "slot_two_phase")


def test_a_missing_publication(make_world, postgres, kafka):
    world = make_world(postgres, kafka, publication=None)
    relay = refused(world, "publication_missing")
    assert relay.says("CREATE PUBLICATION"), "no SQL to copy"


def test_a_publication_without_the_table(make_world, postgres, kafka):
    world = make_world(postgres, kafka, publication="FOR TABLE elsewhere")
    relay = refused(world, "publication_table_missing")
    assert relay.says("ALTER PUBLICATION"), "no SQL to copy"


def test_a_publication_without_inserts(make_world, postgres, kafka):
    world = make_world(postgres, kafka, publication="FOR TABLE outbox WITH (publish = 'update, delete')")
    refused(world, "publication_without_insert")


def test_a_publication_with_a_row_filter(make_world, postgres, kafka):
    world = make_world(postgres, kafka, publication="FOR TABLE outbox WHERE (aggregatetype = 'order')")
    refused(world, "publication_row_filter")


def test_a_publication_with_a_column_list_that_leaves_out_what_is_needed(make_world, postgres, kafka):
    world = make_world(postgres, kafka, publication="FOR TABLE outbox (id, payload)")
    refused(world, "publication_column_list|outbox_column_missing")


def test_a_missing_table(world):
    refused(world, "outbox_table_missing", world.config(pipeline={"source": {"outbox": {"tables": ["public.outbux"]}}}))


def test_a_missing_column(world):
    config = world.config(pipeline={"source": {"outbox": {"columns": {"payload": "paiload"}}}})
    refused(world, "outbox_column_missing", config)


def test_a_role_without_replication(delivered):
    delivered.sql("""DO $$ BEGIN IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'ordinary') THEN
                       CREATE ROLE ordinary LOGIN PASSWORD 'ordinary'; END IF; END $$;
                     GRANT SELECT ON ALL TABLES IN SCHEMA public TO ordinary""")
    url = delivered.postgres.url(delivered.name, "ordinary", "ordinary")
    relay = refused(delivered, "role_without_replication", delivered.config(database={"url": url}))
    assert relay.says("ALTER ROLE"), "no SQL to copy"


def test_a_role_that_may_not_read_the_table(world):
    world.sql("REVOKE SELECT ON outbox FROM relay")
    world.emit(1)
    relay = refused(world, "select_privilege_missing")
    assert relay.says("GRANT SELECT"), "no SQL to copy"


def test_a_wrong_password(delivered):
    url = delivered.postgres.url(delivered.name, "relay", "wrong")
    relay = refused(delivered, "auth_failed", delivered.config(database={"url": url}))
    assert not relay.says(r"relay:wrong"), "the password is in the log"


def test_a_database_that_is_not_there(delivered):
    url = delivered.url().replace(f"/{delivered.name}", "/nosuchdatabase")
    refused(delivered, "database_unknown", delivered.config(database={"url": url}))


def test_tls_that_the_server_does_not_speak(delivered):
    config = delivered.config(database={"url": delivered.url(options="?sslmode=require")})
    refused(delivered, "tls_failed", config)


def test_a_password_file_that_cannot_be_read(delivered):
    config = delivered.config(database={"url": delivered.url().replace("postgresql://relay:", "postgresql://relay:"),
                                        "password_file": "/nowhere/password"})
    refused(delivered, "password_unreadable", config)


def test_a_wal_level_below_logical(make_world, own_postgres, kafka):
    world = make_world(own_postgres("wal_level=replica"), kafka)
    relay = refused(world, "wal_level_not_logical")
    assert relay.says("ALTER SYSTEM SET wal_level"), "no SQL to copy"


def test_no_replication_slot_left(make_world, own_postgres, kafka):
    world = make_world(own_postgres("max_replication_slots=1"), kafka)
    world.sql("SELECT pg_create_logical_replication_slot('other', 'pgoutput')")
    relay = world.start()
    assert relay.wait(40) in (75, 78), relay.tail()
    assert relay.says("max_replication_slots"), relay.tail()


def test_a_slot_that_lost_its_wal(make_world, own_postgres, kafka):
    postgres = own_postgres("max_slot_wal_keep_size=1MB", "wal_keep_size=0", "max_wal_size=32MB", "min_wal_size=32MB")
    world = make_world(postgres, kafka)
    world.emit(5)
    world.drain()
    for _ in range(6):
        world.write_elsewhere(8)
        world.sql("SELECT pg_switch_wal()")
        world.sql("CHECKPOINT")
    assert world.value("SELECT wal_status FROM pg_replication_slots") == "lost"
    relay = world.start()
    assert relay.wait() == 78, relay.tail()
    assert relay.says("slot_lost"), relay.tail()


# ---- the broker

def test_a_broker_whose_transactions_may_not_be_as_long(make_world, postgres, own_kafka):
    world = make_world(postgres, own_kafka("transaction.max.timeout.ms=5000"))
    relay = world.start()
    assert relay.wait(40) == 78, relay.tail()
    assert relay.says("transaction_timeout_invalid"), relay.tail()
    assert world.confirmed() is None


def test_a_broker_that_cannot_make_its_transaction_topic(make_world, postgres, own_kafka):
    """Kafka's own default of three replicas on one broker: no transaction can ever begin."""
    world = make_world(postgres, own_kafka("transaction.state.log.replication.factor=3", "transaction.state.log.min.isr=2"))
    relay = world.start()
    wait_for(lambda: relay.says(r"coordinator|broker_unreachable|transaction") or not relay.alive(),
             f"a word about transactions\n{relay.tail()}", 90)
    assert world.confirmed() is None, "a slot was made for a broker without transactions"


def test_create_topics_with_more_replicas_than_brokers(world):
    world.emit(1)
    config = world.config(pipeline={"sink": {"create_topics": {"replication_factor": 3}}})
    relay = world.start(config)
    assert relay.wait(60) == 78, relay.tail()
    assert relay.says("replication"), relay.tail()


# ---- the configuration

WRONG = """database: {url: "postgresql://relay@127.0.0.1/x"}
pipelines:
  orders:
    source: {type: slot, snapshot: never, outbox: {tables: [public.outbox], colums: {id: id}}}
    policy: none
    sink:
      type: kafka
      bootstrap_server: localhost:9092
      create_topics: {partitions: many}
      transaction_timeout: 10
  Orders 2:
    source: {type: slott}
    policy: none
    sink: {type: kafka, bootstrap_servers: "x:1"}
"""


MISTAKES = ((4, "colums", "columns"), (8, "bootstrap_server", "bootstrap_servers"), (9, "partitions", ""), (10, "transaction_timeout", "10s"),
            (11, "Orders 2", ""), (12, "type", "slot"))


def test_every_mistake_of_a_configuration_is_told_at_once_with_its_place(tmp_path):
    config = tmp_path / "wrong.yaml"
    config.write_text(WRONG)
    for command in (["check"], ["run", "--log-format", "text"], ["drain", "--log-format", "text"]):
        code, out, err = ask(*command, "-c", config)
        lines = (out + err).splitlines()
        assert code == 78, out + err
        for line, field, hint in MISTAKES:
            assert any(f"wrong.yaml:{line}:" in a and field in a and hint in b for a, b in zip(lines, lines[1:] + [""])), (line, out + err)


def test_mistakes_are_lines_of_json_where_the_log_is(tmp_path):
    config = tmp_path / "wrong.yaml"
    config.write_text(WRONG)
    code, out, err = ask("run", "-c", config, "--log-format", "json")
    told = [json.loads(line) for line in err.splitlines()]
    assert code == 78
    for line, field, hint in MISTAKES:
        assert any(t.get("line") == line and field in t["field"] and hint in t.get("hint", "") for t in told), (line, err)


def test_a_configuration_that_cannot_be_read(tmp_path):
    code, out, err = ask("run", "-c", tmp_path / "nowhere.yaml")
    assert code == 78 and "nowhere.yaml" in out + err


def test_a_variable_that_is_not_set(tmp_path):
    config = tmp_path / "variable.yaml"
    config.write_text(WRONG.replace("postgresql://relay@127.0.0.1/x", "${NO_SUCH_VARIABLE}"))
    code, out, err = ask("check", "-c", config)
    assert code == 78 and "NO_SUCH_VARIABLE" in out + err


def test_a_wrong_command_line():
    for words in (["rum"], ["run", "--colour"], ["drain", "--timeout", "soon"]):
        code, out, err = ask(*words)
        assert code == 64, (words, out, err)


# ---- doctor

def test_doctor_finds_nothing_where_everything_is_right_and_changes_nothing(world):
    code, out, err = ask("doctor", "-c", world.config(), "-o", "json")
    assert code == 0, out + err
    json.loads(out)
    assert world.confirmed() is None
    assert not [t for t in world.broker.topics() if world.name in t]


def test_doctor_says_what_run_would_refuse(make_world, postgres, kafka):
    world = make_world(postgres, kafka, publication=None)
    code, out, err = ask("doctor", "-c", world.config(pipeline={"source": {"create": None}}))
    assert code == 78
    for word in ("publication_missing", "CREATE PUBLICATION", "slot_missing"):
        assert word in out + err, (word, out)


def test_doctor_tells_unreachable_servers_from_wrong_ones(world):
    config = world.config(database={"url": world.url(port=1)}, pipeline={"sink": {"bootstrap_servers": "127.0.0.1:1"}})
    code, out, err = ask("doctor", "-c", config)
    assert code == 75, out + err
    assert "database_unreachable" in out + err and "broker_unreachable" in out + err


# ---- the commands of an operator

def test_slot_create_and_drop(world):
    config = world.config()
    code, out, err = ask("slot", "create", "-c", config, "--pipeline", world.name)
    assert code == 0, out + err
    assert world.confirmed() is not None
    world.emit(10)
    code, out, err = ask("slot", "drop", "-c", config, "--pipeline", world.name)
    assert code == 64 and world.confirmed() is not None, "dropped without the typed confirmation"
    world.drain(config)
    world.check()
    code, out, err = ask("slot", "drop", "-c", config, "--pipeline", world.name, "--confirm", world.name)
    assert code == 0 and world.confirmed() is None, out + err


def test_progress_show_and_reset(world):
    config = world.config()
    world.emit(10)
    world.drain(config)
    code, out, err = ask("progress", "show", "-c", config, "-o", "json")
    assert code == 0 and '"sequence":10' in out.replace(" ", ""), out + err
    world.sql("SELECT pg_drop_replication_slot(%s)", (world.slot,))
    code, out, err = ask("progress", "reset", "-c", config, "--pipeline", world.name, "--confirm", world.name)
    assert code == 0, out + err
    world.drain(config)
    summary, rows = world.broker.count(world.topics, expect=10, settle=500)
    assert summary["records"] == 20, "the initial rows come again after a reset"
    assert (summary["sequence_highest"], summary["sequence_missing"]) == (20, 0)
