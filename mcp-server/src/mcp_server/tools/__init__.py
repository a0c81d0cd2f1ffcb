"""The MCP surface: one module per tool, thin."""
