"""DuckDB in child processes."""
