-- Clients that are known by their metadata document: registration is document, client_id the document's URL.
-- document_expires_at is when it must be fetched anew, NULL for other clients. They go as dynamic clients do.
ALTER TABLE clients ADD COLUMN document_expires_at REAL;
DROP INDEX clients_dynamic;
DROP INDEX clients_never_used;
CREATE INDEX clients_self_registered ON clients (last_used_at) WHERE registration <> 'operator';
CREATE INDEX clients_never_used ON clients (last_used_at) WHERE registration <> 'operator' AND used_at IS NULL;
