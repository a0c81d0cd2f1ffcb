"""From SQL text to relations and predicates; the only user of sqlglot. Pure."""
