-- Rows for the people of `mandate demo`.

INSERT INTO invoices (id, mandate_id, owner_id, number, customer, amount, margin)
SELECT gen_random_uuid(), m.id, u.id, given.number, given.customer, given.amount, given.margin
FROM (VALUES
    ('alpine', 'ada@example.org', 'A-1001', 'Gotthard Railways', 18400.00, 5200.00),
    ('alpine', 'max@example.org', 'A-1002', 'Säntis Dairy', 2950.50, 640.00),
    ('alpine', 'vera@example.org', 'A-1003', 'Museum of Clocks', 7200.00, 1810.00),
    ('alpine', 'max@example.org', 'A-1004', 'Lakeside Clinic', 11250.00, 2975.25),
    ('baltic', 'bert@example.org', 'B-2001', 'Gotland Timber', 64000.00, 7040.00),
    ('baltic', 'max@example.org', 'B-2002', 'Riga Shipyard', 23150.75, 3000.00),
    ('baltic', 'bert@example.org', 'B-2003', 'Amber & Co', 1480.00, 420.00)
) AS given (slug, email, number, customer, amount, margin)
JOIN mandates m ON m.slug = given.slug
JOIN users u ON u.email = given.email;

INSERT INTO petty_cash_entries (id, mandate_id, instance_id, owner_id, purpose, amount)
SELECT gen_random_uuid(), i.mandate_id, i.id, u.id, given.purpose, given.amount
FROM (VALUES ('max@example.org', 'Tram tickets', 18.60), ('ada@example.org', 'Flowers for reception', 42.00))
    AS given (email, purpose, amount)
JOIN users u ON u.email = given.email
JOIN feature_instances i ON i.feature = 'petty-cash';
