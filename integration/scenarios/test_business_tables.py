"""Business tables as events: no outbox, no trigger, no call site."""

import io
import json
import subprocess

import pytest
from rig.processes import run, wait_for
from rig.relay import ask
from test_sinks import lines_of

ORDERS = """
CREATE TABLE orders (
  id       bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  customer text NOT NULL,
  status   text NOT NULL DEFAULT 'open',
  total    numeric(12, 2) NOT NULL DEFAULT 0,
  note     text
);
"""


class Shop:
    """A world whose events are lines of a file."""

    def __init__(self, make_world, postgres, schema=ORDERS, tables=None, publication="FOR TABLE orders", **source):
        self.world = make_world(postgres, None, outbox=schema, publication=publication)
        self.sql = self.world.sql
        self.out = self.world.directory / "events.jsonl"
        self.configure(tables or ["public.orders"], **source)

    def configure(self, tables, **source):
        tree = self.world.document(pipeline={"source": {"outbox": None, "snapshot": "initial", "tables": tables, **source}})
        tree["pipelines"][self.world.name]["sink"] = {"type": "file", "path": str(self.out)}
        self.config = self.world.directory / "outbox-relay.yaml"
        self.config.write_text(json.dumps(tree, indent=2).replace("$", "$$"))

    def start(self):
        relay = self.world.start(self.config)
        self.world.wait_until_streaming(relay)
        return relay

    def drain(self, **options):
        return self.world.drain(self.config, **options)

    def lines(self):
        return lines_of(self.out)

    def events(self):
        """(type, aggregate id, payload) of each event."""
        return [(line["event_type"], line["aggregate_id"], line["payload"]) for line in self.lines()]

    def refused(self, code):
        relay = self.world.start(self.config)
        assert relay.wait() == 78, relay.tail()
        assert relay.says(code), relay.tail()
        status, out, _ = ask("doctor", "-c", self.config)
        assert status != 0 and code in out, out
        return relay.tail()


@pytest.fixture
def make_shop(make_world, postgres):
    return lambda **options: Shop(make_world, postgres, **options)


# ---- what becomes an event

def test_inserts_updates_and_deletes_become_events_with_the_row_as_json(make_shop):
    shop = make_shop()
    shop.sql("INSERT INTO orders (customer) VALUES ('before')")
    relay = shop.start()
    shop.sql("INSERT INTO orders (customer, total) VALUES ('ann', 12.50)")
    shop.sql("UPDATE orders SET status = 'paid' WHERE id = 2")
    shop.sql("DELETE FROM orders WHERE id = 2")
    wait_for(lambda: len(shop.lines()) == 4, f"four events\n{relay.tail()}")
    row = {"id": 2, "customer": "ann", "status": "open", "total": 12.5, "note": None}
    assert shop.events() == [
        ("snapshot", "1", {**row, "id": 1, "customer": "before", "total": 0}),
        ("insert", "2", row),
        ("update", "2", {**row, "status": "paid"}),
        ("delete", "2", {"id": 2}),
    ]
    assert '"total": 12.50' in shop.out.read_text() or '"total":12.50' in shop.out.read_text()
    first = shop.lines()[1]
    assert first["aggregate_type"] == "orders" and first["headers"]["operation"] == "insert"
    assert len({line["id"] for line in shop.lines()}) == 4
    assert relay.stop() == 0


def test_rules_name_events_by_operation_changed_columns_and_conditions(make_shop):
    shop = make_shop(tables=[{
        "table": "public.orders", "aggregate_type": "order", "aggregate_id": ["customer"], "columns": ["id", "status"],
        "header_columns": ["note"],
        "events": [
            {"operation": "insert", "type": "order_placed", "when": "new.total > 9.9"},
            {"operation": "update", "of": ["status"], "when": "old.status is distinct from 'void' and new.status in ('paid', 'sent')",
             "type": "order_advanced"},
            {"operation": "update", "of": ["total", "note"], "type": "order_changed"},
            {"operation": "delete", "when": "old.status <> 'open'", "type": "order_removed"},
        ]}])
    shop.sql("ALTER TABLE orders REPLICA IDENTITY FULL")
    shop.sql("INSERT INTO orders (customer, total) VALUES ('small', 9.9), ('old', 10)")
    relay = shop.start()
    shop.sql("INSERT INTO orders (customer, total, note) VALUES ('ann', 100, 'hello'), ('bob', 1, NULL)")
    shop.sql("UPDATE orders SET status = 'void' WHERE customer = 'ann'")   # no rule
    shop.sql("UPDATE orders SET status = 'paid' WHERE customer = 'ann'")   # was void
    shop.sql("UPDATE orders SET status = 'sent' WHERE customer = 'ann'")
    shop.sql("UPDATE orders SET note = NULL WHERE customer = 'ann'")
    shop.sql("UPDATE orders SET note = NULL WHERE customer = 'ann'")       # changes nothing
    shop.sql("DELETE FROM orders")
    wait_for(lambda: len(shop.lines()) == 5, f"five events\n{relay.tail()}")
    assert shop.events() == [
        ("order_placed", "old", {"id": 2, "status": "open"}),
        ("order_placed", "ann", {"id": 3, "status": "open"}),
        ("order_advanced", "ann", {"id": 3, "status": "sent"}),
        ("order_changed", "ann", {"id": 3, "status": "sent"}),
        ("order_removed", "ann", {"id": 3, "status": "sent"}),
    ]
    headers = [line["headers"] for line in shop.lines()]
    assert headers[1]["note"] == "hello" and headers[3]["note"] is None
    assert json.loads(headers[2]["changed_columns"]) == ["status"]
    assert relay.stop() == 0


