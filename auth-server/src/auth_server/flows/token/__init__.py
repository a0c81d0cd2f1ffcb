"""`/token`, one module per grant: load what the request names, let the protocol decide, commit in one atomic step."""
