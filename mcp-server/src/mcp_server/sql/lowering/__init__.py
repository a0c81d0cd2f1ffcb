"""From conditions of SQL to predicates that DynamoDB may narrow reads with."""
