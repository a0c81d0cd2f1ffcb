-- Moving windows of attempts. key is the limit's name and a SHA-256 of what it counts for, attempts the times of those
-- that count (a JSON array), ends_at when the last of them leaves.
CREATE TABLE attempt_windows (
    key      TEXT PRIMARY KEY,
    attempts TEXT NOT NULL,
    ends_at  REAL NOT NULL
) STRICT;
CREATE INDEX attempt_windows_by_end ON attempt_windows (ends_at);

-- Marks of what may be used only once, until expires_at.
CREATE TABLE used_once (
    key        TEXT PRIMARY KEY,
    expires_at REAL NOT NULL
) STRICT;
CREATE INDEX used_once_by_expiry ON used_once (expires_at);
