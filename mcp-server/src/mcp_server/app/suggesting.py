"""Proposals for the schemas file, from a look at the tables."""

import asyncio
import json

from mcp_server.adapters.catalog import DynamoDbCatalog
from mcp_server.adapters.dynamodb.clients import DynamoDbClients
from mcp_server.app.engine import CannotStart, read_files
from mcp_server.domain.failures import Failure
from mcp_server.domain.suggestions import Suggestion, suggestions
from mcp_server.settings import Settings
from mcp_server.surface.wording.failures import worded
from shared_kernel.clock import SystemClock


def suggest(settings: Settings, schema_name: str, table: str) -> str:
    """TOML with the virtual tables that a table's items seem to be. Reads at most 4,000 items. Raises CannotStart."""
    schema = next((one for one in read_files(settings).schemas.schemas if one.name == schema_name), None)
    if schema is None or not schema.active:
        message = f'there is no active schema "{schema_name}" in MCP_SCHEMAS_FILE'
        raise CannotStart(message)

    async def looked_at() -> tuple[Suggestion, ...]:
        async with DynamoDbClients((schema,)) as clients:
            return suggestions(await DynamoDbCatalog(clients, SystemClock()).text_keys(schema, table))

    try:
        found = asyncio.run(looked_at())
    except Failure as failure:
        raise CannotStart(worded(failure).message) from failure
    if not found:
        message = (
            f'the keys of "{table}" have no word in capitals that would tell kinds of items apart, or it is not there'
        )
        raise CannotStart(message)
    return "\n".join(_entry(one, table) for one in found)


def _entry(suggestion: Suggestion, table: str) -> str:
    attributes = ", ".join(f"{json.dumps(name)} = {json.dumps(form)}" for name, form in suggestion.forms)
    return (
        f"[[schema.virtual_tables]]  # {suggestion.items} of the items looked at\n"
        f"name = {json.dumps(suggestion.name)}\nsource = {json.dumps(table)}\nattributes = {{ {attributes} }}\n"
    )
