"""`mcp-server schemas suggest` looks at a table and writes what the schemas file takes."""

import asyncio
import base64
from pathlib import Path
from typing import Any

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


def fill(
    emulator: Emulator, name: str, key: tuple[tuple[str, str], ...], items: list[dict[str, dict[str, Any]]]
) -> None:
    """Makes a table with that key and those items."""

    async def filling() -> None:
        schema = Schema("shop", "t", emulator.region, emulator.endpoint_url)
        async with DynamoDbClients((schema,)) as clients:
            tables = EmulatedTables(clients.of(schema))
            await tables.create(name, key)
            await tables.put(name, items)

    asyncio.run(filling())


def test_what_is_proposed_goes_into_the_schemas_file(runner: CliRunner, emulator: Emulator, tmp_path: Path) -> None:
    fill(emulator, "sug_app", (("pk", "S"), ("sk", "S")), list(single_table.items()))
    result = runner.invoke(commands, ["schemas", "suggest", "sug_app", "--schema", "shop"])
    assert result.exit_code == 0, result.output
    file = tmp_path / "schemas.toml"
    file.write_text(file.read_text() + result.output)
    [schema] = schemas_file.read(file).schemas
    assert set(schema.virtual_tables) == {"customers", "orders", "events"}
    assert schema.virtual_tables["orders"].slots == ("customer_id", "at", "order_id")
    declared = {
        table: {name: (column.type.sql, column.type.unit) for name, column in columns.items() if column.type}
        for table, columns in schema.overrides.items()
    }
    text, seconds = ("TIMESTAMP WITH TIME ZONE", None), ("TIMESTAMP WITH TIME ZONE", "s")
    # Of the key nothing: at is a part of sk.
    assert declared == {
        "sug_app": {"created_at": text, "opened_at": text, "placed_at": text, "expires_at": seconds},
        "customers": {"created_at": text},
        "orders": {"opened_at": text, "placed_at": text},
        "events": {"expires_at": seconds},
    }
    again = runner.invoke(commands, ["schemas", "suggest", "sug_app", "--schema", "shop"])
    assert "TIMESTAMPTZ" not in again.output


def test_odd_names_and_keys_of_numbers(runner: CliRunner, emulator: Emulator, tmp_path: Path) -> None:
    odd, time = 'the "at"\n\x7f\U0001f600', {"N": "1767225600000"}
    items: list[dict[str, dict[str, Any]]] = [
        {"day_at": time, "made_at": time, odd: {"S": "2026-01-01T00:00:00Z"}},
        {"day_at": {"N": "1"}, "made_at": time, "gone_at": {"NULL": True}},
    ]
    fill(emulator, "sug.odd", (("day_at", "N"), ("made_at", "N")), items)
    result = runner.invoke(commands, ["schemas", "suggest", "sug.odd", "--schema", "shop"])
    assert result.exit_code == 0, result.output
    file = tmp_path / "schemas.toml"
    file.write_text(file.read_text() + result.output)
    [schema] = schemas_file.read(file).schemas
    assert set(schema.overrides["sug.odd"]) == {"made_at", odd}


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["nowhere", "--schema", "shop"], 'there is no table "nowhere"'),
        (["sug_none", "--schema", "shop"], '"sug_none" has no keys with a word in capitals'),
        (["sug_app", "--schema", "shopp"], 'there is no active schema "shopp"'),
    ],
)
def test_what_cannot_be_proposed_is_told(
    runner: CliRunner, emulator: Emulator, arguments: list[str], problem: str
) -> None:
    if arguments[0] == "sug_none":
        fill(emulator, "sug_none", (("pk", "S"),), [{"pk": {"S": "a1"}, "made_at": {"S": "yesterday"}}])
    result = runner.invoke(commands, ["schemas", "suggest", *arguments])
    assert isinstance(result.exception, CannotStart)
    assert problem in str(result.exception)
