"""Random SELECT statements."""