def test_the_change_form_holds_old_and_new_row(make_shop):
    shop = make_shop(tables=[{"table": "public.orders", "payload": "change"}])
    shop.sql("ALTER TABLE orders REPLICA IDENTITY FULL")
    relay = shop.start()
    shop.sql("INSERT INTO orders (customer) VALUES ('ann')")
    shop.sql("UPDATE orders SET total = 2.5, note = 'x' WHERE id = 1")
    shop.sql("DELETE FROM orders")
    wait_for(lambda: len(shop.lines()) == 3, f"three events\n{relay.tail()}")
    row = {"id": 1, "customer": "ann", "status": "open", "total": 0, "note": None}
    changed = {**row, "total": 2.5, "note": "x"}
    assert [event[2] for event in shop.events()] == [
        {"operation": "insert", "table": "public.orders", "old": None, "new": row},
        {"operation": "update", "table": "public.orders", "old": row, "new": changed, "changed": ["total", "note"]},
        {"operation": "delete", "table": "public.orders", "old": changed, "new": None},
    ]
    assert relay.stop() == 0


def test_a_row_that_goes_to_another_aggregate_ends_in_one_and_begins_in_the_other(make_shop):
    shop = make_shop()
    relay = shop.start()
    shop.sql("INSERT INTO orders (customer) VALUES ('ann')")
    shop.sql("UPDATE orders SET id = DEFAULT")
    wait_for(lambda: len(shop.lines()) == 3, f"three events\n{relay.tail()}")
    assert [(e[0], e[1]) for e in shop.events()] == [("insert", "1"), ("delete", "1"), ("insert", "2")]
    headers = [line["headers"] for line in shop.lines()]
    assert headers[1]["key_changed_to"] == "2" and headers[2]["key_changed_from"] == "1"
    assert len({line["id"] for line in shop.lines()}) == 3
    assert relay.stop() == 0


def test_a_changed_aggregate_is_an_update_where_rules_know_no_end_and_beginning(make_shop):
    shop = make_shop(tables=[{"table": "public.orders", "aggregate_id": ["customer"], "columns": ["id"], "events": [
        {"operation": "insert", "type": "placed"}, {"operation": "update", "of": ["customer"], "type": "handed_over"}]}])
    shop.sql("ALTER TABLE orders REPLICA IDENTITY FULL")
    relay = shop.start()
    shop.sql("INSERT INTO orders (customer) VALUES ('ann')")
    shop.sql("UPDATE orders SET customer = 'bob'")
    wait_for(lambda: len(shop.lines()) == 2, f"two events\n{relay.tail()}")
    assert [(e[0], e[1]) for e in shop.events()] == [("placed", "ann"), ("handed_over", "bob")]
    assert shop.lines()[1]["headers"]["key_changed_from"] == "ann"
    assert relay.stop() == 0


def test_a_partition_with_another_replica_identity_stops_the_relay_before_a_wrong_value_leaves(make_shop):
    shop = make_shop(schema="""
      CREATE TABLE orders (id int, region text, body text, PRIMARY KEY (id, region)) PARTITION BY LIST (region);
      ALTER TABLE orders ALTER COLUMN body SET STORAGE EXTERNAL;
      CREATE TABLE orders_eu PARTITION OF orders FOR VALUES IN ('eu');
      ALTER TABLE orders REPLICA IDENTITY FULL; ALTER TABLE orders_eu REPLICA IDENTITY FULL""",
                     publication="FOR TABLE orders WITH (publish_via_partition_root = true)",
                     tables=[{"table": "public.orders", "aggregate_id": ["region"]}])
    relay = shop.start()
    shop.sql("CREATE TABLE orders_us PARTITION OF orders FOR VALUES IN ('us')")  # DEFAULT, whatever the table has
    shop.sql("INSERT INTO orders VALUES (1, 'us', repeat('x', 20000))")
    shop.sql("UPDATE orders SET id = 2")
    assert relay.wait() == 78 and relay.says("replica_identity_mixed"), relay.tail()
    assert [event[0] for event in shop.events()] == ["insert"]


