"""Client ID Metadata Documents over the network, fetched so that nobody can point us at what only we can reach."""
