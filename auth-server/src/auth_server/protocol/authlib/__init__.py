"""Authlib's grants as pure, synchronous steps, one module per grant; the only package that imports Authlib.

The caller loads what a request names, a step lets Authlib judge it, the caller commits. Everything a grant may ask for
is handed in, everything it decides comes out; nothing here waits, stores, signs, or reads a clock.
"""