def test_truncate_is_an_event_when_a_rule_says_so_and_a_warning_otherwise(make_shop):
    tables = [{"table": "public.orders", "events": [{"operation": "insert", "type": "placed"}, {"operation": "truncate", "type": "emptied"}]}]
    shop = make_shop(schema=ORDERS + "CREATE TABLE lines (id int PRIMARY KEY)", tables=tables + ["public.lines"],
                     publication="FOR TABLE orders, lines")
    relay = shop.start()
    shop.sql("INSERT INTO orders (customer) VALUES ('ann')")
    shop.sql("TRUNCATE orders, lines")
    wait_for(lambda: len(shop.lines()) == 2 and relay.says("truncate_ignored"), f"two events and a warning\n{relay.tail()}")
    assert shop.events()[1] == ("emptied", None, {})
    assert relay.stop() == 0


# ---- values

TYPES = r"""
CREATE TYPE mood AS ENUM ('sad', 'so "so"');
CREATE DOMAIN positive AS int CHECK (value > 0);
CREATE DOMAIN several AS int[];
CREATE TYPE pair AS (a int, "B b" text, c timestamptz, d int[]);
CREATE TYPE outer_pair AS (p pair, many pair[]);
CREATE TABLE things (
  id int PRIMARY KEY,
  t_bool bool, t_int2 int2, t_int4 int4, t_int8 int8, t_float4 float4, t_float8 float8, t_numeric numeric, t_money money,
  t_text text, t_varchar varchar(10), t_char char(5), t_quoted "char", t_name name, t_bytea bytea, t_uuid uuid,
  t_date date, t_time time, t_timetz timetz, t_timestamp timestamp, t_timestamptz timestamptz, t_interval interval,
  t_json json, t_jsonb jsonb, t_xml xml, t_inet inet, t_cidr cidr, t_macaddr macaddr, t_macaddr8 macaddr8,
  t_bit bit(4), t_varbit varbit, t_point point, t_box box, t_path path, t_line line, t_circle circle, t_polygon polygon, t_lseg lseg,
  t_int4range int4range, t_numrange numrange, t_tsrange tsrange, t_tstzrange tstzrange, t_daterange daterange,
  t_tsvector tsvector, t_tsquery tsquery, t_oid oid, t_regclass regclass, t_lsn pg_lsn, t_xid8 xid8, t_int2vector int2vector,
  t_ints int[], t_texts text[], t_stamps timestamptz[], t_jsons jsonb[], t_matrix int[][], t_bytes bytea[], t_boxes box[], t_bools bool[],
  t_mood mood, t_moods mood[], t_positive positive, t_several several, t_pair pair, t_pairs pair[], t_outer outer_pair
);
"""

