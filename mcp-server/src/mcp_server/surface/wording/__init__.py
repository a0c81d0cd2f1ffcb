"""Failures in words: what happened and what to do about it, for models and people. The only place that has them.

A module for each theme of `domain.failures`, with the same name.
"""
