-- One customer's visit, as pgbench runs it: the order is placed in one transaction and paid for in the next. One order in
-- ten is abandoned: its transaction rolls back, and nobody must ever hear of it.
\set customer random(1, 50)
\set quantity random(1, 5)
\set cents random(500, 20000)
\set mood random(1, 10)
BEGIN;
INSERT INTO orders (customer_id, total_cents) VALUES (:customer, :cents) RETURNING id AS order_id \gset
INSERT INTO order_items VALUES (:order_id, 'sku-' || :cents % 97, :quantity);
INSERT INTO outbox (aggregatetype, aggregateid, type, payload)
  VALUES ('order', :order_id, 'OrderPlaced', jsonb_build_object('order_id', :order_id, 'customer',
      (SELECT jsonb_build_object('id', id, 'name', name, 'email', email, 'phone', phone, 'born', born) FROM customers WHERE id = :customer),
    'sku', 'sku-' || :cents % 97, 'quantity', :quantity, 'total_cents', :cents, 'client_ip', '203.0.113.' || :customer,
    'note', 'ring twice, or write to customer' || :customer || '@mail.example', 'n', 1));
UPDATE customers SET orders = orders + 1 WHERE id = :customer RETURNING orders AS customer_orders \gset
INSERT INTO outbox (aggregatetype, aggregateid, type, payload)
  VALUES ('customer', :customer, 'CustomerOrdered', jsonb_build_object('customer_id', :customer, 'n', :customer_orders));
\if :mood = 1
ROLLBACK;
\else
COMMIT;
BEGIN;
UPDATE orders SET paid = true WHERE id = :order_id;
INSERT INTO outbox (aggregatetype, aggregateid, type, payload)
  VALUES ('order', :order_id, 'OrderPaid', jsonb_build_object('order_id', :order_id, 'total_cents', :cents, 'n', 2));
COMMIT;
\endif
