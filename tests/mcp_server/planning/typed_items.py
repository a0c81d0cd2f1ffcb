"""Random items of a table whose column types are known, and the same items as rows of SQL."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import Any

import duckdb
import pyarrow as pa
from hypothesis import strategies as st

from mcp_server.domain.schema import AttributeType, Column, ColumnType, KeyAttribute, Table, TypeKind
from mcp_server.planning.plan import Relation
from mcp_server.sql.binding.bind import Query, bind
from mcp_server.sql.gate.parse import parse

Item = Mapping[str, Mapping[str, Any]]

_S, _N, _BOOL = AttributeType.STRING, AttributeType.NUMBER, AttributeType.BOOLEAN
COLUMNS = (
    Column("k", ColumnType(TypeKind.VARCHAR), frozenset({_S}), nullable=False),
    Column("s", ColumnType(TypeKind.VARCHAR), frozenset({_S})),
    Column("n", ColumnType(TypeKind.BIGINT), frozenset({_N})),
    Column("d", ColumnType(TypeKind.DECIMAL, scale=2), frozenset({_N})),
    Column("f", ColumnType(TypeKind.DOUBLE), frozenset({_N})),
    Column("day", ColumnType(TypeKind.DATE), frozenset({_S})),
    Column("b", ColumnType(TypeKind.BOOLEAN), frozenset({_BOOL})),
    Column("m", ColumnType(TypeKind.VARCHAR), frozenset({_S, _N})),
)
TABLE = Table(
    schema="demo",
    name="t",
    physical_name="t",
    hash_key=KeyAttribute("k", _S),
    range_key=None,
    indexes=(),
    columns=COLUMNS,
    item_count=100,
    size_bytes=0,
    refreshed_at=0,
)

TEXTS = ["", "a", "ab", "abc", "b", "%", "a%", "é", "5", "05", "true", "\U00010000", "￿", "A", "1995-01-01"]
NUMBERS = [
    *("0", "1", "-1", "5", "10", "-7", "1234567890123456789", "9223372036854775807", "-9223372036854775807"),
    *("9007199254740991", "9007199254740992", "9007199254740993"),
]
DECIMALS = ["0", "1", "1.5", "1.25", "-0.5", "99999999999999999999.25", "9007199254740992.01"]
DOUBLES = ["0", "0.1", "0.1000000000000000055511151231257827", "0.3", "1E+100", "2", "-0.1", "9007199254740993"]
DAYS = ["1995-01-01", "1995-01-31", "1996-02-29", "2024-12-31", "0001-01-01", "9999-12-31"]

RIGHT: dict[str, list[Mapping[str, Any]]] = {
    "s": [{"S": text} for text in TEXTS],
    "n": [{"N": text} for text in NUMBERS],
    "d": [{"N": text} for text in DECIMALS],
    "f": [{"N": text} for text in DOUBLES],
    "day": [{"S": text} for text in DAYS],
    "b": [{"BOOL": True}, {"BOOL": False}],
    "m": [*({"S": text} for text in TEXTS), *({"N": text} for text in NUMBERS)],
}
ODD: list[Mapping[str, Any]] = [
    {"S": "5"},
    {"S": "x"},
    {"S": "1995-01-01T10:00:00"},
    {"S": "1995-1-1"},
    {"N": "5"},
    {"N": "1.5"},
    {"N": "123456789012345678901234567890"},
    {"BOOL": True},
    {"L": [{"S": "a"}]},
    {"SS": ["a", "5"]},
    {"M": {"a": {"N": "5"}}},
]


def _choices(right: Sequence[Mapping[str, Any]], *, odd: bool) -> st.SearchStrategy[Mapping[str, Any] | None]:
    """A value, NULL, nothing or, when `odd`, something else; in one draw."""
    half = max(1, len(right) // 2)
    return st.sampled_from([*right, *[None, {"NULL": True}] * half, *(ODD if odd else [])])


_PLAIN = {name: _choices(right, odd=False) for name, right in RIGHT.items()}
_MIXED = {name: _choices(right, odd=True) for name, right in RIGHT.items()}


@st.composite
def items(draw: st.DrawFn, *, odd: bool) -> list[Item]:
    """A few items; attributes may be missing or NULL and, when `odd`, of a type that the column does not have."""
    drawn: list[Item] = []
    for number in range(draw(st.integers(1, 10))):
        values = {name: draw(choices) for name, choices in (_MIXED if odd else _PLAIN).items()}
        attributes = {name: value for name, value in values.items() if value is not None}
        drawn.append({"k": {"S": f"k{number}"}, **attributes})
    return drawn


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


LITERALS: dict[str, list[str]] = {
    "k": ["'k0'", "'k1'", "'k'", "''"],
    "s": [_quoted(text) for text in TEXTS] + ["'a' || 'b'"],
    "n": [*NUMBERS, "1.5", "4.999", "1e0", "'5'", "2 + 3", "12345678901234567890", "-(5)"],
    "d": [*DECIMALS, "1.50", "1.255", "1e0", "0.1234567", "'1.5'"],
    "f": [*(number.replace("E+", "e") for number in DOUBLES), "0.1e0", "1.5", "-1"],
    "day": [
        *(f"DATE '{day}'" for day in DAYS),
        "'1995-01-01'",
        "CAST('1995-01-31' AS DATE) + INTERVAL '1' MONTH",
        "DATE '1996-03-31' - INTERVAL 1 MONTH",
        "DATE '1995-01-01' + 30",
        "TIMESTAMP '1995-01-01 10:00:00'",
        "TIMESTAMP '1995-01-01'",
    ],
    "b": ["TRUE", "FALSE", "'true'"],
    "m": [_quoted(text) for text in TEXTS],
}
PATTERNS = [
    "a%",
    "%a%",
    "ab",
    "a_",
    "%",
    "",
    "a%b%",
    "_b",
    "%a",
    "a!%%' ESCAPE '!",
    "é%",
    "\U00010000%",
    "\\%",
    "%%a%",
]


def literals(column: str) -> list[str]:
    """Constants of SQL to compare a column with."""
    return LITERALS[column]


@st.composite
def conditions(draw: st.DrawFn, depth: int = 2) -> str:
    """A condition on the columns, as SQL."""
    if depth and draw(st.booleans()):
        joiner = draw(st.sampled_from([" AND ", " OR "]))
        parts = [f"({draw(conditions(depth=depth - 1))})" for _ in range(draw(st.integers(2, 3)))]
        negation = draw(st.sampled_from(["", "NOT "]))
        return f"{negation}({joiner.join(parts)})"
    column = draw(st.sampled_from(list(LITERALS)))
    literal = st.sampled_from(LITERALS[column])
    operator = draw(st.sampled_from(["=", "<>", "<", "<=", ">", ">="]))
    shapes = [
        st.builds("{} {} {}".format, st.just(column), st.just(operator), literal),
        st.builds("{} {} {}".format, literal, st.just(operator), st.just(column)),
        st.builds("{} BETWEEN {} AND {}".format, st.just(column), literal, literal),
        st.builds("{} NOT BETWEEN {} AND {}".format, st.just(column), literal, literal),
        st.builds("{} IN ({}, {})".format, st.just(column), literal, literal | st.just("NULL")),
        st.builds("{} NOT IN ({}, {})".format, st.just(column), literal, literal | st.just("NULL")),
        st.just(f"{column} IS NULL"),
        st.just(f"{column} IS NOT NULL"),
        st.builds("{} IS DISTINCT FROM {}".format, st.just(column), literal | st.just("NULL")),
        st.builds("{} IS NOT DISTINCT FROM {}".format, st.just(column), literal | st.just("NULL")),
        st.builds("NOT {} {} {}".format, st.just(column), st.just(operator), literal),
    ]
    if column in ("s", "m", "k"):
        patterns, operators = st.sampled_from(PATTERNS), ("LIKE", "NOT LIKE", "ILIKE", "NOT ILIKE", "GLOB")
        shapes += [
            st.builds("{} {} '{}'".format, st.just(column), st.sampled_from(operators), patterns),
            st.builds("{}({}, {})".format, st.sampled_from(["starts_with", "contains"]), st.just(column), literal),
        ]
    if column == "b":
        shapes += [st.sampled_from(["b", "NOT b", "b IS TRUE", "b IS NOT FALSE"])]
    condition: str = draw(st.one_of(*shapes))
    return condition


def _scale(number: str) -> int:
    exponent = Decimal(number).normalize().as_tuple().exponent
    assert isinstance(exponent, int)
    return -exponent


def fits_type(value: Mapping[str, Any], column: Column) -> bool:
    """Whether the reader takes an attribute as a value of the column."""
    ((descriptor, content),) = value.items()
    if descriptor == "NULL":
        return True
    if len(column.attribute_types) > 1:
        return True
    match column.type.kind:
        case TypeKind.VARCHAR:
            return bool(descriptor == "S")
        case TypeKind.BIGINT:
            return bool(descriptor == "N" and _scale(content) <= 0 and abs(Decimal(content)) < 2**63)
        case TypeKind.DECIMAL:
            return bool(descriptor == "N" and _scale(content) <= 2)
        case TypeKind.DOUBLE:
            return bool(descriptor == "N")
        case TypeKind.DATE:
            return bool(descriptor == "S" and len(content) == 10)
        case TypeKind.BOOLEAN:
            return bool(descriptor == "BOOL")
        case kind:
            raise AssertionError(kind)


def conflicting(item: Item, table: Table) -> frozenset[str]:
    """The columns in which an item's attribute is not of the column's type."""
    return frozenset(
        column.name for column in table.columns if column.name in item and not fits_type(item[column.name], column)
    )


def widen(table: Table, names: frozenset[str]) -> Table:
    """The table once the reader has learnt that some columns hold several types: their values' texts."""
    varchar = ColumnType(TypeKind.VARCHAR)
    mixed = frozenset({_S, _N, _BOOL})
    columns = tuple(
        replace(column, type=varchar, attribute_types=mixed) if column.name in names else column
        for column in table.columns
    )
    return replace(table, columns=columns)


