"""Tables with all that random statements speak of: as items of DynamoDB, and as rows of the DuckDB that judges.

Nothing here is taken from the product: types, texts of numbers and the rule for mixed columns follow docs/sql.md.
"""

import random
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import duckdb
import pyarrow as pa

from tests.mcp_server.doubles.tables import HeldIndex, Key
from tests.support.random_sql.columns import Column, Table

CITIES = ("Oslo", "Bergen", "Lyon", "", "O'Hara", "Ōsaka")
TEAMS = ("red", "blue", "a#1", "a#2", "ä")
CODES: Sequence[int | Decimal | str | bool] = (
    *(2705, 5, -5, 0, Decimal("0.1"), Decimal("0.10000000000000001"), Decimal("-3.5"), 9007199254740993),
    *(Decimal("1E+100"), 99999999999999999999, "2705", "5.0", " 5 ", "1e3", "2705-A", "", "-", "x", "0x5", "true"),
    *("1e-30", "-1e40", "5e", "+7", ".5", "٥", True, False),
)
STATES = ("open", "paid", "void", "5", "o")
TEXTS = frozenset({"city", "zip", "sku", "who"})
"""The parts of maps that are texts."""
_NUMBER = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
_TOO_LARGE = Decimal("99999999999999999998")
"""Stands for a number that 18 decimal places leave no room for: it equals none that a statement names."""

Row = Mapping[str, Any]


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


def _people() -> Made:
    dice = random.Random("people")
    rows: list[Row] = []
    for number in range(40):
        geo = _some(dice, 0.8, {"lat": Decimal(dice.choice(["59.9", "60", "-1.5"])), "lon": dice.choice([10, 0, -7])})
        address = {"city": dice.choice(CITIES), **({"geo": geo} if geo is not None or dice.random() < 0.3 else {})}
        address |= {"zip": dice.choice(["0150", "150", "x", 150, Decimal("1.5"), True])} if dice.random() < 0.6 else {}
        lines = [
            {"sku": dice.choice(["tea", "jam", "I#1"]), **({"qty": dice.randint(0, 4)} if dice.random() < 0.8 else {})}
            for _ in range(dice.randint(0, 3))
        ]
        full: dict[str, Any] = {
            "name": dice.choice(["Ada", "Bo", "Cy", "ada"]),
            "age": dice.choice([0, 17, 18, 65, -1, 9007199254740993]),
            "born": date(1990 + dice.randint(0, 9), dice.choice([1, 2, 12]), dice.choice([1, 28])),
            "vip": dice.random() < 0.5,
            "boss": f"U#{dice.choice([0, 1, 2, 3, 99])}",
            "team": dice.choice(TEAMS),
            "address": dice.choice([address, address, address, {}]),
            "tags": dice.choices(["a", "b", "5", 5, "", False], k=dice.randint(0, 3)),
            "scores": [dice.choice([Decimal("1.5"), 2, None]) for _ in range(dice.randint(0, 2))],
            "lines": lines,
        }
        rows.append({"pk": f"U#{number}", **_sparsely(dice, full, never_null={"boss", "team"})})
    return Made(
        (("pk", "S"),),
        {
            **dict.fromkeys(("pk", "name", "boss", "team"), "VARCHAR"),
            "age": "BIGINT",
            "born": "DATE",
            "vip": "BOOLEAN",
            "address": "STRUCT(city VARCHAR, geo STRUCT(lat DECIMAL(38,1), lon BIGINT), zip VARCHAR)",
            "tags": "VARCHAR[]",
            "scores": "DECIMAL(38,1)[]",
            "lines": "STRUCT(qty BIGINT, sku VARCHAR)[]",
        },
        rows,
        [HeldIndex("by_team", (("team", "S"),)), HeldIndex("by_boss", (("boss", "S"), ("pk", "S")), frozenset())],
        paths=["address", "address.city", "address.zip", "address.geo", "address.geo.lat", "address.geo.lon"],
        lists={"tags": [""], "scores": [""], "lines": [".sku", ".qty"]},
        refers={"boss": ("people", "pk")},
    )


