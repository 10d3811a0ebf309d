-- The demo's mandates: who is where, with which roles. Run once, as mandate_system, after its people have accounts.

INSERT INTO mandates (id, slug, name, color, language) VALUES
    (gen_random_uuid(), 'alpine', 'Alpine Software GmbH', '#2f6f4f', 'de'),
    (gen_random_uuid(), 'baltic', 'Baltic Trading', '#8a4b1f', 'en');

INSERT INTO roles (id, mandate_id, scope, key, name, description, version)
SELECT gen_random_uuid(), id, 'mandate', 'everyone', 'everyone', 'Caps for every context of this mandate', gen_random_uuid()
FROM mandates WHERE slug IN ('alpine', 'baltic');

-- Alpine has two roles of its own; being nearer, they win over the global ones where they have an opinion.
INSERT INTO roles (id, mandate_id, scope, name, description, version)
SELECT gen_random_uuid(), m.id, 'mandate', own.name, own.description, gen_random_uuid()
FROM mandates m, (VALUES
    ('team seller', 'Sees and changes the invoices of their groups'),
    ('without margins', 'Does not see what is earned on an invoice')
) AS own (name, description)
WHERE m.slug = 'alpine';

INSERT INTO access_rules (id, mandate_id, role_id, kind, item, may_view, may_create, may_read, may_update, may_delete)
SELECT gen_random_uuid(), r.mandate_id, r.id, 'DATA', own.item, NULL, own.c, own.r, own.u, own.d
FROM roles r JOIN (VALUES
    ('team seller', 'invoices', 1, 2, 2, 1),
    ('without margins', 'invoices.margin', 0, 0, 0, 0)
) AS own (role, item, c, r, u, d) ON own.role = r.name;

INSERT INTO memberships (id, mandate_id, user_id)
SELECT gen_random_uuid(), m.id, u.id
FROM (VALUES
    ('ada@example.org', 'alpine'), ('max@example.org', 'alpine'), ('vera@example.org', 'alpine'),
    ('ada@example.org', 'baltic'), ('max@example.org', 'baltic'), ('bert@example.org', 'baltic')
) AS here (email, slug)
JOIN users u ON u.email = here.email
JOIN mandates m ON m.slug = here.slug;

INSERT INTO role_assignments (id, mandate_id, membership_id, role_id, role_mandate_id, role_scope)
SELECT gen_random_uuid(), m.id, ms.id, r.id, r.mandate_id, r.scope
FROM (VALUES
    ('ada@example.org', 'alpine', 'administrator'), ('ada@example.org', 'baltic', 'viewer'),
    ('max@example.org', 'alpine', 'member'), ('max@example.org', 'alpine', 'team seller'), ('max@example.org', 'baltic', 'member'),
    ('vera@example.org', 'alpine', 'viewer'), ('vera@example.org', 'alpine', 'without margins'),
    ('bert@example.org', 'baltic', 'administrator')
) AS given (email, slug, role)
JOIN users u ON u.email = given.email
JOIN mandates m ON m.slug = given.slug
JOIN memberships ms ON ms.mandate_id = m.id AND ms.user_id = u.id
JOIN roles r ON r.name = given.role AND (r.scope = 'global' OR (r.scope = 'mandate' AND r.mandate_id = m.id));

INSERT INTO groups (id, mandate_id, name)
SELECT gen_random_uuid(), m.id, here.name
FROM (VALUES ('alpine', 'Sales'), ('alpine', 'Finance'), ('baltic', 'Shipping')) AS here (slug, name)
JOIN mandates m ON m.slug = here.slug;

INSERT INTO group_members (mandate_id, group_id, user_id)
SELECT g.mandate_id, g.id, u.id
FROM (VALUES
    ('Sales', 'max@example.org'), ('Sales', 'ada@example.org'), ('Finance', 'ada@example.org'), ('Shipping', 'bert@example.org')
) AS here (name, email)
JOIN groups g ON g.name = here.name
JOIN users u ON u.email = here.email;

-- A feature instance, for what belongs to one office and not to the whole mandate.
INSERT INTO feature_instances (id, mandate_id, feature, name)
SELECT gen_random_uuid(), id, 'petty-cash', 'Zürich office' FROM mandates WHERE slug = 'alpine';

INSERT INTO instance_access (id, mandate_id, instance_id, user_id)
SELECT gen_random_uuid(), i.mandate_id, i.id, u.id
FROM feature_instances i, users u WHERE u.email IN ('ada@example.org', 'max@example.org');
