"""How tools show the columns and keys of a table."""

from typing import Annotated, Literal, NamedTuple, NotRequired, cast

from pydantic import Field
from typing_extensions import TypedDict

from mcp_server.domain.names import quoted
from mcp_server.domain.schema import Column, Examples, Index, KeyAttribute, Table, written
from mcp_server.engine.bounded import Bounded
from mcp_server.planning.advice import advice

_REMEMBERED = 64
_described: Bounded[tuple[int, bool], tuple[Table, "Structure"]] = Bounded(entries=_REMEMBERED, weight=_REMEMBERED)
"""Of the tables that were described last. A table never changes: what is seen anew of one makes another."""


class PartEntry(TypedDict):
    """A part of maps or lists in a column: `address.city`, `lines[].sku` for any place of the list."""

    path: str
    values: list[str]


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
        Annotated[list[PartEntry], Field(description="The few texts that the sample held in parts of maps and lists.")]
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
    return entry


def _show(name: str, examples: Examples, entry: ColumnEntry) -> None:
    if examples.values:
        entry["values"] = list(examples.values)
    elif examples.low is not None and examples.high is not None:
        entry["range"] = [examples.low, examples.high]
    if examples.parts:
        parts: list[PartEntry] = [
            {"path": quoted(name) + written(part.path), "values": list(part.values)} for part in examples.parts
        ]
        entry["parts"] = parts
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
        entry["note"] = "Holds not all columns: others are fetched by key, item by item."
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
