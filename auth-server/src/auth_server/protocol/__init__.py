"""Verbs: one module per step of the protocol. Pure."""
