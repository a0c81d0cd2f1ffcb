-- What was revoked lately, for resource servers (domain/revocation): a grant by its handle, a deleted client, a disabled
-- or deleted user. at is when, and again when once more. Swept when no token can be left that it ends.
CREATE TABLE revocations (
    revoked TEXT NOT NULL,
    name    TEXT NOT NULL,
    at      REAL NOT NULL,
    PRIMARY KEY (revoked, name)
) STRICT;
CREATE INDEX revocations_by_time ON revocations (at);
INSERT INTO revocations SELECT 'grant', handle, revoked_at FROM grants WHERE revoked_at IS NOT NULL;
INSERT INTO revocations SELECT 'user', user_id, disabled_at FROM users WHERE disabled_at IS NOT NULL;
