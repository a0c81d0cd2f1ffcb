-- For ID tokens: when the person of a grant had signed in, and the nonce that goes with a code.
ALTER TABLE grants ADD COLUMN authenticated_at REAL;
ALTER TABLE codes ADD COLUMN nonce TEXT;
