"""Examines a deployment from outside, as its clients meet it, and names each fault with its remedy."""
