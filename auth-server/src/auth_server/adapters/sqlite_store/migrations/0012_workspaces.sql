-- Workspaces by name, but for the default one, which is always there.
CREATE TABLE workspaces (
    name       TEXT PRIMARY KEY,
    title      TEXT NOT NULL,
    created_at REAL NOT NULL
) STRICT;

-- Who belongs to which workspace, and what they are there: owner, admin or member.
CREATE TABLE memberships (
    user_id   TEXT NOT NULL REFERENCES users ON DELETE CASCADE,
    workspace TEXT NOT NULL,
    role      TEXT NOT NULL,
    PRIMARY KEY (user_id, workspace)
) STRICT;
CREATE INDEX memberships_by_workspace ON memberships (workspace);

-- What earlier releases called a tenant. Nobody becomes more than a member unasked. Clients that came by themselves
-- belong to no workspace, which is an empty tenant.
UPDATE clients SET tenant = '' WHERE registration <> 'operator';
INSERT INTO workspaces SELECT tenant, tenant, min(created_at) FROM
    (SELECT tenant, created_at FROM users UNION ALL SELECT tenant, created_at FROM clients)
    WHERE tenant NOT IN ('', 'default') GROUP BY tenant;
INSERT INTO memberships SELECT user_id, tenant, 'member' FROM users;
ALTER TABLE users DROP COLUMN tenant;
CREATE INDEX clients_by_workspace ON clients (tenant) WHERE tenant <> '';

-- The person's role in the workspace when they gave the grant, NULL in grants of earlier releases. One who has another
-- role has their grants revoked.
ALTER TABLE grants ADD COLUMN role TEXT;
