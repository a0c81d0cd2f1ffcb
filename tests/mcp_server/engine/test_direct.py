"""Statements that need no relational engine give what it gives: rows, order, types, names, errors and warnings."""

import random
from collections.abc import Sequence
from typing import Any

import pytest

from mcp_server.domain.failures import Failure
from mcp_server.engine.queries import QueryService
from mcp_server.ports.relational import Input, RelationalEngine, Result
from tests.mcp_server.doubles.catalog import HeldCatalog
from tests.mcp_server.doubles.items import HeldItems
from tests.mcp_server.doubles.planning import InProcessPlanning
from tests.mcp_server.doubles.relational import InProcessDuckDb
from tests.mcp_server.doubles.stores import TablesInMemory
from tests.mcp_server.engine.conftest import ANN, Ports, Service, schemas_at
from tests.support.clock import SettableClock

pytestmark = pytest.mark.anyio

TEXTS = ("", "a", "A", "ab", "b", "B", "ä", "a%", "a_", "😀", "\uffff", "10", "2024-01-02", "it's", "a\0b", "\\")
WHOLES = ("0", "1", "-1", "2", "10", "9007199254740993", "9223372036854775807", "-9223372036854775808")
EXACTS = ("0.1", "0.10", "1", "-2.50", "99999999999999.99", "1E+2", "2.5", "123456789012345678901234567890.12")
WIDES = ("1E-30", "1E+60", "0.1", "3", "12345678901234567890123456789012345678", "-0")
DAYS = ("2024-01-02", "1999-12-31", "2024-02-29", "0001-01-01", "9999-12-31")
ATTRIBUTES: dict[str, Sequence[dict[str, Any]]] = {
    "text": [{"S": text} for text in TEXTS],
    "number": [{"N": number} for number in WHOLES],
    "exact": [{"N": number} for number in EXACTS],
    "wide": [{"N": number} for number in WIDES],
    "flag": [{"BOOL": True}, {"BOOL": False}],
    "day": [{"S": day} for day in DAYS],
    "mixed": [{"S": "a"}, {"S": "10"}, {"N": "10"}, {"N": "2.50"}, {"BOOL": True}],
    "bytes": [{"B": "YQ=="}, {"B": "/w=="}, {"B": ""}],
    "map": [{"M": {}}, {"M": {"a": {"N": "1"}}}, {"M": {"b": {"S": "x"}, "a": {"NULL": True}}}],
    "list": [{"L": []}, {"L": [{"N": "1"}, {"S": "x"}]}, {"L": [{"N": "1"}, {"N": "2.5"}]}, {"L": [{"M": {}}]}],
    "order": [
        {"M": {"Select": {"S": "a"}, "x y": {"N": "1"}, "lines": {"L": [{"M": {"sku": {"S": "k"}, "n": {"N": "1"}}}]}}},
        {"M": {"Select": {"S": "b"}, "x y": {"N": "2.25"}, "lines": {"L": []}}},
        {"M": {"Select": {"NULL": True}, "é": {"BOOL": True}}},
    ],
    "words": [{"SS": ["b", "a"]}, {"SS": ["x"]}],
    "numbers": [{"NS": ["2", "1"]}, {"NS": ["1.5"]}],
}
NAMES = (*ATTRIBUTES, "pk", "n")
ALIKE = ("text", "number", "exact", "exact", "wide", "flag", "day", "mixed", "pk", "n")
LITERALS = (
    *("'" + text.replace("'", "''") + "'" for text in TEXTS if "\0" not in text),
    *WHOLES,
    *(number for number in EXACTS if "E" not in number),
    *(f"DATE '{day}'" for day in DAYS),
    *("true", "false", "NULL", "1e2", "99999999999999999999", "1.234", "CAST('2024-01-02' AS TIMESTAMP)", "0.1 + 0.2"),
    *("1000000000000000", "999999999999999", "1234567890123456789.1", "100", "TIMESTAMP '2024-01-02 10:00:00'"),
)


