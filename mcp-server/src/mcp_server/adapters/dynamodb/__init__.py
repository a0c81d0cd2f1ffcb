"""DynamoDB through aioboto3."""
