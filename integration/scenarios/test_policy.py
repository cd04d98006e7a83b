"""What no rule allows does not leave: through real servers, from the policy file to the events, dead letters and logs."""

import base64
import hashlib
import hmac
import json
import os
import re

import pytest
from rig.relay import ask

MARKER = "Zq𝄞7ßk-geheim"

POLICY = """
version: 1
default: deny
keys:
  pii_2026: {file: keys/pii_2026}
  pii_2025: {environment: PII_2025, encoding: hex}
events:
  - match: {aggregate_type: order, event_type: [order_placed, order_paid]}
    key: {action: hash, key: pii_2026, join: order}
    payload:
      $.order_id: {action: hash, key: pii_2026, join: order}
      $.customer.email: {action: hash, key: pii_2026, class: personal}
      $.customer.phone: {action: mask, keep_last: 2}
      $.customer.born: {action: generalise, to: year}
      $.items[*].sku: keep
      $.note: {action: detect, class: free text}
      $..ssn: drop
"""

KEY = b"0123456789abcdef0123456789abcdef"
ENVIRONMENT = {"PII_2025": "61" * 32}

ORDER = {"order_id": 17, "customer": {"name": MARKER, "email": f"{MARKER}@example.com", "phone": "+49 170 1234567", "born": "1970-01-31"},
         "items": [{"sku": "A-1", "note": MARKER, "price": 9.50}, {"sku": "B-2"}], "note": f"write to {MARKER}@example.com",
         "deep": {"ssn": MARKER}, "ssn": MARKER}

INSERT = "INSERT INTO outbox (aggregatetype, aggregateid, type, payload) VALUES (%s, %s, %s, %s) RETURNING id::text"


def write_policy(world, text=POLICY, key=base64.b64encode(KEY), mode=0o600):
    (world.directory / "keys").mkdir(exist_ok=True)
    path = world.directory / "keys/pii_2026"
    if path.exists():
        path.unlink()
    if key is not None:
        path.write_bytes(key)
        os.chmod(path, mode)
    (world.directory / "policy.yaml").write_text(text)


def config(world, pipeline=None):
    """`payments` of the world's name gets all; `<name>_analytics` what the policy lets leave, into topics of its own."""
    tree = world.document()
    analytics = json.loads(json.dumps(tree["pipelines"][world.name]))
    analytics["policy"] = {"file": "policy.yaml"}
    analytics["sink"]["topic"] = f"{world.name}-analytics.{{aggregate_type}}"
    for name, value in (pipeline or {}).items():
        analytics[name] = {**analytics.get(name, {}), **value} if name == "source" else value
    tree["pipelines"][f"{world.name}_analytics"] = analytics
    path = world.directory / "outbox-relay.yaml"
    path.write_text(json.dumps(tree, indent=2).replace("$", "$$"))
    return path


def drain(world, path, expect=0):
    relay = world.start(path, command=("drain",), environment=ENVIRONMENT)
    assert relay.wait(60) == expect, relay.tail()
    for shown in (MARKER, json.dumps(MARKER)[1:-1], KEY.decode(), base64.b64encode(KEY).decode()):
        assert shown not in relay.log(), "a value or a key is in the log"
    return relay


def insert(world, kind="order", key="17", event="order_placed", payload=None):
    return world.value(INSERT, (kind, key, event, json.dumps(ORDER if payload is None else payload)))


def token(field, text):
    """What the policy makes of it, by another implementation."""
    extracted = hmac.digest(bytes(32), KEY, "sha256")
    derived = hmac.digest(extracted, f"outbox-relay policy 1 hash {field}".encode() + b"\x01", "sha256")
    tag = hmac.new(derived, text.encode(), hashlib.sha256).digest()
    return "pii_2026:" + base64.urlsafe_b64encode(tag).decode().rstrip("=")


def hidden(records):
    """No marker in any of them, in no way of writing it."""
    text = json.dumps(records)
    while "\\\\" in text:  # JSON in JSON
        text = text.replace("\\\\", "\\")
    for shown in (MARKER, "geheim", "1234567", "01-31"):
        assert shown not in json.dumps(records, ensure_ascii=False), shown
        assert json.dumps(shown)[1:-1] not in text, shown
    return records


