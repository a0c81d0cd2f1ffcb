"""What the flows need from outside, in small Protocols by noun; `app` decides what stands behind each.

Stores offer atomic verbs only: a one-time thing is taken in one step, never looked up and then used. Every verb may
raise StoreUnavailable, within seconds; store.py says what has happened then. Secrets come in as SHA-256 digests
(domain/credentials), times as seconds since the epoch; expiry is compared inside each verb, never left to a sweeper.
"""
