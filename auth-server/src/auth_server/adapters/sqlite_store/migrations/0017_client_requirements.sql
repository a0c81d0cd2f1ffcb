-- What clients demand of their own requests: tokens bound to a key (RFC 9449), authorization requests that are pushed
-- (RFC 9126).
ALTER TABLE clients ADD COLUMN dpop_bound INTEGER NOT NULL DEFAULT 0;
ALTER TABLE clients ADD COLUMN par_required INTEGER NOT NULL DEFAULT 0;
DROP TRIGGER client_changed;
CREATE TRIGGER client_changed
    AFTER UPDATE OF name, redirect_uris, grant_types, scopes, confidential, jwks, jwks_uri, authentication_method,
        registration_token, dpop_bound, par_required ON clients
    BEGIN UPDATE store SET changes = changes + 1; END;
