"""Proposals for the schemas file, from a look at the tables."""

import asyncio
import json
from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal

from mcp_server.adapters.catalog import DynamoDbCatalog
from mcp_server.adapters.decoding.attribute_values import Item, number, tagged
from mcp_server.adapters.decoding.virtual_items import of_virtual_table
from mcp_server.adapters.dynamodb.clients import DynamoDbClients
from mcp_server.app.engine import CannotStart, read_files
from mcp_server.domain.failures import Failure
from mcp_server.domain.instants import EpochUnit
from mcp_server.domain.schema import AttributeType, Schema, Table
from mcp_server.domain.suggested_times import SuggestedTime, suggested_times
from mcp_server.domain.suggestions import Suggestion, suggestions
from mcp_server.domain.virtual_table import Template, VirtualTable
from mcp_server.engine.temporal import timestamp_text
from mcp_server.settings import Settings
from mcp_server.surface.wording.failures import worded
from shared_kernel.clock import SystemClock

_COUNTED: dict[EpochUnit | None, str] = {
    None: "ISO 8601 texts",
    "s": "seconds since 1970",
    "ms": "milliseconds since 1970",
    "us": "microseconds since 1970",
}


def suggest(settings: Settings, schema_name: str, table: str) -> str:
    """TOML with the virtual tables that a table's items seem to be, and with the attributes that seem to hold times.

    Reads at most 4,000 items. Raises CannotStart.
    """
    schema = next((one for one in read_files(settings).schemas.schemas if one.name == schema_name), None)
    if schema is None or not schema.active:
        message = f'there is no active schema "{schema_name}" in MCP_SCHEMAS_FILE'
        raise CannotStart(message)

    async def looked_at() -> tuple[Table, list[Item]] | None:
        async with DynamoDbClients((schema,)) as clients:
            return await DynamoDbCatalog(clients, SystemClock()).some_items(schema, table)

    try:
        found = asyncio.run(looked_at())
    except Failure as failure:
        raise CannotStart(worded(failure).message) from failure
    if found is None:
        message = f'there is no table "{table}"'
        raise CannotStart(message)
    proposals = list(_proposals(schema, *found))
    if not proposals:
        message = (
            f'"{table}" has no keys with a word in capitals that would tell kinds of items apart, and no attribute '
            "that holds nothing but times"
        )
        raise CannotStart(message)
    return "\n".join(proposals)


def _proposals(schema: Schema, table: Table, items: Sequence[Item]) -> Iterator[str]:
    """The entries of the table, then those of each virtual table."""
    yield from _times(schema, table, table.name, items)
    texts = [key.name for key in table.key if key.type is AttributeType.STRING]
    for one in suggestions([{key: str(item[key]["S"]) for key in texts} for item in items]):
        yield _virtual_table(one, table.name)
        forms = tuple((attribute, Template.parse(form)) for attribute, form in one.forms)
        virtual = VirtualTable(one.name, table.name, forms)
        yield from _times(schema, table, one.name, of_virtual_table(items, virtual), slots=virtual.slots)


def _times(
    schema: Schema, table: Table, name: str, items: Iterable[Item], *, slots: Iterable[str] = ()
) -> Iterator[str]:
    """The times of a table, or of a virtual one of that name, whose types are not declared yet."""
    declared = {column for column, override in schema.overrides.get(name, {}).items() if override.type is not None}
    # By an instant no partition is found, and of keys that are texts only a wider range, in no order.
    hash_keys = {table.hash_key.name} | {key.name for index in table.indexes for key in index.hash_keys}
    range_keys = [*table.key, *(key for index in table.indexes for key in index.range_keys)]
    text_keys = {key.name for key in range_keys if key.type is AttributeType.STRING}
    values = _values(items)
    kept = {one: values[one] for one in values.keys() - declared - hash_keys - text_keys - set(slots)}
    for time in suggested_times(kept):
        yield _column(time, name)


def _values(items: Iterable[Item]) -> dict[str, list[str | Decimal | None]]:
    found: dict[str, list[str | Decimal | None]] = {}
    for item in items:
        for name, value in item.items():
            kind, content = tagged(value)
            if kind != AttributeType.NULL:
                read = number(content) if kind == AttributeType.NUMBER else content
                found.setdefault(name, []).append(read if kind in ("S", "N") else None)
    return found


def _virtual_table(suggestion: Suggestion, table: str) -> str:
    attributes = ", ".join(f"{_quoted(name)} = {_quoted(form)}" for name, form in suggestion.forms)
    others = f"; also fits {suggestion.others} others" if suggestion.others else ""
    return (
        f"[[schema.virtual_tables]]  # {suggestion.items} of the items looked at{others}\n"
        f"name = {_quoted(suggestion.name)}\nsource = {_quoted(table)}\nattributes = {{ {attributes} }}\n"
    )


def _column(time: SuggestedTime, table: str) -> str:
    first, last = (timestamp_text(instant, "us", "Z") for instant in (time.first, time.last))
    unit = "" if time.unit is None else f'unit = "{time.unit}"\n'
    return (
        f"[schema.columns.{_quoted(table)}.{_quoted(time.attribute)}]"
        f"  # {time.values} values looked at are {_COUNTED[time.unit]}, {first} to {last}\n"
        f'type = "TIMESTAMPTZ"\n{unit}'
    )


def _quoted(text: str) -> str:
    """A basic string of TOML, which may not hold a DEL as JSON's may."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
