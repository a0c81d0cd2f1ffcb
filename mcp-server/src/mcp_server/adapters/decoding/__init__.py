"""Items of DynamoDB JSON as Arrow columns."""
