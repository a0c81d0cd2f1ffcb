"""Tables, relations and pages for the tests of this folder."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from mcp_server.domain.schema import AttributeType, Column, ColumnType, KeyAttribute, Table, TypeKind
from mcp_server.planning.plan import Relation

S, N = AttributeType.STRING, AttributeType.NUMBER


def of(kind: TypeKind, scale: int | None = None, element: ColumnType | None = None) -> ColumnType:
    """A column type."""
    return ColumnType(kind, scale=scale, element=element)


def column(name: str, type_: ColumnType, *types: AttributeType) -> Column:
    """A nullable column."""
    return Column(name, type_, frozenset(types))


def table(columns: Sequence[Column], **changes: Any) -> Table:
    """A table with the partition key `pk`."""
    values: dict[str, Any] = {
        "schema": "demo",
        "name": "things",
        "physical_name": "things",
        "hash_key": KeyAttribute("pk", S),
        "range_key": None,
        "indexes": (),
        "columns": tuple(columns),
        "item_count": 0,
        "size_bytes": 0,
        "refreshed_at": 0.0,
    }
    return Table(**(values | changes))


def relation(columns: Sequence[Column], *, of_table: Table | None = None) -> Relation:
    """A relation that reads those columns."""
    return Relation("r0", of_table or table(columns), tuple(columns), ())


def page(*items: Mapping[str, Any]) -> bytes:
    """The JSON of a page's items."""
    return json.dumps(items, ensure_ascii=False).encode()