def test_analytics_gets_what_its_policy_names_while_payments_gets_everything(world):
    write_policy(world)
    events = [insert(world), insert(world, event="order_paid")]
    blocked = insert(world, kind="customer", event="customer_changed")
    relay = drain(world, config(world))
    full = world.broker.records(world.topics, expect=3)
    assert {r["headers"]["id"] for r in full} == {*events, blocked}
    assert all(json.loads(r["value"])["customer"]["name"] == MARKER for r in full)
    scrubbed = hidden(world.broker.records(f"{world.name}-analytics\\..*", expect=2, settle=500))
    assert [r["headers"]["id"] for r in scrubbed] == events, "the blocked event, or another one"
    for record in scrubbed:
        assert record["key"] == token("join:order", "17")
        assert record["headers"]["ce_dataclassification"] == "free text,personal"
        assert json.loads(record["value"]) == {
            "order_id": record["key"], "customer": {"email": token("payload $.customer.email", f"{MARKER}@example.com"),
                                                    "phone": "*************67", "born": "1970"},
            "items": [{"sku": "A-1"}, {"sku": "B-2"}], "note": "write to [email]"}
    assert [r["headers"]["sequence"] for r in scrubbed] == ["1", "2"]
    assert relay.says("policy_event_blocked") and relay.says("customer customer_changed of public.outbox"), relay.tail()
    assert "$.customer.name" in relay.log(), relay.tail()


def test_a_blocked_event_keeps_its_place_in_the_sequence(world):
    write_policy(world)
    path = config(world)
    for event in ("order_placed", "secret", "secret", "order_paid"):
        insert(world, event=event)
    drain(world, path)
    insert(world, event="secret")
    drain(world, path)
    insert(world)
    relay = drain(world, path)
    records = world.broker.records(f"{world.name}-analytics\\..*", expect=3, settle=500)
    assert [r["headers"]["sequence"] for r in records] == ["1", "4", "6"]
    assert world.broker.progress(f"{world.name}_analytics")["sequence"] == 6
    assert relay.says('"blocked":0'), relay.tail()


def test_a_new_field_does_not_leave_and_is_named_in_the_log(world):
    write_policy(world)
    path = config(world)
    insert(world)
    drain(world, path)
    insert(world, payload={**ORDER, "tax_number": MARKER})
    relay = drain(world, path)
    hidden(world.broker.records(f"{world.name}-analytics\\..*", expect=2))
    assert relay.says("policy_field_unnamed") and relay.says("tax_number"), relay.tail()


@pytest.fixture
def text_payloads(world):
    """Payloads as jsonb would never store them."""
    world.sql("ALTER TABLE outbox ALTER COLUMN payload TYPE text")
    return world


BROKEN = ['{"order_id": 1, "order_id": 2}', f"no JSON {MARKER}", '{"customer": "' + MARKER + '"}', '{"note": "\\ud800' + MARKER + '"}',
          '{"order_id": 1e999}', '{"customer": {"email": ["' + MARKER + '"]}}']


def insert_raw(world, payload):
    return world.value(INSERT, ("order", MARKER, "order_placed", payload))


def test_what_the_policy_cannot_decide_stops_the_pipeline_and_is_never_passed_through(text_payloads):
    world = text_payloads
    write_policy(world)
    insert_raw(world, BROKEN[0])
    relay = drain(world, config(world), expect=78)
    assert relay.says("policy_payload_duplicate_key"), relay.tail()
    assert not [t for t in world.broker.topics() if t.startswith(f"{world.name}-analytics.")] or \
        not world.broker.records(f"{world.name}-analytics\\..*", settle=500)
    world.broker.records(world.topics, expect=1)  # payments is not held up


def test_dead_letters_in_a_topic_hold_nothing_that_the_policy_takes_out(text_payloads):
    world = text_payloads
    write_policy(world)
    dead = f"{world.name}-dead"
    path = config(world, {"on_reject": {"dead_letter": {"topic": dead}}})
    ids = [insert_raw(world, payload) for payload in BROKEN]
    good = insert(world)
    drain(world, path)
    letters = hidden(world.broker.records(dead, expect=len(BROKEN), settle=500))
    letters.sort(key=lambda r: int(r["headers"]["sequence"]))
    assert [r["headers"]["id"] for r in letters] == ids
    for letter in letters:
        assert letter["value"] is None and letter["headers"]["error_code"].startswith("policy_")
        assert letter["headers"]["aggregate_id"] in ("", None)
    (delivered,) = hidden(world.broker.records(f"{world.name}-analytics\\..*", expect=1))
    assert delivered["headers"]["id"] == good


