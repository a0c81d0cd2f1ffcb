"""How tools show the columns and keys of a table."""

import re
from decimal import Decimal
from typing import Annotated, Literal, NamedTuple, NotRequired, cast

from pydantic import Field
from typing_extensions import TypedDict

from mcp_server.domain.instants import EpochUnit, instant_of_number
from mcp_server.domain.names import quoted
from mcp_server.domain.schema import Column, Examples, Index, KeyAttribute, Path, Table, TypeKind, written
from mcp_server.engine.bounded import Bounded
from mcp_server.engine.temporal import timestamp_text
from mcp_server.planning.advice import advice
from mcp_server.planning.key_paths import UNKNOWN_PARTITIONS

_REMEMBERED = 64
_described: Bounded[tuple[int, bool], tuple[Table, "Structure"]] = Bounded(entries=_REMEMBERED, weight=_REMEMBERED)
"""Of the tables that were described last. A table never changes: what is seen anew of one makes another."""

_HELD: dict[EpochUnit | None, str] = {
    None: "ISO 8601 text",
    "s": "seconds since 1970",
    "ms": "milliseconds since 1970",
    "us": "microseconds since 1970",
}
"""What items hold for an instant, by the unit that is declared of its column."""

_LEAST_PRESENCE = 0.001
"""Of what is there at all."""

_NUMBER = re.compile(r"-?[0-9.]+(?:[eE][-+]?[0-9]+)?")


class PartEntry(TypedDict):
    """A part of maps or lists in a column: `address.city`, `lines[].sku` for any place of the list."""

    path: str
    values: NotRequired[list[str]]
    presence: NotRequired[float]


class ColumnEntry(TypedDict):
    """One column."""

    name: str
    type: str
    nullable: bool
    presence: Annotated[float, Field(description="From 0 to 1.")]
    notes: NotRequired[
        Annotated[list[str], Field(description="What is odd about the column, for instance mixed types.")]
    ]
    values: NotRequired[Annotated[list[str], Field(description="All values that the sample held, if they are few.")]]
    range: NotRequired[Annotated[list[str], Field(description="The least and the greatest value of the sample.")]]
    parts: NotRequired[
        Annotated[
            list[PartEntry],
            Field(description="The few texts that the sample held in parts of maps and lists, and which are rare."),
        ]
    ]
    format: NotRequired[Annotated[str, Field(description="What all sampled values look like, or how they begin.")]]


class IndexEntry(TypedDict):
    """The primary key, or a secondary index; a GSI may have several attributes in either key, separated by commas."""

    name: str
    type: Annotated[Literal["PRIMARY", "GSI", "LSI"], Field(description="PRIMARY: the table's key.")]
    hashKey: str
    hashKeyType: Annotated[str, Field(description="S (string), N (number) or B (binary).")]
    sortKey: NotRequired[str]
    sortKeyType: NotRequired[str]
    query: NotRequired[Annotated[str, Field(description="A condition that reads by this key.")]]
    note: NotRequired[Annotated[str, Field(description="Why it cannot be used, or what it costs.")]]


class Structure(NamedTuple):
    """What a table is made of."""

    columns: list[ColumnEntry]
    indexes: list[IndexEntry]


def structure(table: Table, *, with_values: bool) -> Structure:
    """The columns and keys of a table; `with_values` shows what a sample held. Not to be changed: it is remembered."""
    key = (id(table), with_values)
    known = _described.get(key)
    if known is not None:
        return known[1]
    made = Structure([column(one, with_values=with_values) for one in table.columns], indexes(table))
    _described.put(key, (table, made), 1)  # it holds the table, whose id therefore stays its own
    return made


def column(column: Column, *, with_values: bool) -> ColumnEntry:
    """One column of a table; `with_values` shows what a sample held."""
    entry: ColumnEntry = {
        "name": column.name,
        "type": column.type.sql,
        "nullable": column.nullable,
        "presence": round(column.presence, 3),
    }
    if column.notes:
        entry["notes"] = list(column.notes)
    if with_values and column.examples is not None:
        _show(column.name, column.examples, entry)
    if column.type.kind is TypeKind.TIMESTAMPTZ:
        _show_instants(column.type.unit, entry)
    return entry


def _show_instants(unit: EpochUnit | None, entry: ColumnEntry) -> None:
    """Says how times are stored, and writes those that are stored as numbers as they are compared and answered."""
    entry["format"] = f"time, stored as {_HELD[unit]}; compare it with a time: a range of times is pushed down"
    if unit is None:
        return
    if "values" in entry:
        entry["values"] = [_as_time(value, unit) for value in entry["values"]]
    if "range" in entry:
        entry["range"] = [_as_time(value, unit) for value in entry["range"]]


def _as_time(written: str, unit: EpochUnit) -> str:
    """A sampled number as the time that it counts to; one that counts to none stays, since its reading will fail."""
    number = Decimal(written) if _NUMBER.fullmatch(written) else None
    instant = instant_of_number(number, unit) if number is not None else None
    return written if instant is None else timestamp_text(instant, "us", "+00:00")


def _show(name: str, examples: Examples, entry: ColumnEntry) -> None:
    if examples.values:
        entry["values"] = list(examples.values)
    elif examples.low is not None and examples.high is not None:
        entry["range"] = [examples.low, examples.high]
    parts: dict[Path, PartEntry] = {
        part.path: {"path": quoted(name) + written(part.path), "values": list(part.values)} for part in examples.parts
    }
    for rare in examples.rare:
        part = parts.setdefault(rare.path, {"path": quoted(name) + written(rare.path)})
        part["presence"] = max(round(rare.presence, 3), _LEAST_PRESENCE)
    if parts:
        entry["parts"] = list(parts.values())
    if examples.form is not None:
        entry["format"] = examples.form


def indexes(table: Table) -> list[IndexEntry]:
    """The primary key first, then the active secondary indexes."""
    range_keys = () if table.range_key is None else (table.range_key,)
    primary = _index("PRIMARY", "PRIMARY", (table.hash_key,), range_keys)
    found = [_advised(primary, table, None)]
    for index in table.indexes:
        if index.active:
            entry = _index(index.name, index.kind, index.hash_keys, index.range_keys)
            found.append(_advised(entry, table, index))
    return found


def _advised(entry: IndexEntry, table: Table, index: Index | None) -> IndexEntry:
    given = advice(table, index)
    if given.condition is not None:
        entry["query"] = given.condition
    if given.reason is not None:
        entry["note"] = f"Not used: {given.reason}."
    elif given.lookup:
        entry["note"] = "Holds not all columns: others are fetched by key, item by item, where a scan takes more."
    elif given.unknown:
        entry["note"] = f"Only used where it holds all columns needed: {UNKNOWN_PARTITIONS}."
    return entry


def _index(
    name: str, kind: str, hash_keys: tuple[KeyAttribute, ...], range_keys: tuple[KeyAttribute, ...]
) -> IndexEntry:
    entry: IndexEntry = {
        "name": name,
        "type": cast("Literal['PRIMARY', 'GSI', 'LSI']", kind),
        "hashKey": _names(hash_keys),
        "hashKeyType": _types(hash_keys),
    }
    if range_keys:
        entry["sortKey"] = _names(range_keys)
        entry["sortKeyType"] = _types(range_keys)
    return entry


def _names(attributes: tuple[KeyAttribute, ...]) -> str:
    return ", ".join(attribute.name for attribute in attributes)


def _types(attributes: tuple[KeyAttribute, ...]) -> str:
    return ", ".join(attribute.type.value for attribute in attributes)
