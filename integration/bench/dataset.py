"""The WAL that is read again and again: written once, kept by one slot that nobody reads, read through copies of it."""

from dataclasses import dataclass

from world import Database

BASE_SLOT = "base"


@dataclass
class Dataset:
    database: Database
    rows: int
    transactions: int
    wal_end: str
    wal_bytes: int
    payload_bytes: int  # on average, as text
    base: str = BASE_SLOT

    @property
    def messages(self):
        """What pgoutput says: Begin, Insert ..., Commit."""
        return self.rows + 2 * self.transactions

    def forget(self):
        """Without its slot, the WAL may go, and no later slot has to read through it."""
        self.database.drop_slot(self.base)


def _written(database, rows, transactions):
    database.settle()
    wal_end = database.wal_end()
    wal_bytes = database.value(
        "SELECT (%s::pg_lsn - confirmed_flush_lsn)::bigint FROM pg_replication_slots WHERE slot_name = %s", wal_end, BASE_SLOT
    )
    payload = database.value("SELECT avg(octet_length(payload::text))::int FROM outbox")
    return Dataset(database, rows, transactions, wal_end, wal_bytes, payload)


def small_transactions(database, rows, per_transaction=10):
    database.create_slot(BASE_SLOT)
    # Whether the load waits for the disk changes nothing in the WAL that it leaves.
    database.execute("ALTER DATABASE " + database.name + " SET synchronous_commit = off")
    database.execute("CALL place_orders(%s, %s)", rows, per_transaction)
    database.execute("ALTER DATABASE " + database.name + " RESET synchronous_commit")
    return _written(database, rows, -(-rows // per_transaction))


# What analytics may have of an order: five rules, two of them with a key.
ORDERS_POLICY = """
version: 1
keys: {bench: {file: bench.key}}
events:
  - match: {aggregate_type: order, event_type: OrderPlaced}
    key: keep
    payload:
      $.order_id: {action: hash, key: bench}
      $.customer.email: {action: hash, key: bench}
      $.customer.phone: {action: mask, keep_last: 2}
      $.items[*].sku: keep
      $.total: keep
"""

ORDERS_WITH_CUSTOMERS = """
INSERT INTO outbox (aggregatetype, aggregateid, type, payload)
SELECT 'order', g, 'OrderPlaced', jsonb_build_object('order_id', g, 'total', g %% 400 + 0.99, 'currency', 'EUR', 'channel', 'web',
  'note', 'please ring twice, the bell is broken', 'placed_at', clock_timestamp(),
  'customer', jsonb_build_object('name', 'Maria Beispiel', 'email', 'customer' || g || '@mail.example.com', 'phone', '+49 170 ' || g,
    'address', jsonb_build_object('street', 'Hauptstrasse 17', 'city', 'Berlin', 'zip', '10115', 'country', 'DE')),
  'items', jsonb_build_array(jsonb_build_object('sku', 'A-' || g %% 97, 'name', 'blue chair', 'quantity', 2, 'price', 49.90),
                             jsonb_build_object('sku', 'B-' || g %% 89, 'name', 'oak table', 'quantity', 1, 'price', 199.00)))
FROM generate_series(%s, %s) g
"""


def orders_with_customers(database, rows, per_transaction=10_000):
    """Orders with personal data in them, about 500 bytes each."""
    database.create_slot(BASE_SLOT)
    for first in range(1, rows + 1, per_transaction):
        database.execute(ORDERS_WITH_CUSTOMERS, first, min(first + per_transaction - 1, rows))
    return _written(database, rows, -(-rows // per_transaction))


def captured(database, rows, base, per_statement=10):
    """Rows of a plain table whose triggers make the events; each statement a transaction. The slot `base` exists."""
    database.execute("ALTER DATABASE " + database.name + " SET synchronous_commit = off")
    database.execute("CALL buy(%s, %s)", rows, per_statement)
    database.execute("ALTER DATABASE " + database.name + " RESET synchronous_commit")
    database.execute("CHECKPOINT")
    return Dataset(database, rows, -(-rows // per_statement), database.wal_end(), 0, 0, base)


def one_large_transaction(database, rows, neighbours=100):
    """Between small ones, which must not be lost either."""
    database.create_slot(BASE_SLOT)
    database.execute("CALL place_orders(%s, 1)", neighbours)
    first = neighbours + 1
    database.execute(
        "INSERT INTO outbox (aggregatetype, aggregateid, type, payload) SELECT * FROM orders(%s, %s)", first, neighbours + rows
    )
    database.execute("CALL place_orders(%s, 1, %s)", neighbours, first + rows)
    return _written(database, rows + 2 * neighbours, 1 + 2 * neighbours)