ROWS = [
    {},
    {"t_bool": "true", "t_int2": "-32768", "t_int4": "2147483647", "t_int8": "-9223372036854775808", "t_float4": "1.1",
     "t_float8": "1e300", "t_numeric": "123456789012345678901234567890.123456789012345678901234567890", "t_money": "12.34",
     "t_text": "'q\"uote \\ back\nline \u20ac \x01'", "t_varchar": "''", "t_char": "'ab'", "t_quoted": "'x'", "t_name": "'n'",
     "t_bytea": "'\\x00ff10'", "t_uuid": "'2f1e4c5a-0000-4000-8000-000000000001'", "t_date": "'2024-02-29'", "t_time": "'23:59:59.5'",
     "t_timetz": "'12:00+02'", "t_timestamp": "'2024-02-29 12:34:56.789'", "t_timestamptz": "'2024-02-29 12:34:56.789+05:30'",
     "t_interval": "'1 year 2 days 03:04:05.6'", "t_json": "'{\"a\":  [1, 2.50, null], \"b\": \"x\"}'",
     "t_jsonb": "'{\"a\": 1e400, \"b\": [true]}'", "t_xml": "'<a b=\"c\"/>'", "t_inet": "'10.0.0.1/8'", "t_cidr": "'10.0.0.0/8'",
     "t_macaddr": "'08:00:2b:01:02:03'", "t_macaddr8": "'08:00:2b:01:02:03:04:05'", "t_bit": "B'1010'", "t_varbit": "B'1'",
     "t_point": "'(1,2)'", "t_box": "'(1,2),(3,4)'", "t_path": "'[(1,2),(3,4)]'", "t_line": "'{1,2,3}'", "t_circle": "'<(1,2),3>'",
     "t_polygon": "'((1,2),(3,4))'", "t_lseg": "'[(1,2),(3,4)]'", "t_int4range": "'[1,5)'", "t_numrange": "'(1.5,]'",
     "t_tsrange": "'[2024-01-01 00:00,2024-01-02 00:00)'", "t_tstzrange": "'[2024-01-01 00:00+00,)'", "t_daterange": "'empty'",
     "t_tsvector": "'a:1 b:2'", "t_tsquery": "'a & b'", "t_oid": "4294967295", "t_regclass": "'pg_class'", "t_lsn": "'1/2'",
     "t_xid8": "'5'", "t_int2vector": "'1 2 3'", "t_ints": "'{1,NULL,-3}'", "t_texts": "ARRAY['a', NULL, 'NULL', '', 'q\"u', 'b\\s', 'c,d', '{}']",
     "t_stamps": "'{2024-01-01 00:00+00,infinity}'", "t_jsons": "ARRAY['{\"a\": [1]}'::jsonb, 'null'::jsonb]",
     "t_matrix": "'{{1,2},{3,4}}'", "t_bytes": "ARRAY['\\x01'::bytea]", "t_boxes": "'{(3,4),(1,2);(5,6),(1,1)}'", "t_bools": "'{t,f,NULL}'",
     "t_mood": "'so \"so\"'", "t_moods": "ARRAY['sad', 'so \"so\"']::mood[]", "t_positive": "7", "t_several": "'{1,2}'",
     "t_pair": "ROW(1, 'x \"y\" \\ (z), ', '2024-01-01 00:00+00', '{1,2}')", "t_pairs": "ARRAY[ROW(1, NULL, NULL, NULL)::pair, NULL, ROW(NULL, '', 'infinity', '{}')::pair]",
     "t_outer": "ROW(ROW(1, 'a', NULL, '{NULL}')::pair, ARRAY[ROW(2, 'b\"', NULL, NULL)::pair])"},
    {"t_float4": "'NaN'", "t_float8": "'-Infinity'", "t_numeric": "'NaN'", "t_date": "'infinity'", "t_timestamp": "'-infinity'",
     "t_timestamptz": "'infinity'", "t_ints": "'{}'", "t_texts": "'{}'", "t_matrix": "'[0:1]={7,8}'", "t_bool": "false", "t_int8": "0"},
    {"t_date": "'0044-03-15 BC'", "t_timestamp": "'0044-03-15 10:00 BC'", "t_timestamptz": "'0044-03-15 10:00+00 BC'",
     "t_numeric": "-0.000000000000000000000000001", "t_float8": "-0.0", "t_float4": "1e-30", "t_interval": "'-1 day'"},
]


def exactly(text):
    """JSON with its numbers as the digits they are."""
    return json.loads(text, parse_float=str, parse_int=str)


def test_every_built_in_type_is_the_json_that_the_server_itself_makes_of_it(make_shop):
    shop = make_shop(schema=TYPES, tables=["public.things"], publication="FOR TABLE things")

    def insert(first):
        for i, row in enumerate(ROWS):
            columns = "".join(f", {c}" for c in row)
            shop.sql(f"INSERT INTO things (id{columns}) VALUES ({first + i}{''.join(', ' + v for v in row.values())})")

    insert(1)
    relay = shop.start()
    insert(101)
    wait_for(lambda: len(shop.lines()) == 2 * len(ROWS), f"all rows\n{relay.tail()}")
    connection = shop.world.postgres.connect(shop.world.name)
    with connection.cursor() as cursor:
        cursor.execute("SET timezone = 'UTC'")
        cursor.execute("SELECT id, row_to_json(t)::text FROM things t")
        expected = {str(i): exactly(text) for i, text in cursor.fetchall()}
    connection.close()
    for line in shop.out.read_text().splitlines():
        event = exactly(line)
        row = event["payload"]
        assert row == expected[event["aggregate_id"]], row
    assert relay.stop() == 0


def test_a_value_out_of_line_that_did_not_change_is_named_or_taken_from_the_old_row(make_shop):
    shop = make_shop(schema=ORDERS + "ALTER TABLE orders ALTER COLUMN note SET STORAGE EXTERNAL")
    shop.sql("INSERT INTO orders (customer, note) VALUES ('ann', repeat('long', 5000))")
    relay = shop.start()
    shop.sql("UPDATE orders SET status = 'paid'")
    wait_for(lambda: len(shop.lines()) == 2, f"two events\n{relay.tail()}")
    line = shop.lines()[1]
    assert "note" not in line["payload"] and json.loads(line["headers"]["missing_columns"]) == ["note"]
    shop.sql("ALTER TABLE orders REPLICA IDENTITY FULL")
    shop.sql("UPDATE orders SET status = 'sent'")
    wait_for(lambda: len(shop.lines()) == 3, f"three events\n{relay.tail()}")
    line = shop.lines()[2]
    assert line["payload"]["note"] == "long" * 5000 and "missing_columns" not in line["headers"]
    assert json.loads(line["headers"]["changed_columns"]) == ["status"]
    assert relay.stop() == 0


