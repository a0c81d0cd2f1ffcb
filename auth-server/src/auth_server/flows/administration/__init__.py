"""What the operator does from the command line: people, clients, keys. All may raise StoreUnavailable."""
