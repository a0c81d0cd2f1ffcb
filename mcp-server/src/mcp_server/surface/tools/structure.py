"""How tools show the columns and keys of a table."""

from typing import Annotated, Literal, NotRequired, cast

from pydantic import Field
from typing_extensions import TypedDict

from mcp_server.domain.schema import Column, KeyAttribute, Table


class ColumnEntry(TypedDict):
    """One column."""

    name: str
    type: str
    nullable: bool
    presence: Annotated[float, Field(description="From 0 to 1.")]
    notes: NotRequired[
        Annotated[list[str], Field(description="What is odd about the column, for instance mixed types.")]
    ]


class IndexEntry(TypedDict):
    """The primary key, or a secondary index; a GSI may have several attributes in either key, separated by commas."""

    name: str
    type: Annotated[Literal["PRIMARY", "GSI", "LSI"], Field(description="PRIMARY: the table's key.")]
    hashKey: str
    hashKeyType: Annotated[str, Field(description="S (string), N (number) or B (binary).")]
    sortKey: NotRequired[str]
    sortKeyType: NotRequired[str]


def column(column: Column) -> ColumnEntry:
    """One column of a table."""
    entry: ColumnEntry = {
        "name": column.name,
        "type": column.type.sql,
        "nullable": column.nullable,
        "presence": round(column.presence, 3),
    }
    if column.notes:
        entry["notes"] = list(column.notes)
    return entry


def indexes(table: Table) -> list[IndexEntry]:
    """The primary key first, then the active secondary indexes."""
    range_keys = () if table.range_key is None else (table.range_key,)
    primary = _index("PRIMARY", "PRIMARY", (table.hash_key,), range_keys)
    return [
        primary,
        *(_index(index.name, index.kind, index.hash_keys, index.range_keys) for index in table.indexes if index.active),
    ]


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
