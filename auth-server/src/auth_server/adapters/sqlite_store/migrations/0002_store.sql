-- What the store knows of itself. The schema's version moves to PRAGMA user_version, so that a file has exactly one.

-- One row. store_id is also in the marker file beside the store (file.py), which stays when the store is lost. had_keys
-- is 1 once signing keys were created: a store that had some never gets first keys again. probes counts the times that a server has tried whether it can write.
CREATE TABLE store (
    store_id TEXT NOT NULL,
    had_keys INTEGER NOT NULL,
    probes   INTEGER NOT NULL
) STRICT;
INSERT INTO store SELECT lower(hex(randomblob(16))), EXISTS (SELECT 1 FROM signing_keys), 0;
DROP TABLE schema_version;
-- Tells our files from other programs': "AUTH".
PRAGMA application_id = 1096111176;
