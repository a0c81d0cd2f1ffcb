-- What devices ask for (domain/device): pending, then approved (grant_id) or denied. device_id is a slow hash of the user
-- code, digest the SHA-256 of the device code. poll_interval is the number of seconds that the device must leave between
-- two polls, polled_at the last of them. Swept an hour after expiry.
CREATE TABLE device_authorizations (
    device_id     TEXT PRIMARY KEY,
    digest        TEXT NOT NULL,
    family        TEXT NOT NULL,
    client_id     TEXT NOT NULL,
    scopes        TEXT NOT NULL,
    resource      TEXT NOT NULL,
    address       TEXT NOT NULL,
    created_at    REAL NOT NULL,
    expires_at    REAL NOT NULL,
    poll_interval REAL NOT NULL,
    polled_at     REAL,
    decided_at    REAL,
    grant_id      TEXT
) STRICT;
CREATE INDEX device_authorizations_by_expiry ON device_authorizations (expires_at);