class Items:
    """Random items and random statements over them."""

    def __init__(self, dice: random.Random) -> None:
        self._dice = dice
        # A sample of few values narrows the types of columns; all of them widen them.
        self._few = {
            name: dice.sample(list(values), dice.randint(1, len(values))) for name, values in ATTRIBUTES.items()
        }

    def items(self) -> list[dict[str, Any]]:
        dice = self._dice
        return [
            {"pk": {"S": dice.choice("pq")}, "n": {"N": str(number)}}
            | {
                name: dice.choice(values) if dice.random() < 0.9 else {"NULL": True}
                for name, values in self._few.items()
                if dice.random() < 0.85
            }
            for number in range(dice.randint(1, 8))
        ]

    def statement(self) -> str:
        dice = self._dice
        outputs = dice.choice(["*", "t.*", *(self._outputs() for _ in range(6))])
        where = dice.choice(["pk = 'p' AND ", "pk IN ('p', 'q') AND ", "pk = 'p' AND n = 1 AND ", "n < 5 AND ", ""])
        limit = dice.choice([*[""] * 6, " LIMIT 0", " LIMIT 1", " LIMIT 3", " LIMIT 2 OFFSET 1", " LIMIT 2.5"])
        order = dice.choice([*[""] * 15, " ORDER BY n", " ORDER BY text, n"])
        table = dice.choice(["things t", "shop.things AS t", '"things" t'])
        more = f" AND {self._condition(1)}" if dice.random() < 0.3 else ""
        return f"SELECT {outputs} FROM {table} WHERE {where}{self._condition(1)}{more}{order}{limit}"

    def _outputs(self) -> str:
        names = [self._dice.choice((*NAMES, *ALIKE, *ALIKE, "_doc")) for _ in range(self._dice.randint(1, 4))]
        alias = self._dice.choice(("o", "P", "text", '"a b"', "pk"))
        renamed = [f"{name} AS {alias}" for name in names[:1]]
        return ", ".join(dict.fromkeys([*self._dice.choice([renamed, []]), *names]))

    def _condition(self, depth: int) -> str:
        dice = self._dice
        roll = dice.random()
        if depth and roll < 0.3:
            return f"({self._condition(depth - 1)} {dice.choice(['AND', 'OR'])} {self._condition(depth - 1)})"
        if depth and roll < 0.4:
            return f"NOT ({self._condition(depth - 1)})"
        name, one, other = dice.choice(NAMES), dice.choice(LITERALS), dice.choice(LITERALS)
        if dice.random() < 0.85:
            name, one, other = self._alike(dice.choice(ALIKE))
        return dice.choice(
            [
                f"{name} {dice.choice(['=', '<>', '<', '<=', '>', '>='])} {one}",
                f"{one} {dice.choice(['=', '<>', '<', '<=', '>', '>='])} {name}",
                f"{name} {dice.choice(['', 'NOT '])}BETWEEN {one} AND {other}",
                f"{name} {dice.choice(['', 'NOT '])}IN ({one}, {other})",
                f"{name} IS {dice.choice(['', 'NOT '])}NULL",
                f"{name} IS {dice.choice(['', 'NOT '])}DISTINCT FROM {one}",
                f"{dice.choice(['text', 'mixed', 'pk'])} {dice.choice(['LIKE', 'NOT LIKE', 'ILIKE'])} "
                + dice.choice(["'a%'", "'%a%'", "'a_'", "'%'", "'a'", "''", "'a%b'"]),
                dice.choice(["flag", "NOT flag", "flag IS TRUE", "number = n", "1 = 1", "NULL", "contains(text, 'a')"]),
                f"starts_with(text, {dice.choice(LITERALS[:6])})",
            ]
        )

    def _alike(self, name: str) -> tuple[str, str, str]:
        """A column and literals of its kind."""
        kinds: dict[str, Sequence[str]] = {
            **dict.fromkeys(("text", "mixed", "pk"), LITERALS[: len(TEXTS) - 1]),
            **dict.fromkeys(("number", "n"), (*WHOLES, *WHOLES, "2.5", "1e2", "'10'")),
            "exact": (*WHOLES[:5], "0.1", "2.5", "-2.50", "99999999999999.99", "1.2345678901", f"1{'0' * 37}", "1e2"),
            "wide": (*WHOLES[:4], "0.1", "0.1", "1e60"),
            "flag": ("true", "false"),
            "day": [*(f"DATE '{day}'" for day in DAYS), *(f"'{day}'" for day in DAYS)],
        }
        values = kinds.get(name, LITERALS)
        return name, self._dice.choice(values), self._dice.choice(values)


class Counted:
    """A relational engine, and how often it ran."""

    def __init__(self, inner: RelationalEngine) -> None:
        self._inner = inner
        self.runs = 0

    async def run(self, statement: str, inputs: Sequence[Input], *, row_limit: int, byte_limit: int) -> Result:
        self.runs += 1
        return await self._inner.run(statement, inputs, row_limit=row_limit, byte_limit=byte_limit)


