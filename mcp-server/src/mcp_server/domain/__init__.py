"""The nouns that every room speaks of: schemas, principals, names, failures. Pure."""
