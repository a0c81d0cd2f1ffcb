"""A reader of nothing but descriptions, values, warnings and failures comes to the right answer within six calls.

The reader below knows no table. A question gives it words as a person would say them: of what, which figure, which
conditions. It looks at the tables, chooses by the words, writes SQL by rules that hold for any table, and does what a
warning or a failure tells it. The hasty one writes values as the person says them and learns from warnings alone.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import duckdb
import pytest

from deploy.local import single_table
from tests.support import demo_data
from tests.support.demo_data import DemoTables
from tests.support.mcp_wire import ToolFailed, Wire
from tests.support.services import Addresses, AuthServer, demo_replica

pytestmark = pytest.mark.slow

MOST_CALLS = 6


@dataclass(frozen=True, slots=True)
class Question:
    """Of what things which figure is wanted (`count`, or a function and what it is of), and under which conditions."""

    of: str
    figure: str
    where: tuple[tuple[str, str, str], ...]
    answer: "str | Callable[[], Any]"
    """SQL for DuckDB over the files that the tables were loaded from, or what Python finds in the items."""


def items(kind: str) -> list[dict[str, Any]]:
    """The items of one kind in the single-table design."""
    return [item for item in single_table.items() if item["entity"]["S"] == kind]


QUESTIONS = [
    Question("nations", "count", (), "select count(*) from nation"),
    Question(
        "customers",
        "count",
        (("nation name", "=", "Germany"),),
        """select count(*) from customer
        join nation on c_nationkey = n_nationkey where n_name = 'GERMANY'""",
    ),
    Question(
        "orders", "count", (("order status", "=", "open"),), "select count(*) from orders where o_orderstatus='O'"
    ),
    Question(
        "orders",
        "count",
        (("order priority", "=", "urgent"),),
        """select count(*) from orders
        where o_orderpriority = '1-URGENT'""",
    ),
    Question("parts", "max retail price", (), "select max(p_retailprice) from part"),
    Question(
        "nations",
        "count",
        (("region name", "=", "Europe"),),
        """select count(*) from nation
        join region on n_regionkey = r_regionkey where r_name = 'EUROPE'""",
    ),
    Question("parts", "count", (("brand", "=", "brand#13"),), "select count(*) from part where p_brand = 'Brand#13'"),
    Question(
        "line items", "count", (("ship mode", "=", "air"),), "select count(*) from lineitem where l_shipmode='AIR'"
    ),
    Question(
        "customers",
        "count",
        (("segment", "=", "Building"),),
        """select count(*) from customer
        where c_mktsegment = 'BUILDING'""",
    ),
    Question(
        "customers",
        "sum acctbal",
        (("segment", "=", "machinery"),),
        """select sum(c_acctbal)
        from customer where c_mktsegment = 'MACHINERY'""",
    ),
    Question(
        "orders",
        "count",
        (("order date", ">=", "1996-01-01"), ("order date", "<", "1997-01-01")),
        "select count(*) from orders where year(o_orderdate) = 1996",
    ),
    Question(
        "orders", "max total price", (("order key", "=", "7"),), "select o_totalprice from orders where o_orderkey=7"
    ),
    Question("line items", "count", (("order key", "=", "7"),), "select count(*) from lineitem where l_orderkey = 7"),
    Question(
        "parts",
        "count",
        (("size", "=", "15"), ("container", "=", "lg jar")),
        """select count(*) from part
        where p_size = 15 and p_container = 'LG JAR'""",
    ),
    Question(
        "suppliers",
        "min acctbal",
        (("nation name", "=", "united kingdom"),),
        """select min(s_acctbal)
        from supplier join nation on s_nationkey = n_nationkey where n_name = 'UNITED KINGDOM'""",
    ),
    Question("app customers", "count", (), lambda: len(items("customer"))),
    Question(
        "app customers",
        "count",
        (("city", "=", "oslo"),),
        lambda: sum(one["address"]["M"]["city"]["S"] == "Oslo" for one in items("customer")),
    ),
    Question(
        "app orders",
        "count",
        (("status", "=", "cancelled"),),
        lambda: sum(one["status"]["S"] == "CANCELLED" for one in items("order")),
    ),
    Question(
        "app orders",
        "sum total",
        (("customer id", "=", "0007"),),
        lambda: sum(Decimal(one["total"]["N"]) for one in items("order") if one["pk"]["S"] == "CUSTOMER#0007"),
    ),
    Question(
        "app events",
        "count",
        (("month", "=", "2026-03"),),
        lambda: sum(one["pk"]["S"] == "EVENTS#2026-03" for one in items("event")),
    ),
]


def letters(text: str) -> str:
    """What two names are compared by."""
    return re.sub(r"[^a-z0-9]", "", text.lower())


def likeness(words: str, name: str) -> float:
    """How well words say a name: all of it, its end, each word somewhere in it, or not at all (0)."""
    wanted, known = letters(words), letters(name)
    singular = wanted.removesuffix("s")
    if wanted == known or singular == known:
        return 3
    if known.endswith(wanted):
        return 2 + len(wanted) / len(known)
    found = [word for word in words.split() if letters(word)[:4] in known]
    return len(found) / len(words.split()) if len(found) == len(words.split()) else 0


@dataclass(slots=True)
class Reader:
    """Answers questions by what the tools say.

    `careful` looks values up before it writes them; `filters` writes conditions in the select list.
    """

    wire: Wire
    careful: bool
    filters: bool = False
    calls: int = 0
    told: dict[str, dict[str, Any]] = field(default_factory=dict)

    def call(self, tool: str, **arguments: Any) -> dict[str, Any]:
        """One call."""
        self.calls += 1
        return self.wire.call(tool, **arguments)

    def answer(self, question: Question) -> Any:
        """The one value that is asked for."""
        tables = {
            table["qualified_name"]: [line.split(" ", 1) for line in table["columns"]]
            for table in self.call("list_tables", details="columns")["tables"]
        }
        main = max(tables, key=lambda name: likeness(question.of, name.rpartition(".")[2]))
        joined = [main]
        words = [word for word, _, _ in question.where]
        places = [self._place(word, main, tables, joined) for word in words]
        figure, _, of = question.figure.partition(" ")
        what = f"{figure}({self._place(of, main, tables, joined)})" if of else "count(*)"
        values = [self._value(place, value) for place, (_, _, value) in zip(places, question.where, strict=True)]
        said: dict[str, Any] = {}
        while True:
            conditions = [
                f"{place} {operator} {_literal(value, _type_of(place, tables))}"
                for place, (_, operator, _), value in zip(places, question.where, values, strict=True)
            ]
            sql = f"SELECT {what} FROM {self._from(joined, tables)}"
            if conditions and self.filters:
                sql = f"SELECT {what} FILTER (WHERE {' AND '.join(conditions)}) FROM {self._from(joined, tables)}"
            elif conditions:
                sql += f" WHERE {' AND '.join(conditions)}"
            try:
                result = self.call("run_sql", sql=sql, **said)
            except ToolFailed as failed:
                said |= _advised(failed.failure, said)
                continue
            corrected = [_corrected(result["warnings"], value) for value in values]
            if corrected == values or self.calls >= MOST_CALLS:
                return result["rows"][0][0]
            values = corrected

    def _place(self, words: str, main: str, tables: Mapping[str, Sequence[list[str]]], joined: list[str]) -> str:
        """The column that words mean: of the main table, a field of a map in it, a column of a table it refers to."""
        own = [(likeness(words, name), f"{_alias(main)}.{name}") for name, _ in tables[main]]
        for name, type_ in tables[main]:
            own += [
                (likeness(words, one), f"{_alias(main)}.{name}.{one}") for one in re.findall(r"[(,] ?(\w+) ", type_)
            ]
        best = max(own)
        if best[0]:
            return best[1]
        for other in tables:
            alias, _, rest = words.partition(" ")
            if other != main and likeness(alias, other.rpartition(".")[2]) and _link(main, other, tables):
                score, name = max((likeness(rest, name), name) for name, _ in tables[other])
                if score:
                    joined.append(other)
                    return f"{_alias(other)}.{name}"
        raise AssertionError(f"nothing says {words}")

    def _value(self, place: str, value: str) -> str:
        """The value as the column has it, if its description tells."""
        if not self.careful:
            return value
        alias, name = place.split(".", 1)
        if alias not in self.told:
            described = self.call("describe_table", table_name=alias)
            self.told[alias] = {column["name"]: column.get("values", []) for column in described["columns"]}
            parts = [part for column in described["columns"] for part in column.get("parts", [])]
            self.told[alias] |= {part["path"]: part["values"] for part in parts}
        return _nearest(value, self.told[alias].get(name, [])) or value

    def _from(self, joined: Sequence[str], tables: Mapping[str, Sequence[list[str]]]) -> str:
        main, *others = joined
        return " ".join(
            [f"{main} {_alias(main)}", *(f"JOIN {one} {_alias(one)} ON {_link(main, one, tables)}" for one in others)]
        )


def _alias(table: str) -> str:
    return table.rpartition(".")[2]


def _link(main: str, other: str, tables: Mapping[str, Sequence[list[str]]]) -> str:
    """Columns of both that are called alike but for what stands before the first underscore."""
    own, its = ({name.partition("_")[2]: name for name, _ in tables[table]} for table in (main, other))
    keys = [name for name in own if name in its and name.endswith("key") and name.removesuffix("key") in _alias(other)]
    return f"{_alias(main)}.{own[keys[0]]} = {_alias(other)}.{its[keys[0]]}" if keys else ""


def _type_of(place: str, tables: Mapping[str, Sequence[list[str]]]) -> str:
    alias, name, *_ = place.split(".")
    return next(type_ for table in tables if _alias(table) == alias for known, type_ in tables[table] if known == name)


def _literal(value: str, type_: str) -> str:
    return (
        value if type_ in ("BIGINT", "DOUBLE") or type_.startswith("DECIMAL") else "'" + value.replace("'", "''") + "'"
    )


def _nearest(value: str, known: Sequence[str]) -> str | None:
    """The known value that was meant: the same in another case, one that has it as a word, one that it begins like."""
    tests: list[Callable[[str], bool]] = [
        lambda one: one == value,
        lambda one: letters(one) == letters(value),
        lambda one: letters(value) in letters(one),
        lambda one: letters(value).startswith(letters(one)),
    ]
    return next((one for test in tests for one in known if test(one)), None)


def _corrected(warnings: Sequence[str], value: str) -> str:
    """The value as a warning about it has it."""
    for warning in warnings:
        said, there, known = warning.partition("; there are ")
        if there and f"has {_literal(value, 'VARCHAR')} as" in said:
            return _nearest(value, re.findall(r"'((?:[^']|'')*)'", known)) or value
    return value


def _advised(failure: Mapping[str, Any], said: Mapping[str, Any]) -> dict[str, Any]:
    """The argument that a failure's next action names. Raises AssertionError where it names none that is new."""
    named = re.search(r"\b(allow_full_scan)\b", failure["next_action"])
    assert named is not None, failure
    assert named[1] not in said, failure
    return {named[1]: True}


