-- The audit trail (domain/audit): batches of events, each with the hash of the one before, and the flows of people that
-- they tell of. Where the trail ends stands in store, so that it goes on when all its batches are forgotten.
CREATE TABLE audit (
    sequence INTEGER PRIMARY KEY,
    time_ms  INTEGER NOT NULL,
    previous BLOB NOT NULL,
    hash     BLOB NOT NULL,
    body     BLOB NOT NULL
) STRICT;
CREATE INDEX audit_by_time ON audit (time_ms);
CREATE TABLE audit_flows (
    flow_id  TEXT NOT NULL,
    sequence INTEGER NOT NULL,
    PRIMARY KEY (flow_id, sequence)
) STRICT, WITHOUT ROWID;
ALTER TABLE store ADD COLUMN audit_sequence INTEGER NOT NULL DEFAULT 0;
ALTER TABLE store ADD COLUMN audit_time_ms INTEGER NOT NULL DEFAULT 0;
ALTER TABLE store ADD COLUMN audit_hash BLOB NOT NULL DEFAULT x'0000000000000000000000000000000000000000000000000000000000000000';
-- The handle of the grant that a transaction may lead to. Transactions from before have none: their grant gets a new one.
ALTER TABLE transactions ADD COLUMN flow_id TEXT NOT NULL DEFAULT '';