def test_an_event_that_the_sink_rejects_is_a_scrubbed_dead_letter_too(world):
    write_policy(world, POLICY.replace("$.note: {action: detect, class: free text}", "$.note: keep"))
    world.broker.admin("create-topic", f"{world.name}-analytics.order", 1, "max.message.bytes=5000")
    dead = f"{world.name}-dead"
    from test_rejected import noise
    insert(world, payload={**ORDER, "note": noise(20_000)})
    drain(world, config(world, {"on_reject": {"dead_letter": {"topic": dead}}}))
    (letter,) = hidden(world.broker.records(dead, expect=1, settle=500))
    assert letter["headers"]["error_code"] == "message_too_large"
    assert json.loads(letter["value"])["customer"]["email"].startswith("pii_2026:")
    assert letter["key"] == token("join:order", "17")


def test_dead_letters_in_the_database_hold_the_original(text_payloads):
    world = text_payloads
    world.sql(f"GRANT CREATE ON DATABASE {world.name} TO relay")
    write_policy(world, POLICY.replace("$.note: {action: detect, class: free text}", "$.note: keep"))
    world.broker.admin("create-topic", f"{world.name}-analytics.order", 1, "max.message.bytes=5000")
    path = config(world, {"source": {"create": ["slot", "tables"]}, "on_reject": {"dead_letter": {"table": True}}})
    broken = insert_raw(world, BROKEN[2])
    from test_rejected import noise
    large = {**ORDER, "note": noise(20_000)}
    insert(world, payload=large)
    drain(world, path)
    rows = world.sql("SELECT event_id, aggregate_id, convert_from(payload, 'UTF8'), reject_code FROM outbox_relay.dead_letter ORDER BY sequence")
    assert rows[0] == (broken, MARKER, BROKEN[2], "policy_wrong_type")
    assert rows[1][1] == "17" and json.loads(rows[1][2]) == large and rows[1][3] == "message_too_large"


@pytest.mark.parametrize("key, mode, code", [
    (None, 0, "policy_key_missing"), (base64.b64encode(KEY), 0o644, "policy_key_readable_by_others"),
    (base64.b64encode(b"short"), 0o600, "policy_key_too_short"), (b"not base64 at all!", 0o600, "policy_key_malformed")])
def test_without_a_good_key_the_pipeline_does_not_start_and_the_other_one_does(world, key, mode, code):
    write_policy(world, key=key, mode=mode)
    insert(world)
    relay = drain(world, config(world), expect=78)
    assert relay.says(code) and relay.says("pii_2026"), relay.tail()
    world.broker.records(world.topics, expect=1)
    assert not world.postgres.query("SELECT 1 FROM pg_replication_slots WHERE slot_name = %s", (f"outbox_relay_{world.name}_analytics",))


def test_a_key_that_leaves_the_policy_is_still_there_for_the_other_rules(world):
    """Rotation: both keys are loaded, each rule says which one it uses."""
    write_policy(world, POLICY.replace("$.customer.email: {action: hash, key: pii_2026", "$.customer.email: {action: hash, key: pii_2025"))
    insert(world)
    drain(world, config(world))
    (record,) = hidden(world.broker.records(f"{world.name}-analytics\\..*", expect=1))
    assert json.loads(record["value"])["customer"]["email"].startswith("pii_2025:")
    assert record["key"].startswith("pii_2026:")


def test_problems_of_the_policy_are_told_with_those_of_the_configuration(world):
    path = config(world)
    for change, found in ((("action: mask", "action: maks"), r'policy\.yaml:13:34: error: .*"maks" is none of'),
                          (("$.note:", "$.no te:"), r"policy\.yaml:16:16: error: .*at character 5"),
                          (("key: pii_2026, class", "key: pii_2027, class"), r"there is no key pii_2027\n.*did you mean pii_2026")):
        write_policy(world, POLICY.replace(*change))
        code, _, errors = ask("check", "-c", path)
        assert code == 78 and re.search(found, errors), errors
    relay = world.start(path, environment=ENVIRONMENT)
    assert relay.wait() == 78


