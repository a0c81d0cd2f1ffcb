"""What other databases write otherwise, and how it is written in DuckDB's dialect."""