def _orders() -> Made:
    dice = random.Random("orders")
    rows: list[Row] = []
    for number in range(120):
        at = datetime(2025, 11, 1, tzinfo=UTC) + timedelta(minutes=dice.randint(0, 14 * 30 * 24 * 60))
        full: dict[str, Any] = {
            "status": dice.choice(STATES),
            "code": dice.choice(CODES),
            "placed": f"{at:%Y-%m-%dT%H:%M:%S}Z",
            "created": int(at.timestamp()) * 1000 + dice.choice([0, 999]),
            "expires": int((at + timedelta(days=dice.choice([0, 40]))).timestamp()),
            "item": f"I#{dice.randint(0, 14)}",
            "total": Decimal(dice.choice(["0", "7.5", "12", "-1.25", "99999999999.99"])),
            "about": {"who": dice.choice(["Ada", "Bo"]), "n": dice.randint(0, 3)},
        }
        never_null = {"status", "placed", "item", "created", "expires"}
        rows.append(
            {"pk": f"U#{number % 25}", "n": number // 25, "id": number, **_sparsely(dice, full, never_null=never_null)}
        )
    return Made(
        (("pk", "S"), ("n", "N")),
        {
            "id": "BIGINT",
            **dict.fromkeys(("pk", "status", "code", "placed", "item"), "VARCHAR"),
            **dict.fromkeys(("n", "created", "expires"), "BIGINT"),
            "total": "DECIMAL(38,2)",
            "about": "STRUCT(n BIGINT, who VARCHAR)",
        },
        rows,
        [
            HeldIndex("by_status", (("status", "S"), ("placed", "S"))),
            HeldIndex("by_item", (("item", "S"), ("created", "N")), frozenset({"total"})),
            HeldIndex("by_expires", (("expires", "N"),), frozenset()),
            HeldIndex("by_id", (("id", "N"),), frozenset({"code"})),
        ],
        kinds={"code": "mixed", "placed": "iso", "created": "millis", "expires": "seconds"},
        paths=["about.who", "about.n"],
        refers={"pk": ("people", "pk"), "item": ("parts", "pk")},
    )


def _parts() -> Made:
    dice = random.Random("parts")
    rows: list[Row] = []
    for number in range(30):
        full: dict[str, Any] = {
            "label": CODES[number % len(CODES)],
            "of": f"I#{dice.randint(0, 14)}",
            "size": dice.choice([1, 2, 3, 10]),
            "made": date(2026, dice.randint(1, 3), dice.randint(1, 28)),
        }
        rows.append(
            {
                "pk": f"I#{number % 15}",
                "g": "ab"[number // 15],
                "id": number,
                **_sparsely(dice, full, never_null={"size"}),
            }
        )
    return Made(
        (("pk", "S"), ("g", "S")),
        {
            "id": "BIGINT",
            "pk": "VARCHAR",
            "g": "VARCHAR",
            "label": "VARCHAR",
            "of": "VARCHAR",
            "size": "BIGINT",
            "made": "DATE",
        },
        rows,
        [HeldIndex("by_size", (("size", "N"), ("g", "S")))],
        kinds={"label": "mixed"},
        refers={"of": ("parts", "pk")},
    )


def _events() -> Made:
    """Several of each order; keys are numbers and times."""
    dice = random.Random("events")
    rows: list[Row] = []
    for number in range(90):
        at = datetime(2025, 12, 1, tzinfo=UTC) + timedelta(hours=number * 97)
        full: dict[str, Any] = {
            "kind": dice.choice(STATES),
            "person": f"U#{dice.randint(0, 45)}",
            "done": dice.random() < 0.5,
            "weight": Decimal(dice.choice(["0.5", "1", "-2.25"])),
        }
        key = {"of": number % 20 - 2, "since": f"{at:%Y-%m-%dT%H:%M:%SZ}", "id": number}
        rows.append({**key, **_sparsely(dice, full, never_null={"kind", "person"})})
    return Made(
        (("of", "N"), ("since", "S")),
        {
            **dict.fromkeys(("id", "of"), "BIGINT"),
            **dict.fromkeys(("since", "kind", "person"), "VARCHAR"),
            "done": "BOOLEAN",
            "weight": "DECIMAL(38,2)",
        },
        rows,
        [
            HeldIndex("by_kind", (("kind", "S"), ("since", "S"))),
            HeldIndex("by_person", (("person", "S"), ("of", "N")), frozenset({"weight"})),
        ],
        kinds={"since": "iso"},
        refers={"of": ("orders", "id"), "person": ("people", "pk")},
    )


def _some(dice: random.Random, share: float, value: Any) -> Any:
    return value if dice.random() < share else None


def _sparsely(dice: random.Random, full: Row, never_null: set[str]) -> Row:
    """Most of the attributes; a key of an index is missing rather than NULL, which DynamoDB refuses."""
    made: dict[str, Any] = {}
    for name, value in full.items():
        if (roll := dice.random()) < 0.8:
            made[name] = value
        elif roll < 0.87 and name not in never_null:
            made[name] = None
    return made


SHOP: Mapping[str, Made] = {"people": _people(), "orders": _orders(), "parts": _parts(), "events": _events()}


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
        case date():
            return {"S": value.isoformat()}
        case dict():
            return {"M": item(value)}
        case list():
            return {"L": [_attribute(member) for member in value]}
    return {"S": value}


def judge(shop: Mapping[str, Made] = SHOP) -> duckdb.DuckDBPyConnection:
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
    texts = sorted({_text(code) for code in CODES})
    exact = " ".join(f"when {_quoted(text)} then {_exactly(text)}" for text in texts if _number(text) is not None)
    order = " ".join(
        f"when {_quoted(text)} then {float(text.strip())!r}::double" for text in texts if _number(text) is not None
    )
    connection.execute(f"create macro exact_number(x) as case x {exact} end")
    connection.execute(f"create macro number_by_order(x) as case x {order} end")
    return connection


def _typed(value: Any, type_: str) -> Any:
    """A value as the column has it: of a text, also within maps and lists, numbers and truth values as their texts."""
    match value:
        case dict():
            return {name: _text(part) if name in TEXTS else _typed(part, "") for name, part in value.items()}
        case list():
            return [_typed(member, type_.removesuffix("[]")) for member in value]
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


def random_tables(shop: Mapping[str, Made] = SHOP) -> list[Table]:
    """The tables for random statements, whose constants are values that occur."""
    with judge(shop) as connection:
        return [_random_table(connection, name, made) for name, made in shop.items()]


def _random_table(connection: duckdb.DuckDBPyConnection, name: str, made: Made) -> Table:
    def column(path: str, *, of: str = "", at: str = "") -> Column:
        sql = path if not of else f"m{path}"
        held = f"from {name} a" if not of else f"from {name} a, unnest(a.{of}) u(m)"
        found = connection.execute(f"select distinct {sql}, typeof({sql}) {held} where {sql} is not null").fetchall()
        literals = sorted({_literal(value) for value, _ in found} | set(made.literals.get(path, ())))
        kind = made.kinds[path] if path in made.kinds else _kind(found[0][1])
        return Column(at or path, kind, literals, refers=made.refers.get(path))

    keys = [(made.key[0][0], made.key[-1][0]), *((index.key[0][0], index.key[-1][0]) for index in made.indexes)]
    scalars = [
        one for one, type_ in made.types.items() if "(" not in type_.replace("DECIMAL(", "") and "[" not in type_
    ]
    return Table(
        name,
        [column(one) for one in scalars],
        keys,
        [column(path) for path in made.paths],
        {of: [column(part, of=of, at=part) for part in parts] for of, parts in made.lists.items()},
    )


def _kind(type_: str) -> str:
    kinds = {"VARCHAR": "text", "BIGINT": "number", "DATE": "date", "BOOLEAN": "boolean"}
    return "number" if type_.startswith("DECIMAL") else kinds.get(type_, "struct")


def _literal(value: Any) -> str:
    match value:
        case None:
            return "NULL"
        case bool():
            return str(value).lower()
        case int() | Decimal():
            return str(value)
        case date():
            return f"date '{value}'"
        case dict():
            return "{" + ", ".join(f"'{name}': {_literal(part)}" for name, part in value.items()) + "}"
    return _quoted(value)