def test_generated_columns_stay_out_of_initial_and_live_rows_alike(make_shop):
    shop = make_shop(schema=ORDERS + "ALTER TABLE orders ADD COLUMN double numeric GENERATED ALWAYS AS (total * 2) STORED")
    shop.sql("INSERT INTO orders (customer) VALUES ('ann')")
    relay = shop.start()
    shop.sql("INSERT INTO orders (customer) VALUES ('bob')")
    wait_for(lambda: len(shop.lines()) == 2, f"two events\n{relay.tail()}")
    assert all("double" not in line["payload"] for line in shop.lines())
    assert relay.stop() == 0


# ---- tables of every kind

@pytest.mark.parametrize("via_root", [True, False])
def test_partitions_arrive_under_the_name_of_their_table(make_shop, via_root):
    shop = make_shop(schema="""
      CREATE TABLE orders (id int, region text, total int, PRIMARY KEY (id, region)) PARTITION BY LIST (region);
      CREATE TABLE orders_eu PARTITION OF orders FOR VALUES IN ('eu');
      CREATE TABLE orders_us (total int, region text NOT NULL, id int NOT NULL, PRIMARY KEY (id, region));
      ALTER TABLE orders ATTACH PARTITION orders_us FOR VALUES IN ('us');""",
                     publication=f"FOR TABLE orders WITH (publish_via_partition_root = {str(via_root).lower()})",
                     tables=[{"table": "public.orders", "aggregate_id": ["id"]}])
    shop.sql("INSERT INTO orders VALUES (1, 'eu', 10)")
    relay = shop.start()
    shop.sql("INSERT INTO orders VALUES (2, 'us', 20)")
    shop.sql("UPDATE orders SET total = 21 WHERE id = 2")
    shop.sql("UPDATE orders SET region = 'eu' WHERE id = 2")  # PostgreSQL moves it: delete and insert
    shop.sql("CREATE TABLE orders_asia PARTITION OF orders FOR VALUES IN ('asia')")
    shop.sql("INSERT INTO orders VALUES (3, 'asia', 30)")
    wait_for(lambda: len(shop.lines()) == 6, f"six events\n{relay.tail()}")
    assert shop.events() == [
        ("snapshot", "1", {"id": 1, "region": "eu", "total": 10}),
        ("insert", "2", {"id": 2, "region": "us", "total": 20}),
        ("update", "2", {"id": 2, "region": "us", "total": 21}),
        ("delete", "2", {"id": 2, "region": "us"}),
        ("insert", "2", {"id": 2, "region": "eu", "total": 21}),
        ("insert", "3", {"id": 3, "region": "asia", "total": 30}),
    ]
    assert {line["aggregate_type"] for line in shop.lines()} == {"orders"}
    assert relay.stop() == 0


def test_a_table_that_is_attached_as_a_partition_while_running_takes_the_name_of_its_root(make_shop):
    shop = make_shop(schema="""
      CREATE TABLE orders (id int, region text, PRIMARY KEY (id, region)) PARTITION BY LIST (region);
      CREATE TABLE orders_us (id int, region text, PRIMARY KEY (id, region));""",
                     publication="FOR TABLE orders, orders_us", tables=["public.orders", "public.orders_us"])
    relay = shop.start()
    shop.sql("INSERT INTO orders_us VALUES (1, 'us')")
    shop.sql("ALTER TABLE orders ATTACH PARTITION orders_us FOR VALUES IN ('us')")
    shop.sql("INSERT INTO orders VALUES (2, 'us')")
    wait_for(lambda: len(shop.lines()) == 2, f"two events\n{relay.tail()}")
    assert [(line["aggregate_type"], line["aggregate_id"]) for line in shop.lines()] == [("orders_us", "1:us"), ("orders", "2:us")]
    assert relay.stop() == 0


def test_rows_from_before_a_change_of_the_primary_key_keep_the_key_they_had(make_shop):
    shop = make_shop()
    shop.drain()
    shop.sql("INSERT INTO orders (customer) VALUES ('ann')")
    shop.sql("ALTER TABLE orders DROP CONSTRAINT orders_pkey, ADD PRIMARY KEY (customer)")
    shop.sql("INSERT INTO orders (customer) VALUES ('bob')")
    shop.drain()
    assert [line["aggregate_id"] for line in shop.lines()] == ["1", "bob"]


def test_a_table_that_only_a_pattern_names_may_be_missing_in_the_publication_with_a_warning(make_shop):
    shop = make_shop(schema="""
      CREATE SCHEMA tenant_1; CREATE TABLE tenant_1.orders (id int PRIMARY KEY);
      GRANT USAGE ON SCHEMA tenant_1 TO PUBLIC; GRANT SELECT ON tenant_1.orders TO PUBLIC;""",
                     publication="FOR TABLE tenant_1.orders", tables=["tenant_*.orders"])
    shop.drain()
    shop.sql("CREATE SCHEMA tenant_2; CREATE TABLE tenant_2.orders (id int PRIMARY KEY)")
    code, out, _ = ask("doctor", "-c", shop.config)
    assert code == 0 and "publication_table_missing" in out and 'ADD TABLE "tenant_2"."orders"' in out, out
    shop.sql("INSERT INTO tenant_1.orders VALUES (1)")
    shop.drain()
    assert [line["aggregate_id"] for line in shop.lines()] == ["1"]


