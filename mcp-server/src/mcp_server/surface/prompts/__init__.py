"""MCP prompts: how to set about common tasks."""
