"""From relations and predicates to DynamoDB reads. Pure: knows neither SQL text nor boto."""