@pytest.fixture(scope="module")
def oracle(demo_tables: DemoTables) -> Any:
    with demo_data.oracle(demo_tables.files) as connection:
        yield connection


@pytest.fixture(scope="module")
def wire(
    demo_tables: DemoTables,
    addresses: Addresses,
    auth_server: AuthServer,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Wire]:
    """The endpoint of a server with the schemas of `make run`."""
    directory, endpoint_url = tmp_path_factory.mktemp("usefulness"), demo_tables.emulator.endpoint_url
    with demo_replica(addresses, directory, endpoint_url) as server:
        yield Wire(server.resource, auth_server.token())


@pytest.mark.parametrize(
    ("careful", "filters"),
    [(True, False), (False, False), (False, True)],
    ids=["careful", "hasty", "hasty in the select list"],
)
@pytest.mark.parametrize("question", QUESTIONS, ids=lambda one: f"{one.of}: {one.figure} {one.where}")
def test_the_right_answer_is_found(
    question: Question, careful: bool, filters: bool, oracle: duckdb.DuckDBPyConnection, wire: Wire
) -> None:
    row = oracle.execute(question.answer).fetchone() if isinstance(question.answer, str) else (question.answer(),)
    assert row is not None
    assert row[0], "an answer that a wrong guess would give as well"
    reader = Reader(wire, careful, filters)
    assert Decimal(str(reader.answer(question))) == Decimal(str(row[0]))
    assert reader.calls <= MOST_CALLS
