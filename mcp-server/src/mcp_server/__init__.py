"""A remote MCP server that runs read-only SQL over DynamoDB."""
