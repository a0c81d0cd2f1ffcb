"""`mcp-server schemas suggest` looks at a table and writes what the schemas file takes."""

import asyncio
import base64
from pathlib import Path

import pytest
from typer.testing import CliRunner

from deploy.local import single_table
from mcp_server.adapters import schemas_file
from mcp_server.adapters.dynamodb.clients import DynamoDbClients
from mcp_server.app.engine import CannotStart
from mcp_server.cli import commands
from mcp_server.domain.schema import Schema
from tests.mcp_server.doubles.stores import EmulatedTables
from tests.support.emulator import Emulator

pytestmark = pytest.mark.slow


@pytest.fixture
def runner(emulator: Emulator, tmp_path: Path) -> CliRunner:
    """A command line whose schemas file has one schema, at the emulator."""
    (tmp_path / "schemas.toml").write_text(
        f'[[schema]]\nname = "shop"\ntenant = "t"\nregion = "{emulator.region}"\n'
        f'endpoint_url = "{emulator.endpoint_url}"\n'
    )
    key = tmp_path / "cursor.key"
    key.write_bytes(base64.urlsafe_b64encode(bytes(32)))
    key.chmod(0o600)
    return CliRunner(
        env={
            "MCP_RESOURCE": "https://mcp.example.com/mcp",
            "MCP_ISSUER": "https://auth.example.com",
            "MCP_SCHEMAS_FILE": str(tmp_path / "schemas.toml"),
            "MCP_CURSOR_KEY_FILE": str(key),
        }
    )


def test_what_is_proposed_goes_into_the_schemas_file(runner: CliRunner, emulator: Emulator, tmp_path: Path) -> None:
    async def fill() -> None:
        schema = Schema("shop", "t", emulator.region, emulator.endpoint_url)
        async with DynamoDbClients((schema,)) as clients:
            tables = EmulatedTables(clients.of(schema))
            await tables.create("sug_app", (("pk", "S"), ("sk", "S")))
            await tables.put("sug_app", list(single_table.items()))

    asyncio.run(fill())
    result = runner.invoke(commands, ["schemas", "suggest", "sug_app", "--schema", "shop"])
    assert result.exit_code == 0, result.output
    file = tmp_path / "schemas.toml"
    file.write_text(file.read_text() + result.output)
    [schema] = schemas_file.read(file).schemas
    assert set(schema.virtual_tables) == {"customers", "orders", "events"}
    assert schema.virtual_tables["orders"].slots == ("customer_id", "at", "order_id")


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["nowhere", "--schema", "shop"], 'the keys of "nowhere" have no word in capitals'),
        (["sug_app", "--schema", "shopp"], 'there is no active schema "shopp"'),
    ],
)
def test_what_cannot_be_proposed_is_told(runner: CliRunner, arguments: list[str], problem: str) -> None:
    result = runner.invoke(commands, ["schemas", "suggest", *arguments])
    assert isinstance(result.exception, CannotStart)
    assert problem in str(result.exception)
