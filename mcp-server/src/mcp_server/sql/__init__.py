"""From SQL text to a bound query. The only package that knows sqlglot. Pure."""
