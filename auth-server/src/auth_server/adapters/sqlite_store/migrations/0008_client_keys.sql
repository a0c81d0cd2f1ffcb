-- Clients that prove who they are by a key, and clients that manage their own registration.

-- jwks is a JWK set of public keys, jwks_uri where one is published, authentication_method what a client named when it
-- registered itself, registration_token the digest of the token with which it changes or deletes its registration. Each
-- is NULL where there is none. The id of a client with such a token is random, so that it leaves no mark when it is
-- deleted.
ALTER TABLE clients ADD COLUMN jwks TEXT;
ALTER TABLE clients ADD COLUMN jwks_uri TEXT;
ALTER TABLE clients ADD COLUMN authentication_method TEXT;
ALTER TABLE clients ADD COLUMN registration_token TEXT;
DROP TRIGGER client_changed;
CREATE TRIGGER client_changed
    AFTER UPDATE OF name, redirect_uris, grant_types, scopes, confidential, jwks, jwks_uri, authentication_method,
        registration_token ON clients
    BEGIN UPDATE store SET changes = changes + 1; END;
