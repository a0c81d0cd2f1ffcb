-- grant_id is the grant of an approved transaction, NULL while it is undecided and when it was denied.
ALTER TABLE transactions ADD COLUMN grant_id TEXT;
