-- Of a client that is a resource server: the resource whose tokens it may look into. NULL for all others.
ALTER TABLE clients ADD COLUMN resource_server TEXT;