async def outcome(queries: QueryService, sql: str, max_rows: int) -> list[Any]:
    """All pages, or the failure."""
    pages: list[Any] = []
    cursor = None
    try:
        while not pages or cursor is not None:
            result = await queries.run_sql(ANN, sql=sql, max_rows=max_rows, cursor=cursor)
            pages.append((result.columns, result.rows, result.stop_reason, result.warnings))
            cursor = result.next_cursor
    except Failure as failure:
        pages.append((failure.fact, failure.position))
    return pages


@pytest.mark.complaint(12)
@pytest.mark.slow
@pytest.mark.parametrize("seed", range(9))
async def test_both_ways_give_the_same(seed: int) -> None:
    dice = random.Random(seed)
    relational = Counted(InProcessDuckDb(1))
    answered = 0
    for _ in range(8):
        clock, tables, made = SettableClock(), TablesInMemory(), Items(dice)
        catalog, items = HeldCatalog(tables.held, clock), HeldItems(tables.held)
        ports = Ports(tables, catalog, items, relational, InProcessPlanning())
        service = Service(ports, clock, schemas_at("eu-central-1", "http://127.0.0.1:1"))
        await service.create("things", made.items(), range_key="n")
        direct = service.queries(direct_rows=dice.choice((1_000, 1_000, 1_000, 3)))
        evaluated = service.queries(direct_rows=0)
        for _ in range(20):
            sql, before, max_rows = made.statement(), relational.runs, dice.choice((1, 2, 100, 100))
            expected = await outcome(evaluated, sql, max_rows)
            between = relational.runs
            assert await outcome(direct, sql, max_rows) == expected, sql
            answered += between > before and relational.runs == between
    assert answered > 10


WITHOUT = "Rows are selected without DuckDB, unless more than 5 items or 262,144 bytes are read, from:"
OF_RESPONSES = "Rows are selected without DuckDB, unless a response has more than 5 items or 262,144 bytes, from:"
WHOLE = "DuckDB runs the whole statement over:"
COUNTED = "DynamoDB counts the rows of:"


@pytest.mark.parametrize(
    ("sql", "first_line", "runs"),
    [
        ("SELECT * FROM things WHERE pk = 'p' AND n = 1", WITHOUT, False),
        ("SELECT n AS m FROM things WHERE pk = 'p' AND n IN (1, 2, 3) AND text LIKE 'a%'", WITHOUT, False),
        ("SELECT n FROM things WHERE pk = 'p' AND n IN (1, 2, 3, 4, 5, 6)", WITHOUT, True),
        ("SELECT n FROM things LIMIT 0", WITHOUT, False),
        ("SELECT n FROM things WHERE pk = 'p' AND n < 4", OF_RESPONSES, False),
        ("SELECT n FROM things WHERE pk = 'p' AND text > ''", OF_RESPONSES, True),
        ("SELECT n FROM things WHERE pk = 'p' AND n < 4 ORDER BY n DESC", OF_RESPONSES, False),
        ("SELECT n FROM things WHERE pk = 'p' ORDER BY n DESC LIMIT 3", WHOLE, True),
        ("SELECT n FROM things WHERE pk = 'p' ORDER BY text", WHOLE, True),
        ("SELECT upper(text) FROM things WHERE pk = 'p' AND n = 1", WHOLE, True),
        ("SELECT max(n) FROM things WHERE pk = 'p' AND text = 'a'", WHOLE, True),
        ("SELECT count(*) FROM things WHERE pk = 'p'", COUNTED, False),
        ("SELECT 1", "DuckDB runs the statement; no table is read.", True),
    ],
)
async def test_a_plan_says_where_duckdb_is_left_out(sql: str, first_line: str, runs: bool) -> None:
    relational, clock, tables = Counted(InProcessDuckDb(1)), SettableClock(), TablesInMemory()
    catalog, items = HeldCatalog(tables.held, clock), HeldItems(tables.held)
    ports = Ports(tables, catalog, items, relational, InProcessPlanning())
    service = Service(ports, clock, schemas_at("eu-central-1", "http://127.0.0.1:1"))
    made = [{"pk": {"S": "p"}, "n": {"N": str(number)}, "text": {"S": "ab"[number % 2]}} for number in range(12)]
    await service.create("things", made, range_key="n")
    tables.held["things"].told_items = 50_000  # so that keys are read by, not all of the table
    queries = service.queries(direct_rows=5)

    plan = (await queries.explain_sql(ANN, sql=sql)).plan
    await queries.run_sql(ANN, sql=sql)

    assert plan.splitlines()[0] == first_line
    assert bool(relational.runs) == runs
    assert "filter in DuckDB" not in plan
    evaluated = (await service.queries(direct_rows=0).explain_sql(ANN, sql=sql)).plan
    assert "without DuckDB" not in evaluated
