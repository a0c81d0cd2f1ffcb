-- Keys that prove who sends (RFC 9449). Of a code, the one key by which it may be redeemed; of a grant, the one to which its
-- refresh tokens are bound. NULL for none.
ALTER TABLE codes ADD COLUMN key_thumbprint TEXT;
ALTER TABLE grants ADD COLUMN key_thumbprint TEXT;

-- Authorization requests that clients have sent ahead (RFC 9126). parameters is a JSON array of names and values, empty
-- once the request was used by the start of the transaction whose digest started_transaction is. Unused until
-- expires_at, swept ten minutes later, so that the browser which used it may come again.
CREATE TABLE pushed_requests (
    digest              TEXT PRIMARY KEY,
    client_id           TEXT NOT NULL,
    parameters          TEXT NOT NULL,
    expires_at          REAL NOT NULL,
    started_transaction TEXT
) STRICT;
CREATE INDEX pushed_requests_by_expiry ON pushed_requests (expires_at);
