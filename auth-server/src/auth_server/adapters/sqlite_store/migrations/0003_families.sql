-- A refresh family becomes part of its grant; people can be disabled; deleted clients stay out.

-- changes grows with every change to a client, its secrets or a signing key, so that caches notice.
ALTER TABLE store ADD COLUMN changes INTEGER NOT NULL DEFAULT 0;
CREATE TRIGGER client_changed AFTER UPDATE OF name, redirect_uris, grant_types, scopes, confidential ON clients
    BEGIN UPDATE store SET changes = changes + 1; END;
CREATE TRIGGER client_deleted AFTER DELETE ON clients BEGIN UPDATE store SET changes = changes + 1; END;
CREATE TRIGGER secret_added AFTER INSERT ON client_secrets BEGIN UPDATE store SET changes = changes + 1; END;
CREATE TRIGGER secret_changed AFTER UPDATE ON client_secrets BEGIN UPDATE store SET changes = changes + 1; END;
CREATE TRIGGER secret_deleted AFTER DELETE ON client_secrets BEGIN UPDATE store SET changes = changes + 1; END;
CREATE TRIGGER key_added AFTER INSERT ON signing_keys BEGIN UPDATE store SET changes = changes + 1; END;
CREATE TRIGGER key_changed AFTER UPDATE ON signing_keys BEGIN UPDATE store SET changes = changes + 1; END;
CREATE TRIGGER key_deleted AFTER DELETE ON signing_keys BEGIN UPDATE store SET changes = changes + 1; END;

-- disabled_at is set while the person may not sign in and their grants give no tokens.
ALTER TABLE users ADD COLUMN disabled_at REAL;
CREATE INDEX sessions_by_user ON sessions (user_id);

-- used_at is when a person last allowed the client something, NULL if nobody ever has. last_used_at is when it was last
-- heard of, by that or by registering. Dynamic clients that nobody has used go after a day, and the oldest of them
-- earlier, when there are too many.
ALTER TABLE clients ADD COLUMN used_at REAL;
UPDATE clients SET used_at = last_used_at WHERE client_id IN (SELECT client_id FROM grants);
CREATE INDEX clients_dynamic ON clients (last_used_at) WHERE registration = 'dynamic';
CREATE INDEX clients_never_used ON clients (last_used_at) WHERE registration = 'dynamic' AND used_at IS NULL;

-- Dynamic clients that the operator has deleted. Their ids follow from their metadata, so that one POST would bring
-- them back.
CREATE TABLE deleted_clients (
    client_id  TEXT PRIMARY KEY,
    deleted_at REAL NOT NULL
) STRICT;

-- The family is the digest of the part that all refresh tokens of a grant share, so that any of them is recognised; it
-- is NULL for tokens of the first release until they are rotated. refresh_digest is the live token, previous_digest the
-- one it replaced at rotated_at. sealed is the response of that rotation, readable with the previous token only, and
-- rotation_request the scopes and resource it asked for. The sweeper erases sealed after 120 seconds. review_at is when
-- the sweeper next looks whether anything of the grant is alive.
ALTER TABLE grants ADD COLUMN family TEXT;
ALTER TABLE grants ADD COLUMN refresh_digest TEXT;
ALTER TABLE grants ADD COLUMN refresh_expires_at REAL;
ALTER TABLE grants ADD COLUMN previous_digest TEXT;
ALTER TABLE grants ADD COLUMN rotated_at REAL;
ALTER TABLE grants ADD COLUMN rotation_request TEXT;
ALTER TABLE grants ADD COLUMN review_at REAL NOT NULL DEFAULT 0;
ALTER TABLE grants ADD COLUMN sealed BLOB;
UPDATE grants SET (refresh_digest, refresh_expires_at) = (
    SELECT digest, expires_at FROM refresh_tokens AS rt WHERE rt.grant_id = grants.grant_id AND rotated_at IS NULL
);
UPDATE grants SET (previous_digest, rotated_at, rotation_request, sealed) = (
    SELECT digest, rotated_at, request, sealed FROM refresh_tokens AS rt WHERE rt.successor = grants.refresh_digest
);
DROP TABLE refresh_tokens;
CREATE INDEX grants_by_user ON grants (user_id);
CREATE INDEX grants_by_review ON grants (review_at);
CREATE INDEX grants_with_sealed_response ON grants (rotated_at) WHERE sealed IS NOT NULL;
CREATE INDEX codes_by_expiry ON codes (expires_at);
