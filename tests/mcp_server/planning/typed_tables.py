"""Two tables whose items have values at the edges of every type, and the same items as rows of SQL."""

import random
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import product
from typing import Any

import duckdb
import pyarrow as pa

from mcp_server.domain.schema import AttributeType, Column, ColumnType, Index, KeyAttribute, TypeKind
from mcp_server.domain.schema import Table as Catalogued
from tests.mcp_server.planning.typed_items import (
    ARROW,
    COLUMNS,
    DECIMALS,
    LITERALS,
    NUMBERS,
    RIGHT,
    TABLE,
    Item,
    sql_value,
)
from tests.support.random_sql.columns import Column as RandomColumn
from tests.support.random_sql.columns import Table as RandomTable

_MAP = Column("j", ColumnType(TypeKind.JSON), frozenset({AttributeType.MAP}))
_ID = Column("id", ColumnType(TypeKind.BIGINT), frozenset({AttributeType.NUMBER}), nullable=False)
_ROW = replace(_ID, nullable=True)
_STRING, _NUMBER = AttributeType.STRING, AttributeType.NUMBER
_PARENT = replace(_ID, name="parent", nullable=True)
_KINDS = {
    TypeKind.VARCHAR: "text",
    TypeKind.BIGINT: "number",
    TypeKind.DECIMAL: "number",
    TypeKind.DOUBLE: "number",
    TypeKind.DATE: "date",
    TypeKind.BOOLEAN: "boolean",
}
_SMALL = [str(number) for number in range(8)]
_EDGES = {"n": NUMBERS[-3:], "d": DECIMALS[-2:], "f": ["0.1", "9007199254740993"], "day": ["DATE '9999-12-31'"]}
_VALUES: Mapping[str, Sequence[Mapping[str, Any]]] = {
    **RIGHT,
    "parent": [{"N": number} for number in _SMALL],
    "j": [{"M": {"x": {"N": number}, "k": {"S": f"k{number}"}, "id": {"N": number}}} for number in _SMALL],
}

TABLES: dict[str, Catalogued] = {
    "edges": replace(TABLE, name="edges", physical_name="edges", columns=(*COLUMNS, _MAP)),
    "family": replace(
        TABLE,
        name="family",
        physical_name="family",
        hash_key=KeyAttribute("id", AttributeType.NUMBER),
        columns=(_ID, _PARENT, *(column for column in COLUMNS if column.name in "sndf"), _MAP),
    ),
}


_KEYS = ("s", "n")
TABLES |= {
    "keyed": replace(
        TABLE,
        name="keyed",
        physical_name="keyed",
        hash_key=KeyAttribute("s", AttributeType.STRING),
        range_key=KeyAttribute("n", AttributeType.NUMBER),
        indexes=(
            Index("by_k_day", "GSI", (KeyAttribute("k", _STRING),), (KeyAttribute("day", _STRING),), None),
            Index("by_d", "GSI", (KeyAttribute("d", _NUMBER),), (), frozenset({"k", "b"}), partition_items=9.0),
            Index("by_k", "GSI", (KeyAttribute("k", _STRING),), (), frozenset(), partition_items=20.0),
            Index("by_s_day", "LSI", (KeyAttribute("s", _STRING),), (KeyAttribute("day", _STRING),), None),
        ),
        columns=tuple(
            replace(column, nullable=column.name not in _KEYS)
            for column in (_ROW, *COLUMNS)
            if column.name in ("id", "s", "day", "k", "n", "d", "b")
        ),
        item_count=10_000,
    ),
}
"""The third is read by a key of two attributes, and through indexes that lack some of its items."""


def _keyed() -> list[Item]:
    dice = random.Random("keyed")
    made: list[Item] = []
    for number, (text, n) in enumerate(product(("a", "ab", "abc", "5", "é", "\U00010000"), NUMBERS)):
        item: dict[str, Mapping[str, Any]] = {"id": {"N": str(number)}, "s": {"S": text}, "n": {"N": n}}
        for name in ("k", "day", "d", "b"):
            if dice.random() < 0.7:
                item[name] = {"S": f"k{number % 3}"} if name == "k" else dice.choice(RIGHT[name])
        made.append(item)
    return made