def sql_value(value: Mapping[str, Any] | None, column: Column) -> object:
    if value is None:
        return None
    ((descriptor, content),) = value.items()
    if descriptor == "NULL":
        return None
    match column.type.kind:
        case TypeKind.JSON:
            return json.dumps(content)
        case TypeKind.VARCHAR if descriptor == "BOOL":
            return "true" if content else "false"
        case TypeKind.VARCHAR:
            return content if descriptor in ("S", "N") else json.dumps(content)
        case TypeKind.DATE:
            return date.fromisoformat(content)
        case TypeKind.DOUBLE:
            return float(content)
        case TypeKind.BIGINT:
            return int(content)
        case TypeKind.DECIMAL:
            return Decimal(content)
    return content


def bound(table: Table, condition: str) -> Query:
    """`SELECT k FROM t WHERE condition`, bound."""
    statement = parse(f"SELECT k FROM t WHERE {condition}", None)
    return bind(statement, "demo", dict.fromkeys(statement.tables, table))


ARROW = {
    TypeKind.VARCHAR: pa.string(),
    TypeKind.BIGINT: pa.int64(),
    TypeKind.DECIMAL: pa.decimal128(38, 2),
    TypeKind.DOUBLE: pa.float64(),
    TypeKind.DATE: pa.date32(),
    TypeKind.BOOLEAN: pa.bool_(),
    TypeKind.JSON: pa.json_(pa.string()),
}


def matching(engine: duckdb.DuckDBPyConnection, table: Table, condition: str, chosen: Sequence[Item]) -> set[str]:
    """The keys of the items that SQL selects. Raises duckdb.Error where the condition cannot be evaluated."""
    arrays = {
        column.name: pa.array([sql_value(item.get(column.name), column) for item in chosen], ARROW[column.type.kind])
        for column in table.columns
    }
    engine.register("t", pa.table(arrays))
    return {key for (key,) in engine.execute(f"SELECT k FROM t WHERE {condition}").fetchall()}


def only_relation(query: Query) -> Relation:
    """The one relation of a query."""
    (relation,) = query.relations
    return relation
