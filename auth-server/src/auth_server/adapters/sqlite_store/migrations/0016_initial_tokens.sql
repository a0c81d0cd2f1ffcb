-- Initial access tokens (RFC 7591), by their digest: each lets that many clients be registered. Swept when they expire.
CREATE TABLE initial_tokens (
    token_id   TEXT PRIMARY KEY,
    digest     TEXT NOT NULL,
    label      TEXT NOT NULL,
    max_uses   INTEGER NOT NULL,
    uses       INTEGER NOT NULL,
    created_at REAL NOT NULL,
    expires_at REAL NOT NULL
) STRICT;
CREATE INDEX initial_tokens_by_expiry ON initial_tokens (expires_at);