def test_columns_of_business_tables_are_covered_like_paths(world):
    world.sql("""CREATE TABLE customers (id bigint PRIMARY KEY, email text, phone text, plan text);
                 ALTER PUBLICATION outbox_relay ADD TABLE customers; GRANT SELECT ON customers TO relay""")
    write_policy(world, """
version: 1
keys: {pii_2026: {file: keys/pii_2026}}
events:
  - match: {table: public.customers, aggregate_type: "*", event_type: "*"}
    key: keep
    payload:
      $.id: keep
      $.plan: keep
      $.email: {action: email}
""")
    tree = world.document(pipeline={"source": {"outbox": None, "snapshot": "never", "tables": [{"table": "public.customers"}]},
                                    "policy": {"file": "policy.yaml"}})
    path = world.directory / "outbox-relay.yaml"
    path.write_text(json.dumps(tree).replace("$", "$$"))
    drain(world, path)
    world.sql("INSERT INTO customers VALUES (1, %s, '+49 170 1234567', 'gold')", (f"{MARKER}@example.com",))
    world.sql("ALTER TABLE customers ADD COLUMN tax_number text")
    world.sql("UPDATE customers SET tax_number = %s", (MARKER,))
    relay = drain(world, path)
    records = hidden(world.broker.records(world.topics, expect=2, settle=500))
    for record in records:
        assert json.loads(record["value"])["email"] == "***@example.com"
        assert set(json.loads(record["value"])) == {"id", "plan", "email"}
    assert relay.says("tax_number") and relay.says("phone"), relay.tail()


def test_preview_report_and_lint_look_at_the_rows_and_change_nothing(world):
    write_policy(world)
    insert(world)
    insert(world, event="secret")
    path = config(world)
    words = ("--pipeline", f"{world.name}_analytics", "-c", path)
    code, shown, errors = ask("policy", "preview", *words, environment=ENVIRONMENT)
    assert code == 0, errors
    assert MARKER in shown and "pii_2026:" in shown and "************" in shown and "no rule" in shown, shown
    assert "order secret of public.outbox  blocked" in shown, shown
    code, record, errors = ask("policy", "report", *words, "-o", "markdown")
    assert code == 0 and "| $.customer.email | hash | personal |" in record and MARKER not in record, (record, errors)
    code, found, _ = ask("policy", "lint", *words)
    assert code == 78 and "key_unused: keys.pii_2025" in found, found
    assert not world.postgres.query("SELECT 1 FROM pg_replication_slots WHERE slot_name LIKE %s", (f"outbox_relay_{world.name}%",))


def test_what_was_encrypted_is_decrypted_with_the_key(world):
    write_policy(world, POLICY.replace("{action: hash, key: pii_2026, class: personal}", "{action: encrypt, key: pii_2026}"))
    insert(world)
    path = config(world)
    drain(world, path)
    (record,) = world.broker.records(f"{world.name}-analytics\\..*", expect=1)
    value = json.loads(record["value"])["customer"]["email"]
    words = ("policy", "decrypt", "--pipeline", f"{world.name}_analytics", "-c", path)
    code, plain, errors = ask(*words, value, environment=ENVIRONMENT)
    assert code == 0 and json.loads(plain) == f"{MARKER}@example.com", errors
    write_policy(world, POLICY, key=base64.b64encode(b"x" * 32))
    assert ask(*words, value, environment=ENVIRONMENT)[0] == 78


def test_rows_of_a_polled_outbox_are_previewed_and_scrubbed_too(make_world, postgres, kafka):
    from test_poll import OWN, polled

    world = polled(make_world(postgres, kafka, outbox=OWN, publication=None))
    write_policy(world)
    insert(world)
    path = world.config(pipeline={"policy": {"file": "policy.yaml"}})
    code, shown, errors = ask("policy", "preview", "-c", path, environment=ENVIRONMENT)
    # A column of type json keeps the text as it was written.
    assert code == 0 and json.dumps(MARKER)[1:-1] in shown and "pii_2026:" in shown, errors
    drain(world, path)
    (record,) = hidden(world.broker.records(world.topics, expect=1))
    assert record["key"] == token("join:order", "17")
