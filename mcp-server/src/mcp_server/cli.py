"""`mcp-server`: serves, or says whether it could."""

import sys
from importlib import metadata
from typing import Annotated

import typer

from mcp_server.app import engine, serving, suggesting
from mcp_server.settings import Settings
from shared_kernel.http_server import CannotListen
from shared_kernel.settings import BadSettings

commands = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


schemas = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="Help with writing the schemas file.")
commands.add_typer(schemas, name="schemas")


def main() -> None:
    """Runs the command line; what goes wrong is one line on standard error and exit status 1."""
    try:
        commands()
    except (BadSettings, CannotListen, engine.CannotStart) as problem:
        typer.echo(f"mcp-server: {problem}", err=True)
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"mcp-server {metadata.version('dynamosql-mcp-server')}")
        raise typer.Exit


@commands.callback()
def options(
    _version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """Read-only SQL over DynamoDB as MCP tools. Settings come from MCP_* environment variables."""


@commands.command()
def serve() -> None:
    """Serve until SIGTERM or SIGINT; logs go to standard error."""
    serving.serve(Settings.load())


@commands.command("check-config")
def check_config() -> None:
    """Read settings and files as `serve` would; describe them."""
    loaded = Settings.load()
    configuration = engine.read_files(loaded)
    typer.echo(f"{loaded.resource} for tokens of {loaded.issuer}")
    for schema in configuration.schemas.schemas:
        tables = "every table" if schema.tables is None else f"{len(schema.tables)} tables"
        state = "" if schema.active else ", disabled"
        typer.echo(f"schema {schema.name}: tenant {schema.tenant}, {schema.region}, {tables}{state}")


@schemas.command("suggest")
def suggest(
    table: Annotated[str, typer.Argument(help="The table, by DynamoDB's name.", show_default=False)],
    schema: Annotated[str, typer.Option(help="The schema in MCP_SCHEMAS_FILE that it is in.", show_default=False)],
) -> None:
    """Propose virtual tables by the keys of a table, and which attributes hold times, as TOML."""
    typer.echo(suggesting.suggest(Settings.load(), schema, table), nl=False)
