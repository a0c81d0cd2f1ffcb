"""Tables as items of DynamoDB, as rows of the DuckDB that judges, and as random statements speak of them.

Nothing here is taken from the product: types, texts of numbers and the rule for mixed columns follow docs/sql.md.
"""

import json
import re
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import duckdb
import pyarrow as pa

from tests.mcp_server.doubles.tables import HeldIndex, Key
from tests.support.random_sql.columns import Column, Table

INSTANT = "TIMESTAMP WITH TIME ZONE"
TEXTS = frozenset({"city", "zip", "sku", "who", "year"})
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
    of maps and lists. `literals` are constants for a column beyond the values that it has. The `untyped` are lists of
    unlike values, with fields of some: their SQL type is JSON, and the judge has them as lists of JSON.
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
    untyped: Mapping[str, Sequence[str]] = field(default_factory=dict)


class Set(list[Any]):
    """A set; its members are in the order in which the judge's list has them."""


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
        case bytes():
            return {"B": value}
        case Set():
            kind, members = next(iter(_attribute(value[0]))), [next(iter(_attribute(one).values())) for one in value]
            return {f"{kind}S": members}
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
        columns = ", ".join(
            f'"{column}" {type_}{"[]" if column in made.untyped else ""}' for column, type_ in made.types.items()
        )
        connection.execute(f"create table {name} ({columns})")
        schema = connection.sql(f"select * from {name}").to_arrow_table().schema
        rows = [{column: _typed(row.get(column), type_) for column, type_ in made.types.items()} for row in made.rows]
        held = pa.Table.from_pylist(rows, schema)
        connection.register("held", held)
        connection.execute(f"insert into {name} from held")
        connection.unregister("held")
    texts = sorted({_text(value) for made in shop.values() for value in _compared_with_numbers(made)})
    exact = " ".join(f"when {_quoted(text)} then {_exactly(text)}" for text in texts if _number(text) is not None)
    order = " ".join(
        f"when {_quoted(text)} then {float(text.strip())!r}::double" for text in texts if _number(text) is not None
    )
    if exact:
        connection.execute(f"create macro exact_number(x) as case x {exact} end")
        connection.execute(f"create macro number_by_order(x) as case x {order} end")
    for field_name in {name for made in shop.values() for names in made.untyped.values() for name in names}:
        connection.execute(f"create macro field_{field_name}(x) as x->>'{field_name}'")
    connection.execute("create macro as_json(x) as to_json(x)")
    return connection


def _compared_with_numbers(made: Made) -> Iterator[Any]:
    """What mixed columns, and parts of maps and lists, hold."""
    names = {name.partition(".")[0] for name, kind in made.kinds.items() if kind == "mixed"} | made.untyped.keys()
    for row in made.rows:
        for name in names:
            yield from _scalars(row.get(name))


def _scalars(value: Any) -> Iterator[Any]:
    match value:
        case dict():
            for part in value.values():
                yield from _scalars(part)
        case list():
            for member in value:
                yield from _scalars(member)
        case None:
            return
        case _:
            yield value


def fetched(connection: duckdb.DuckDBPyConnection, sql: str, rows: int = 1000) -> list[tuple[Any, ...]]:
    """The rows of a statement, and at most one beyond so many."""
    found = connection.execute(sql)
    types = [str(column[1]) for column in found.description]
    if not any("TIME ZONE" in type_ for type_ in types):
        return found.fetchmany(rows + 1)
    # What fetchmany makes of a TIMESTAMPTZ needs pytz; Arrow has a HUGEINT as a DECIMAL.
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Arrow output on a DB-API result")  # to run it twice takes longer
        reader: Any = found.to_arrow_reader(rows + 1)
    held: list[tuple[Any, ...]] = []
    while len(held) <= rows and (batch := next(reader, None)) is not None:
        columns = [
            [int(value) if type_ == "HUGEINT" and value is not None else value for value in column.to_pylist()]
            for type_, column in zip(types, batch.columns, strict=True)
        ]
        held += zip(*columns, strict=True)
    reader.close()
    return held[: rows + 1]


def _typed(value: Any, type_: str) -> Any:
    """A value as the column has it: of a text, also within maps and lists, numbers and truth values as their texts."""
    match value:
        case list() if type_ == "JSON":
            return [None if member is None else _document(member) for member in value]
        case dict():
            return {name: _text(part) if name in TEXTS else _typed(part, "") for name, part in value.items()}
        case list():
            return [_typed(member, type_.removesuffix("[]")) for member in value]
        case At():
            return value.moment
        case int() | Decimal() if type_ == "DOUBLE":
            return float(value)
    return _text(value) if type_ == "VARCHAR" and value is not None else value


def _document(value: Any) -> str:
    """A value as JSON, without spaces and with the keys of maps in order."""
    match value:
        case dict():
            return "{" + ",".join(f"{json.dumps(name)}:{_document(value[name])}" for name in sorted(value)) + "}"
        case list():
            return "[" + ",".join(map(_document, value)) + "]"
        case None:
            return "null"
        case str():
            return json.dumps(value, ensure_ascii=False)
    return _text(value)


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
        kind = made.kinds.get(f"{of}{path}") or _kind(found[0][1])
        return Column(at or path, kind, literals, refers=made.refers.get(path))

    def element(of: str, field: str = "") -> Column:
        """An element of a list of unlike values, or a field of those that have it."""
        sql = f"field_{field}(m)" if field else "m"
        found = connection.execute(f"select distinct {sql} from {name} a, unnest(a.{of}) u(m) where {sql} is not null")
        literals = sorted({_quoted(value) for (value,) in found.fetchall()})
        return Column(field, "mixed" if field else "json", literals)

    several = [index for index in made.indexes if len(index.key) > 2 or index.local]
    keys = [(made.key[0][0], made.key[-1][0])]
    keys += [(index.key[0][0], index.key[-1][0]) for index in made.indexes if len(index.key) < 3]
    scalars = [
        one
        for one, type_ in made.types.items()
        if "(" not in type_.replace("DECIMAL(", "") and "[" not in type_ and type_ != "JSON"
    ]
    return Table(
        name,
        [column(one) for one in scalars],
        keys,
        [column(path) for path in made.paths],
        {of: [column(part, of=of, at=part) for part in parts] for of, parts in made.lists.items()},
        [_split([name for name, _ in index.key], index.hash_keys) for index in several],
        {of: (element(of), [element(of, field) for field in fields]) for of, fields in made.untyped.items()},
    )


def _split(names: Sequence[str], at: int) -> tuple[Sequence[str], Sequence[str]]:
    return names[:at], names[at:]


def _kind(type_: str) -> str:
    kinds = {
        "VARCHAR": "text",
        "BIGINT": "number",
        "DATE": "date",
        "BOOLEAN": "boolean",
        INSTANT: "instant",
        "BLOB": "binary",
    }
    return "number" if type_.startswith(("DECIMAL", "DOUBLE")) else kinds.get(type_, "struct")


def _literal(value: Any) -> str:
    match value:
        case None:
            return "NULL"
        case bool():
            return str(value).lower()
        case float():
            return f"{value!r}::double"
        case bytes():
            return "'" + "".join(f"\\x{byte:02X}" for byte in value) + "'::blob"
        case int() | Decimal():
            return str(value)
        case datetime():
            return f"timestamptz '{value.astimezone(UTC):%Y-%m-%d %H:%M:%S.%f}+00'"
        case date():
            return f"date '{value}'"
        case dict():
            return "{" + ", ".join(f"'{name}': {_literal(part)}" for name, part in value.items()) + "}"
    return _quoted(value)