def test_a_full_identity_with_a_column_list_breaks_the_applications_updates_and_doctor_says_so(make_shop):
    shop = make_shop(publication="FOR TABLE orders (id, customer, status, total, note)")
    shop.sql("ALTER TABLE orders REPLICA IDENTITY FULL")
    shop.sql("INSERT INTO orders (customer) VALUES ('ann')")
    with pytest.raises(Exception, match="Column list"):  # the premise: PostgreSQL refuses it
        shop.sql("UPDATE orders SET status = 'paid'")
    code, out, _ = ask("doctor", "-c", shop.config)
    assert code != 0 and "publication_breaks_updates" in out, out


def test_tables_of_a_pattern_are_followed_also_those_that_come_later(make_shop):
    shop = make_shop(schema="""
      CREATE SCHEMA tenant_1; CREATE TABLE tenant_1.orders (id int PRIMARY KEY, n int);
      GRANT USAGE ON SCHEMA tenant_1 TO PUBLIC; GRANT SELECT ON tenant_1.orders TO PUBLIC;""",
                     publication="FOR TABLE tenant_1.orders",
                     tables=[{"table": "tenant_*.orders", "aggregate_type": "{schema}/{table}"}])
    relay = shop.start()
    shop.sql("INSERT INTO tenant_1.orders VALUES (1, 1)")
    shop.sql("""CREATE SCHEMA tenant_2; CREATE TABLE tenant_2.orders (id int PRIMARY KEY, m text);
                ALTER PUBLICATION outbox_relay ADD TABLE tenant_2.orders""")
    shop.sql("INSERT INTO tenant_2.orders VALUES (7, 'x')")
    shop.sql("ALTER TABLE tenant_2.orders ADD COLUMN later bool DEFAULT true")
    shop.sql("INSERT INTO tenant_2.orders VALUES (8, 'y')")
    wait_for(lambda: len(shop.lines()) == 3, f"three events\n{relay.tail()}")
    assert [(line["aggregate_type"], line["payload"]) for line in shop.lines()] == [
        ("tenant_1/orders", {"id": 1, "n": 1}), ("tenant_2/orders", {"id": 7, "m": "x"}),
        ("tenant_2/orders", {"id": 8, "m": "y", "later": True})]
    assert relay.stop() == 0


def test_hostile_names_and_very_many_columns_are_ordinary(make_shop):
    hostile = 'a "quoted" \\ name; DROP TABLE x --'
    identifier = '"' + hostile.replace('"', '""') + '"'
    many = ", ".join(f"c{i} int" for i in range(1597))
    shop = make_shop(schema=f'CREATE TABLE "Odd Table" ({identifier} int PRIMARY KEY, "Select" text, "\u00fc" text); CREATE TABLE wide (id int PRIMARY KEY, {many})',
                     publication='FOR TABLE "Odd Table", wide', tables=["public.Odd Table", "public.wide"])
    shop.sql(f"""INSERT INTO "Odd Table" VALUES (1, 'x', 'y')""")
    shop.sql("INSERT INTO wide (id, c1596) VALUES (1, 2)")
    relay = shop.start()
    shop.sql(f"""UPDATE "Odd Table" SET "Select" = 'z'""")
    shop.sql("UPDATE wide SET c0 = 1")
    wait_for(lambda: len(shop.lines()) == 4, f"four events\n{relay.tail()}")
    assert shop.events()[2] == ("update", "1", {hostile: 1, "Select": "z", "\u00fc": "y"})
    assert len(shop.events()[3][2]) == 1598 and shop.events()[3][2]["c1596"] == 2
    assert relay.stop() == 0


def test_a_row_of_a_hundred_megabytes_passes_or_is_named(make_shop):
    shop = make_shop()
    shop.sql("INSERT INTO orders (customer, note) VALUES ('big', repeat('x', 100000000)), ('small', NULL)")
    shop.drain(timeout=120)
    sizes = [len(line["payload"]["note"] or "") for line in shop.lines()]
    assert sizes == [100_000_000, 0]


# ---- what is refused

def test_a_table_without_a_key_is_refused_until_the_configuration_names_one(make_shop):
    shop = make_shop(schema="CREATE TABLE orders (a int, b int)")
    shop.refused("aggregate_id_missing")
    shop.sql("ALTER TABLE orders REPLICA IDENTITY FULL")
    shop.configure([{"table": "public.orders", "aggregate_id": ["a"]}], snapshot="never")
    relay = shop.start()
    shop.sql("INSERT INTO orders VALUES (1, 2)")
    wait_for(lambda: shop.events() == [("insert", "1", {"a": 1, "b": 2})], f"one event\n{relay.tail()}")
    assert relay.stop() == 0


