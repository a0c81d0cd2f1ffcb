-- What people have allowed and need not be asked about again. document is a digest of the client as it was.
CREATE TABLE consents (
    user_id         TEXT NOT NULL REFERENCES users ON DELETE CASCADE,
    client_id       TEXT NOT NULL,
    redirect_origin TEXT NOT NULL,
    resource        TEXT NOT NULL,
    workspace       TEXT NOT NULL,
    scopes          TEXT NOT NULL,
    document        TEXT NOT NULL,
    given_at        REAL NOT NULL,
    expires_at      REAL NOT NULL,
    PRIMARY KEY (user_id, client_id, redirect_origin, resource, workspace)
) STRICT;
CREATE INDEX consents_by_client ON consents (client_id);
CREATE INDEX consents_by_expiry ON consents (expires_at);
