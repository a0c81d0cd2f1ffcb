"""The command line, as far as it needs no server."""

from importlib import metadata

from typer.testing import CliRunner

from mcp_server.cli import commands


def test_the_version_needs_no_settings() -> None:
    result = CliRunner(env={"MCP_ISSUER": ""}).invoke(commands, ["--version"])
    assert (result.exit_code, result.output) == (0, f"mcp-server {metadata.version('dynamosql-mcp-server')}\n")


def test_help_says_what_it_is_and_lists_the_commands() -> None:
    result = CliRunner().invoke(commands, ["--help"])
    assert result.exit_code == 0
    assert "Read-only SQL over DynamoDB" in result.output
    assert {"serve", "check-config"} <= set(result.output.split())