def _items(table: Catalogued, count: int) -> list[Item]:
    dice = random.Random(table.name)
    made: list[Item] = []
    for number in range(count):
        key = {"S": f"k{number}"} if table.hash_key.name == "k" else {"N": str(number)}
        item: dict[str, Mapping[str, Any]] = {table.hash_key.name: key}
        for column in table.columns[1:]:
            right = _VALUES[column.name]
            if (roll := dice.random()) < 0.85:
                # Every value occurs, as far as there are items enough.
                item[column.name] = right[number] if number < len(right) else dice.choice(right)
            elif roll < 0.9:
                item[column.name] = {"NULL": True}
        made.append(item)
    return made


ITEMS: Mapping[str, Sequence[Item]] = {
    "edges": _items(TABLES["edges"], 40),
    "family": _items(TABLES["family"], 16),
    "keyed": _keyed(),
}

RANDOM_TABLES = [
    RandomTable(
        table.name,
        [
            RandomColumn(
                column.name, _KINDS[column.type.kind], LITERALS.get(column.name, _SMALL), _EDGES.get(column.name, ())
            )
            for column in table.columns
            if column is not _MAP
        ],
        [("s", "n"), ("k", "day"), ("d", "n"), ("s", "day")] if table.name == "keyed" else (),
    )
    for table in TABLES.values()
]


def definition(table: Catalogued) -> dict[str, Any]:
    """A table's keys and indexes, as CreateTable takes them."""

    def schema(hash_keys: Sequence[KeyAttribute], range_keys: Sequence[KeyAttribute]) -> list[dict[str, str]]:
        roles = [*(("HASH", key) for key in hash_keys), *(("RANGE", key) for key in range_keys)]
        return [{"AttributeName": key.name, "KeyType": role} for role, key in roles]

    types = {key.name: key.type.value for key in table.key}
    indexes: dict[str, list[dict[str, Any]]] = {}
    for index in table.indexes:
        types |= {key.name: key.type.value for key in (*index.hash_keys, *index.range_keys)}
        projection: dict[str, Any] = {"ProjectionType": "ALL"}
        if index.projected is not None:
            projection = {"ProjectionType": "INCLUDE", "NonKeyAttributes": sorted(index.projected)}
            projection = projection if index.projected else {"ProjectionType": "KEYS_ONLY"}
        kind = "GlobalSecondaryIndexes" if index.kind == "GSI" else "LocalSecondaryIndexes"
        indexes.setdefault(kind, []).append(
            {"IndexName": index.name, "KeySchema": schema(index.hash_keys, index.range_keys), "Projection": projection}
        )
    return {
        "AttributeDefinitions": [{"AttributeName": name, "AttributeType": kind} for name, kind in types.items()],
        "KeySchema": schema(table.key[:1], table.key[1:]),
        **indexes,
    }


def rows(columns: Sequence[Column], items: Sequence[Item]) -> pa.Table:
    """The items as rows of these columns."""
    arrays = []
    for column in columns:
        values = pa.array([sql_value(item.get(column.name), column) for item in items], _storage(column))
        arrays.append(values.cast(ARROW[column.type.kind]))
    return pa.table(arrays, names=[column.name for column in columns])


def _storage(column: Column) -> pa.DataType:
    return pa.string() if column.type.kind is TypeKind.JSON else ARROW[column.type.kind]


def oracle() -> duckdb.DuckDBPyConnection:
    """DuckDB with all the rows."""
    connection = duckdb.connect(config={"threads": 1})
    for name, table in TABLES.items():
        connection.register(f"{name}_rows", rows(table.columns, ITEMS[name]))
        connection.execute(f"create table {name} as from {name}_rows")
    return connection
