"""Planning in child processes, which can be ended."""
