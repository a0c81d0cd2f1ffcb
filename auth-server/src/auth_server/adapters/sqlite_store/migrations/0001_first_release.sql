-- Everything auth-server remembers. Times are seconds since the epoch (REAL). A column named …_digest or digest holds
-- the SHA-256 (hexadecimal) of a random secret, never the secret. Lists are JSON arrays; scopes are space-separated.
-- Expiry is compared by whoever reads; the sweeper only frees room.
-- Statements end with a semicolon at the end of a line; comments hold none.

-- One row. A server refuses a version that it does not know.
CREATE TABLE schema_version (version INTEGER NOT NULL);

-- Clients. registration is operator or dynamic. A dynamic client that has not been used for 30 days and has no grant
-- is swept away, and comes back under the same id when it registers again.
CREATE TABLE clients (
    client_id     TEXT PRIMARY KEY,
    name          TEXT NOT NULL,
    registration  TEXT NOT NULL,
    redirect_uris TEXT NOT NULL,
    grant_types   TEXT NOT NULL,
    scopes        TEXT NOT NULL,
    tenant        TEXT NOT NULL,
    confidential  INTEGER NOT NULL,
    created_at    REAL NOT NULL,
    last_used_at  REAL NOT NULL
) STRICT;

-- Secrets of confidential clients, at most two alive. expires_at is NULL for the newest.
CREATE TABLE client_secrets (
    client_id  TEXT NOT NULL REFERENCES clients ON DELETE CASCADE,
    digest     TEXT NOT NULL,
    created_at REAL NOT NULL,
    expires_at REAL,
    PRIMARY KEY (client_id, digest)
) STRICT;

-- People. email is normalised, password_hash is argon2id's encoded form.
CREATE TABLE users (
    user_id       TEXT PRIMARY KEY,
    email         TEXT NOT NULL UNIQUE,
    password_hash TEXT NOT NULL,
    tenant        TEXT NOT NULL,
    created_at    REAL NOT NULL
) STRICT;

-- Signed-in browsers. Deleted at sign-out, at the next sign-in, or after expiry.
CREATE TABLE sessions (
    digest           TEXT PRIMARY KEY,
    user_id          TEXT NOT NULL REFERENCES users ON DELETE CASCADE,
    authenticated_at REAL NOT NULL,
    expires_at       REAL NOT NULL
) STRICT;
CREATE INDEX sessions_by_expiry ON sessions (expires_at);

-- Authorization requests on their way to a decision. decided_at is set once, when consent is given or denied.
-- request is the checked request as a JSON object (domain/authorization.AuthorizationRequest).
CREATE TABLE transactions (
    digest              TEXT PRIMARY KEY,
    browser_digest      TEXT NOT NULL,
    request             TEXT NOT NULL,
    authenticated_since REAL NOT NULL,
    expires_at          REAL NOT NULL,
    decided_at          REAL
) STRICT;
CREATE INDEX transactions_by_expiry ON transactions (expires_at);

-- Grants: what a person allowed a client. grant_id routes codes and refresh tokens, handle is the gid of access tokens.
-- revoked_at ends the code and every refresh token. Swept an hour after revocation, or when nothing is left alive.
CREATE TABLE grants (
    grant_id    TEXT PRIMARY KEY,
    handle      TEXT NOT NULL UNIQUE,
    client_id   TEXT NOT NULL,
    user_id     TEXT NOT NULL,
    tenant      TEXT NOT NULL,
    scopes      TEXT NOT NULL,
    resource    TEXT NOT NULL,
    refreshable INTEGER NOT NULL,
    created_at  REAL NOT NULL,
    expires_at  REAL NOT NULL,
    revoked_at  REAL
) STRICT;
CREATE INDEX grants_by_client ON grants (client_id);

-- Authorization codes. Unused, then used (used_at) or burnt (wrong_verifiers reaches 3). A used code is remembered for
-- an hour, so that its replay is noticed.
CREATE TABLE codes (
    digest          TEXT PRIMARY KEY,
    grant_id        TEXT NOT NULL REFERENCES grants ON DELETE CASCADE,
    redirect_uri    TEXT NOT NULL,
    code_challenge  TEXT NOT NULL,
    expires_at      REAL NOT NULL,
    used_at         REAL,
    wrong_verifiers INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX codes_by_grant ON codes (grant_id);

-- Refresh tokens. Fresh, then rotated: rotated_at, successor (a digest), request (scopes and resource asked for) and
-- sealed (the response, encrypted under the old token) are set together. sealed is erased when the successor is used,
-- and by the sweeper after 120 seconds. Rows live as long as their grant, so that late reuse is noticed.
CREATE TABLE refresh_tokens (
    digest     TEXT PRIMARY KEY,
    grant_id   TEXT NOT NULL REFERENCES grants ON DELETE CASCADE,
    expires_at REAL NOT NULL,
    rotated_at REAL,
    successor  TEXT,
    request    TEXT,
    sealed     BLOB
) STRICT;
CREATE INDEX refresh_tokens_by_grant ON refresh_tokens (grant_id);
CREATE INDEX refresh_tokens_by_successor ON refresh_tokens (successor);

-- Signing keys. stage is next, active or retired; there is one active and one next. sealed is the private JWK under the
-- master key (AES-256-GCM), empty once retired.
CREATE TABLE signing_keys (
    key_id        TEXT PRIMARY KEY,
    stage         TEXT NOT NULL,
    public_jwk    TEXT NOT NULL,
    sealed        BLOB NOT NULL,
    changed_at    REAL NOT NULL,
    promotable_at REAL NOT NULL
) STRICT;
CREATE UNIQUE INDEX one_key_a_stage ON signing_keys (stage) WHERE stage <> 'retired';
