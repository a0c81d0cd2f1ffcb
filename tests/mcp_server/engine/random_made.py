"""Tables as items of DynamoDB, as rows of the DuckDB that judges, and as random statements speak of them.

Nothing here is taken from the product: types, texts of numbers and the rule for mixed columns follow docs/sql.md.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import duckdb
import pyarrow as pa

from tests.mcp_server.doubles.tables import HeldIndex, Key
from tests.support.random_sql.columns import Column, Table

INSTANT = "TIMESTAMP WITH TIME ZONE"
TEXTS = frozenset({"city", "zip", "sku", "who"})
"""The parts of maps that are texts."""
_NUMBER = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
_TOO_LARGE = Decimal("99999999999999999998")
"""Stands for a number that 18 decimal places leave no room for: it equals none that a statement names."""

Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class At:
    """A time, and the text or number that an item has for it."""

    moment: datetime
    stored: str | Decimal


@dataclass(frozen=True, slots=True)
class Made:
    """A table: how DynamoDB keeps it, the SQL types that its columns have, and what it holds.

    The first column tells rows apart. A value is what Python has for it, a missing attribute is missing, None is NULL.
    The `kinds` are those of columns whose SQL type does not tell, the `paths` and `lists` what random statements name
    of maps and lists. `literals` are constants for a column beyond the values that it has.
    """

    key: Key
    types: Mapping[str, str]
    rows: Sequence[Row]
    indexes: Sequence[HeldIndex] = ()
    kinds: Mapping[str, str] = field(default_factory=dict)
    paths: Sequence[str] = ()
    lists: Mapping[str, Sequence[str]] = field(default_factory=dict)
    refers: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    literals: Mapping[str, Sequence[str]] = field(default_factory=dict)


def item(row: Row) -> dict[str, Any]:
    """A row in DynamoDB's notation."""
    return {name: _attribute(value) for name, value in row.items()}


def _attribute(value: Any) -> dict[str, Any]:
    match value:
        case None:
            return {"NULL": True}
        case bool():
            return {"BOOL": value}
        case int() | Decimal():
            return {"N": format(value, "f") if isinstance(value, Decimal) else str(value)}
        case At():
            return _attribute(value.stored)
        case date():
            return {"S": value.isoformat()}
        case dict():
            return {"M": item(value)}
        case list():
            return {"L": [_attribute(member) for member in value]}
    return {"S": value}


def judge(shop: Mapping[str, Made]) -> duckdb.DuckDBPyConnection:
    """DuckDB with the rows, and with the rule for mixed columns as macros."""
    connection = duckdb.connect(config={"threads": 1})
    connection.execute("set timezone = 'UTC'")
    connection.execute("set disabled_optimizers = 'statistics_propagation'")  # see adapters/duckdb/database.py
    for name, made in shop.items():
        columns = ", ".join(f'"{column}" {type_}' for column, type_ in made.types.items())
        connection.execute(f"create table {name} ({columns})")
        schema = connection.sql(f"select * from {name}").to_arrow_table().schema
        rows = [{column: _typed(row.get(column), type_) for column, type_ in made.types.items()} for row in made.rows]
        held = pa.Table.from_pylist(rows, schema)
        connection.register("held", held)
        connection.execute(f"insert into {name} from held")
        connection.unregister("held")
    texts = sorted(
        {
            _text(row[name])
            for made in shop.values()
            for name, kind in made.kinds.items()
            for row in made.rows
            if kind == "mixed" and row.get(name) is not None
        }
    )
    exact = " ".join(f"when {_quoted(text)} then {_exactly(text)}" for text in texts if _number(text) is not None)
    order = " ".join(
        f"when {_quoted(text)} then {float(text.strip())!r}::double" for text in texts if _number(text) is not None
    )
    if exact:
        connection.execute(f"create macro exact_number(x) as case x {exact} end")
        connection.execute(f"create macro number_by_order(x) as case x {order} end")
    return connection