REFUSALS = [
    ("captured_table_missing", ["public.nothing"], ""),
    ("table_unlogged", None, "ALTER PUBLICATION outbox_relay DROP TABLE orders; ALTER TABLE orders SET UNLOGGED"),
    ("table_column_missing", [{"table": "public.orders", "columns": ["nope"]}], ""),
    ("replica_identity_missing", None, "ALTER TABLE orders REPLICA IDENTITY NOTHING"),
    ("replica_identity_insufficient", [{"table": "public.orders", "aggregate_id": ["customer"]}], ""),
    ("replica_identity_insufficient",
     [{"table": "public.orders", "events": [{"operation": "update", "of": ["status"], "type": "x"}]}], ""),
    ("publication_operation_missing", None, "ALTER PUBLICATION outbox_relay SET (publish = 'insert')"),
    ("publication_table_missing", None, "ALTER PUBLICATION outbox_relay DROP TABLE orders"),
]


@pytest.mark.parametrize("code, tables, statement", REFUSALS, ids=[f"{i}-{r[0]}" for i, r in enumerate(REFUSALS)])
def test_what_could_not_be_captured_rightly_is_refused_at_the_start(make_shop, code, tables, statement):
    shop = make_shop(tables=tables)
    if statement:
        shop.sql(statement)
    shop.refused(code)


def test_a_replica_identity_that_shrinks_while_running_stops_the_pipeline(make_shop):
    shop = make_shop(tables=[{"table": "public.orders", "aggregate_id": ["customer"]}])
    shop.sql("ALTER TABLE orders REPLICA IDENTITY FULL")
    relay = shop.start()
    shop.sql("INSERT INTO orders (customer) VALUES ('ann')")
    shop.sql("ALTER TABLE orders REPLICA IDENTITY DEFAULT")
    shop.sql("DELETE FROM orders")
    assert relay.wait() == 78, relay.tail()
    assert relay.says("replica_identity_insufficient"), relay.tail()


def test_a_condition_that_cannot_be_read_is_an_error_with_its_place(make_shop):
    shop = make_shop(tables=[{"table": "public.orders", "events": [{"operation": "insert", "type": "x", "when": "new.total >"}]}])
    code, _, err = ask("check", "-c", shop.config)
    assert code == 78 and "at character 12" in err, err


# ---- kills

def test_initial_rows_and_changes_arrive_exactly_once_after_kills(make_world, postgres, kafka, seed):
    world = make_world(postgres, kafka, outbox=ORDERS + "CREATE TABLE pairs (a int, b int, n int, PRIMARY KEY (a, b))",
                       publication="FOR TABLE orders, pairs")
    settings = world.config(pipeline={"source": {"outbox": None, "snapshot": "initial", "tables": ["public.orders", "public.pairs"]},
                                      "batch": {"events": 200}})
    world.sql("INSERT INTO orders (customer, total) SELECT 'c' || g % 50, g FROM generate_series(1, 5000) g")
    world.sql("INSERT INTO pairs SELECT g % 100, g, 0 FROM generate_series(1, 5000) g")
    for step in range(8):
        before = world.sequence()
        relay = world.start(settings)
        wait_for(lambda: world.sequence() > before + seed.randrange(1500) or not relay.alive(), f"some delivery\n{relay.tail()}", every=0.01)
        relay.kill()
        if step >= 4:
            world.sql("INSERT INTO orders (customer) SELECT 'late' FROM generate_series(1, 500)")
            world.sql("UPDATE pairs SET n = n + 1 WHERE b % 10 = 0")
            world.sql("UPDATE orders SET id = DEFAULT WHERE id % 1000 = 0 AND id <= 5000")
            world.sql("DELETE FROM pairs WHERE b %% 1000 = %s", (step,))
    world.drain(settings)
    summary, rows = world.broker.count(world.topics, expect=0, settle=1000)
    assert (summary["duplicates"], summary["sequence_missing"], summary["sequence_repeated"]) == (0, 0, 0), summary
    check_state(world, {"orders": ["id"], "pairs": ["a", "b"]})


def check_state(world, tables):
    """The last event of each aggregate says what its row is now: the tables, row for row."""
    records = sorted(world.broker.records(world.topics, settle=500), key=lambda r: int(r["headers"]["sequence"]))
    state = {table: {} for table in tables}
    for record in records:
        table = record["topic"].split(".", 1)[1]
        if record["headers"]["operation"] == "delete":
            state[table].pop(record["key"], None)
        else:
            state[table][record["key"]] = exactly(record["value"])
    for table, key in tables.items():
        rows = [exactly(row[0]) for row in world.sql(f"SELECT row_to_json(t)::text FROM {table} t")]
        expected = {":".join(str(row[k]) for k in key): row for row in rows}
        assert state[table] == expected, f"{table}: {len(state[table])} rows by events, {len(expected)} in the table"


