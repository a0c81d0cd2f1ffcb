"""Runs plans over the ports."""
