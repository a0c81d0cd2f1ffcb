"""Nouns: clients, authorizations, grants, users, failures. Pure."""
