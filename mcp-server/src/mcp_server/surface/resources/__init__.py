"""MCP resources: what there is to read without a call."""
