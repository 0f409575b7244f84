-- Rows that the shop needs from the first day. Runs at every start: it must change nothing the
-- second time.
INSERT INTO items (name, price_cents)
SELECT 'Sample', 0 WHERE NOT EXISTS (SELECT FROM items);
