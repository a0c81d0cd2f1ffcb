"""`make run` and `make demo`: an embedded DynamoDB with demo data, both services, and a walk through the protocol."""