REPLAY = """
CREATE TABLE arrived (sequence bigint PRIMARY KEY, source text, operation text, row json);
CREATE FUNCTION replay() RETURNS void LANGUAGE plpgsql AS $$
DECLARE
  e record;
BEGIN
  FOR e IN SELECT * FROM arrived ORDER BY sequence LOOP
    CASE e.source
      WHEN 'pgbench_history' THEN
        INSERT INTO pgbench_history SELECT * FROM json_populate_record(NULL::pgbench_history, e.row);
      WHEN 'pgbench_accounts' THEN
        DELETE FROM pgbench_accounts WHERE aid = (e.row->>'aid')::int;
        INSERT INTO pgbench_accounts SELECT * FROM json_populate_record(NULL::pgbench_accounts, e.row);
      WHEN 'pgbench_tellers' THEN
        DELETE FROM pgbench_tellers WHERE tid = (e.row->>'tid')::int;
        INSERT INTO pgbench_tellers SELECT * FROM json_populate_record(NULL::pgbench_tellers, e.row);
      WHEN 'pgbench_branches' THEN
        DELETE FROM pgbench_branches WHERE bid = (e.row->>'bid')::int;
        INSERT INTO pgbench_branches SELECT * FROM json_populate_record(NULL::pgbench_branches, e.row);
    END CASE;
  END LOOP;
END $$;
"""


def test_the_events_of_a_tpcb_run_replayed_elsewhere_give_identical_tables(make_world, postgres, kafka, seed):
    world = make_world(postgres, kafka, outbox="SELECT 1", publication=None)
    pgbench = postgres.BIN / "pgbench"
    run([pgbench, "-i", "-q", "-s", "1", world.postgres.url(world.name)])
    world.sql("GRANT SELECT ON ALL TABLES IN SCHEMA public TO relay")
    world.sql("CREATE PUBLICATION outbox_relay FOR TABLE pgbench_accounts, pgbench_branches, pgbench_tellers, pgbench_history")
    world.sql("ALTER TABLE pgbench_history REPLICA IDENTITY FULL")
    settings = world.config(pipeline={
        "source": {"outbox": None, "snapshot": "initial", "tables": [
            "public.pgbench_accounts", "public.pgbench_branches", "public.pgbench_tellers",
            {"table": "public.pgbench_history", "aggregate_id": ["tid"], "initial_rows": False}]},
        "batch": {"events": 1000}})
    first = world.start(settings)
    wait_for(lambda: world.sequence() > 0, f"the first rows\n{first.tail()}", every=0.01)  # the slot is there: history begins
    first.kill()
    writers = subprocess.Popen([pgbench, "-n", "-c", "4", "-t", "2500", world.postgres.url(world.name)],
                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    landed = 0
    while landed < 6 or writers.poll() is None:
        before = world.sequence()
        relay = world.start(settings)
        wait_for(lambda: world.sequence() > before + seed.randrange(12_000) or not relay.alive() or writers.poll() is not None,
                 f"some delivery\n{relay.tail()}", every=0.01)
        relay.kill()
        landed += world.sequence() > before
    assert writers.returncode == 0
    world.drain(settings)
    records = world.broker.records(world.topics, settle=1000, timeout=120)
    assert len({r["headers"]["sequence"] for r in records}) == len(records) == world.sequence()
    copy = make_world(postgres, kafka, outbox="SELECT 1", publication=None)
    run([pgbench, "-i", "-q", "-s", "1", copy.postgres.url(copy.name)])
    copy.sql("TRUNCATE pgbench_accounts, pgbench_tellers, pgbench_branches, pgbench_history")
    copy.sql(REPLAY)
    lines = "".join("%s\t%s\t%s\t%s\n" % (r["headers"]["sequence"], r["topic"].split(".", 1)[1], r["headers"]["operation"],
                                          r["value"].replace("\\", "\\\\")) for r in records)
    connection = copy.postgres.connect(copy.name)
    with connection, connection.cursor() as cursor:
        cursor.copy_expert("COPY arrived FROM STDIN", io.StringIO(lines))
        cursor.execute("SELECT replay()")
    connection.close()
    for table in ("pgbench_accounts", "pgbench_branches", "pgbench_tellers", "pgbench_history"):
        query = f"SELECT count(*), md5(string_agg(t::text, '\n' ORDER BY t::text)) FROM {table} t"
        assert world.sql(query) == copy.sql(query), table
    assert world.value("SELECT count(*) FROM pgbench_history") == 10_000
