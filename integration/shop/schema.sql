-- A small shop, as it might have been for years: three tables of its own, and an outbox with Debezium's column names into
-- which the application writes what happened, in the transaction in which it happened.
CREATE TABLE customers (
  id     bigint PRIMARY KEY,
  name   text NOT NULL,
  email  text NOT NULL,
  phone  text NOT NULL,
  born   date NOT NULL,
  orders bigint NOT NULL DEFAULT 0
);
CREATE TABLE orders (
  id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  customer_id bigint NOT NULL REFERENCES customers,
  total_cents bigint NOT NULL,
  paid        boolean NOT NULL DEFAULT false
);
CREATE TABLE order_items (
  order_id bigint NOT NULL REFERENCES orders,
  sku      text NOT NULL,
  quantity int NOT NULL
);
CREATE TABLE outbox (
  id            uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  aggregatetype text NOT NULL,
  aggregateid   text NOT NULL,
  type          text NOT NULL,
  payload       jsonb NOT NULL,
  created_at    timestamptz NOT NULL DEFAULT clock_timestamp()
);
INSERT INTO customers
  SELECT n, 'Customer ' || n, 'customer' || n || '@mail.example', '+49 170 55' || 1000 + n, date '1950-01-01' + n * 400
  FROM generate_series(1, 50) n;