def fetched(connection: duckdb.DuckDBPyConnection, sql: str, rows: int = 1000) -> list[tuple[Any, ...]]:
    """The rows of a statement, and at most one beyond so many."""
    found = connection.execute(sql)
    types = [str(column[1]) for column in found.description]
    if not any("TIME ZONE" in type_ for type_ in types):
        return found.fetchmany(rows + 1)
    # What fetchmany makes of a TIMESTAMPTZ needs pytz; Arrow has a HUGEINT as a DECIMAL.
    found.abort()
    table = connection.sql(sql).limit(rows + 1).to_arrow_table()
    columns = [
        [int(value) if type_ == "HUGEINT" and value is not None else value for value in column.to_pylist()]
        for type_, column in zip(types, table.columns, strict=True)
    ]
    return list(zip(*columns, strict=True))


def _typed(value: Any, type_: str) -> Any:
    """A value as the column has it: of a text, also within maps and lists, numbers and truth values as their texts."""
    match value:
        case dict():
            return {name: _text(part) if name in TEXTS else _typed(part, "") for name, part in value.items()}
        case list():
            return [_typed(member, type_.removesuffix("[]")) for member in value]
        case At():
            return value.moment
    return _text(value) if type_ == "VARCHAR" and value is not None else value


def _text(value: Any) -> str:
    """What a text column has for a value: numbers as DynamoDB writes them, truth values in small letters."""
    if isinstance(value, bool):
        return str(value).lower()
    return format(value, "f") if isinstance(value, Decimal) else str(value)


def _number(text: str) -> Decimal | None:
    """The number that a text reads as."""
    found = _NUMBER.fullmatch(text.strip())
    return Decimal(found[0]) if found is not None else None


def _exactly(text: str) -> str:
    """The number to 18 decimal places, as a literal."""
    number = _number(text)
    assert number is not None
    number = number if abs(number) <= _TOO_LARGE else _TOO_LARGE.copy_sign(number)
    return f"{number:.18f}::decimal(38, 18)"


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def random_tables(shop: Mapping[str, Made]) -> list[Table]:
    """The tables for random statements, whose constants are values that occur."""
    with judge(shop) as connection:
        return [_random_table(connection, name, made) for name, made in shop.items()]


def _random_table(connection: duckdb.DuckDBPyConnection, name: str, made: Made) -> Table:
    def column(path: str, *, of: str = "", at: str = "") -> Column:
        sql = path if not of else f"m{path}"
        held = f"from {name} a" if not of else f"from {name} a, unnest(a.{of}) u(m)"
        found = fetched(connection, f"select distinct {sql}, typeof({sql}) {held} where {sql} is not null")
        literals = sorted({_literal(value) for value, _ in found} | set(made.literals.get(path, ())))
        kind = made.kinds[path] if path in made.kinds else _kind(found[0][1])
        return Column(at or path, kind, literals, refers=made.refers.get(path))

    several = [index for index in made.indexes if len(index.key) > 2 or index.local]
    keys = [(made.key[0][0], made.key[-1][0])]
    keys += [(index.key[0][0], index.key[-1][0]) for index in made.indexes if len(index.key) < 3]
    scalars = [
        one for one, type_ in made.types.items() if "(" not in type_.replace("DECIMAL(", "") and "[" not in type_
    ]
    return Table(
        name,
        [column(one) for one in scalars],
        keys,
        [column(path) for path in made.paths],
        {of: [column(part, of=of, at=part) for part in parts] for of, parts in made.lists.items()},
        [_split([name for name, _ in index.key], index.hash_keys) for index in several],
    )


def _split(names: Sequence[str], at: int) -> tuple[Sequence[str], Sequence[str]]:
    return names[:at], names[at:]


def _kind(type_: str) -> str:
    kinds = {"VARCHAR": "text", "BIGINT": "number", "DATE": "date", "BOOLEAN": "boolean", INSTANT: "instant"}
    return "number" if type_.startswith("DECIMAL") else kinds.get(type_, "struct")


def _literal(value: Any) -> str:
    match value:
        case None:
            return "NULL"
        case bool():
            return str(value).lower()
        case int() | Decimal():
            return str(value)
        case datetime():
            return f"timestamptz '{value.astimezone(UTC):%Y-%m-%d %H:%M:%S.%f}+00'"
        case date():
            return f"date '{value}'"
        case dict():
            return "{" + ", ".join(f"'{name}': {_literal(part)}" for name, part in value.items()) + "}"
    return _quoted(value)
