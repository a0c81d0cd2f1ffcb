"""What the whole engine answers to random statements, beside what DuckDB answers over the same rows.

Each statement runs with and without the shortcuts, planned anew and from the cache, with constants, other constants and
parameters, at once and in pages.
"""

import asyncio
import base64
import random
import re
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import duckdb

from mcp_server.adapters.catalog import DynamoDbCatalog
from mcp_server.adapters.duckdb.sandbox import DuckDbSandbox
from mcp_server.adapters.dynamodb.clients import DynamoDbClients
from mcp_server.adapters.dynamodb.items import DynamoDbItems
from mcp_server.adapters.planning.processes import PlanningProcesses
from mcp_server.domain.failures import Failure, FailureCode
from mcp_server.domain.schema import Schema
from mcp_server.engine.limits import Limits
from mcp_server.engine.queries import QueryService
from tests.mcp_server.doubles.catalog import HeldCatalog
from tests.mcp_server.doubles.items import HeldItems
from tests.mcp_server.doubles.planning import InProcessPlanning
from tests.mcp_server.doubles.relational import InProcessDuckDb
from tests.mcp_server.doubles.stores import TablesInMemory, tables_of_module
from tests.mcp_server.engine.conftest import ANN, Ports, Service
from tests.mcp_server.engine.random_fleet import fleet
from tests.mcp_server.engine.random_made import fetched, item
from tests.mcp_server.engine.random_views import WHOLE, View, kept_back, single_table
from tests.support.clock import SettableClock
from tests.support.emulator import Emulator
from tests.support.random_sql.columns import Table
from tests.support.random_sql.features import Features
from tests.support.random_sql.statement import Statement, Values, calls

VIEWS = {"whole": WHOLE, "fleet": fleet(), "kept back": kept_back(), "single table": single_table()}
PASSED_OVER = frozenset({FailureCode.SYNTAX_NOT_SUPPORTED})
"""What may be refused though DuckDB takes it."""
MAX_ROWS = 1000
"""Larger results are passed over."""
ROWS_ALONE = 12
"""Results of at most so many rows also come in pages of one row."""
TOLD_ITEMS = (None, 50_000, None, 5_000_000)
"""So many items has each table by turns, as far as it tells: then keys and indexes pay, and scans have to be asked for.
"""
UNASKED_ITEMS = 25
"""After so many items a scan ends that nobody asked for."""
PAGE_BYTES = (1 << 20, 1 << 20, 2_000, 500)
"""How large DynamoDB's pages are, by turns: all of a table, or some items."""
AT_ONCE = 3
UNBOUNDED = {
    **dict.fromkeys(("queries", "queries_per_tenant", "queries_per_principal"), AT_ONCE),
    **dict.fromkeys(("read_units_per_hour", "read_units"), 1e15),
    "confirm_read_units": 0.0,
}


@dataclass(slots=True)
class Subject:
    """An engine twice, without and with its shortcut past DuckDB; which failures it may answer with is counted."""

    service: Service
    judge: duckdb.DuckDBPyConnection
    passed_over: Counter[str] = field(default_factory=Counter)
    pages_of_one: int = 0
    _queries: QueryService = field(init=False)
    _without_shortcut: QueryService = field(init=False)
    _unasked: QueryService = field(init=False)

    def __post_init__(self) -> None:
        self._queries = self.service.queries(**UNBOUNDED)
        self._without_shortcut = self.service.queries(**UNBOUNDED, direct_rows=0)
        self._unasked = self.service.queries(**UNBOUNDED, full_scan_items=UNASKED_ITEMS)

    async def rows(
        self, sql: str, parameters: Values | None, dice: random.Random, max_rows: int = MAX_ROWS
    ) -> list[list[Any]]:
        """All rows of a statement, in pages of at most so many; its scans are allowed, unless it is read without."""
        consistent = dice.random() < 0.1
        if dice.random() < 0.2:
            try:
                return await self._rows(self._unasked, sql, parameters, dice, max_rows, consistent=consistent)
            except Failure as failure:
                if failure.code is not FailureCode.FULL_SCAN_REFUSED:
                    raise
        queries = dice.choice([self._queries, self._queries, self._without_shortcut])
        return await self._rows(queries, sql, parameters, dice, max_rows, consistent=consistent)

    async def _rows(
        self,
        queries: QueryService,
        sql: str,
        parameters: Values | None,
        dice: random.Random,
        max_rows: int,
        *,
        consistent: bool,
    ) -> list[list[Any]]:
        found: list[list[Any]] = []
        cursor: str | None = None
        while True:
            page = min(MAX_ROWS, max_rows)
            result = await queries.run_sql(
                ANN,
                sql=sql,
                parameters=parameters,
                allow_full_scan=queries is not self._unasked,
                max_rows=page,
                cursor=cursor,
                consistent_read=consistent,
            )
            assert len(result.rows) <= page
            found += result.rows
            cursor = result.next_cursor
            self.pages_of_one += page == 1 and cursor is not None
            if cursor is None:
                return found
            max_rows = dice.randint(1, max_rows * 2) if max_rows > 1 else dice.choice([1, 1, 1, 2])


def told(value: Any) -> Any:
    """What JSON has for a value: docs/tools.md says how each type is rendered."""
    match value:
        case bool() | None:
            return value
        case int():
            return value if abs(value) < 2**53 else str(value)
        case Decimal():
            return format(value, "f")
        case bytes():
            return base64.b64encode(value).decode()
        case datetime():
            return re.sub(r"(\.\d*?)0+(?!\d)", r"\1", value.isoformat())
        case date():
            return value.isoformat()
        case dict():
            return {name: told(part) for name, part in value.items()}
        case list():
            return [told(member) for member in value]
    return value


def comparable(rows: Sequence[Sequence[Any]]) -> list[str]:
    return [repr([told(value) for value in row]) for row in rows]


def assert_answers(statement: Statement, expected: list[str], found: list[str], asked: object) -> None:
    """The judge's rows; where any will do, so many of them, each as often as the judge has it at most."""
    missing, extra = Counter(expected) - Counter(found), Counter(found) - Counter(expected)
    said = f"{asked}: of {len(expected)} rows it lacks {list(missing)[:3]}, and has {list(extra)[:3]}"
    if statement.ordered:
        assert found == expected, said
        return
    assert len(found) == statement.wanted(len(expected)), said
    assert not extra, said


@asynccontextmanager
async def over_doubles(judging: duckdb.DuckDBPyConnection, seed: int = 0, view: View = WHOLE) -> AsyncIterator[Subject]:
    """The engine over doubles of the ports; by turns, tables tell of more items than they have, and pages are small."""
    tables, clock = TablesInMemory(), SettableClock()
    for name, made in view.stored.items():
        await tables.create(name, made.key, made.indexes)
        await tables.put(name, [item(row) for row in made.rows])
        tables.held[name].told_items = TOLD_ITEMS[seed % len(TOLD_ITEMS)]
    catalog, items = HeldCatalog(tables.held, clock), HeldItems(tables.held, PAGE_BYTES[seed % 4])
    ports = Ports(tables, catalog, items, InProcessDuckDb(AT_ONCE, threads=seed % 4 == 0), InProcessPlanning())
    schema = Schema(
        "shop",
        "acme",
        "eu-central-1",
        "http://127.0.0.1:1",
        overrides=view.overrides,
        rules=view.rules,
        virtual_tables=view.virtual_tables,
    )
    yield Subject(Service(ports, clock, (schema,)), judging)


@asynccontextmanager
async def over_emulator(judging: duckdb.DuckDBPyConnection, emulator: Emulator, view: View) -> AsyncIterator[Subject]:
    """The engine over an emulator and child processes."""
    clock = SettableClock()
    schema = Schema(
        "shop", "acme", emulator.region, emulator.endpoint_url, tables=frozenset(view.stored), overrides=view.overrides
    )
    async with (
        DynamoDbClients((schema,)) as clients,
        DuckDbSandbox(children=AT_ONCE, wait_seconds=20) as sandbox,
        PlanningProcesses(seconds=Limits().planning_seconds) as planning,
        aclosing(DynamoDbCatalog(clients, clock)) as catalog,
        tables_of_module(clients.of(schema)) as tables,
    ):
        for name, made in view.stored.items():
            await tables.create(name, made.key, made.indexes)
            await tables.put(name, [item(row) for row in made.rows])
        ports = Ports(tables, catalog, DynamoDbItems(clients), sandbox, planning)
        yield Subject(Service(ports, clock, (schema,)), judging)


@dataclass(slots=True)
class Compared:
    """How many statements had rows to compare, how many had any, in how many ways they ran, and which ways differed."""

    statements: int = 0
    answered: int = 0
    ways: int = 0
    differences: list[str] = field(default_factory=list)


async def compare(subject: Subject, statements: Features, count: int, *, one_way: bool = False) -> Compared:
    """Asks for that many statements, a few at a time, in all their ways or in any one of them."""
    compared = Compared()

    async def asking() -> None:
        while compared.statements < count:
            statement, dice = statements.any(), random.Random(statements.dice.random())
            try:
                rows = await judged(subject, statement, dice, compared, one_way=one_way)
            except AssertionError as difference:
                compared.differences.append(str(difference))
                rows = []
            compared.answered += bool(rows)
            compared.statements += rows is not None
            subject.service.clock.time += 1

    await asyncio.gather(*(asking() for _ in range(AT_ONCE)))
    return compared


async def judged(
    subject: Subject, statement: Statement, dice: random.Random, compared: Compared, *, one_way: bool = False
) -> list[str] | None:
    """The rows on which all agree; None where there is nothing to compare. Raises AssertionError."""
    whole = expected_rows(subject, statement)
    if whole is None:
        return None
    asked = ways(statement, len(whole), dice)
    for way in [dice.choice(list(asked))] if one_way else asked:
        expected = whole if way.statement == statement else expected_rows(subject, way.statement)
        if expected is None:
            continue
        try:
            found = await subject.rows(way.sql, way.parameters, dice, way.max_rows)
        except Failure as failure:
            if failure.code not in PASSED_OVER:
                raise AssertionError(f"{way}: {failure.fact}") from failure
            subject.passed_over[failure.code] += 1
            return None
        compared.ways += 1
        assert_answers(way.statement, expected, [repr(row) for row in found], way)
    return whole


def expected_rows(subject: Subject, statement: Statement) -> list[str] | None:
    """What the judge finds; None where that is too much, or where it does not take the statement."""
    try:
        rows = fetched(subject.judge, statement.judged, MAX_ROWS)
    except duckdb.Error:  # not every join takes every condition
        return None
    return comparable(rows) if len(rows) <= MAX_ROWS else None


@dataclass(frozen=True, slots=True)
class Way:
    """A way to ask for a statement; `max_rows` is the size of the first page."""

    statement: Statement
    sql: str
    parameters: Values | None = None
    max_rows: int = MAX_ROWS


def ways(statement: Statement, rows: int, dice: random.Random) -> Iterator[Way]:
    """As it is; now and then in pages, with parameters, and often enough with other values that its plan is kept.

    So it is with constants, too: a few of the same text but for these come one after the other.
    """
    yield Way(statement, statement.asked)
    if dice.random() < 0.25:
        yield Way(statement, statement.asked, max_rows=dice.randint(max(1, rows // 8), max(1, rows // 2) + 1))
    if 1 < rows <= ROWS_ALONE and dice.random() < 0.1:
        yield Way(statement, statement.asked, max_rows=1)
    if dice.random() < 0.25:
        for call in calls(statement, dice, dice.choice([1, 1, 4])):
            yield Way(call.statement, call.text, call.values)
    if dice.random() < 0.25:
        for call in calls(statement, dice, 4):
            yield Way(call.statement, call.statement.asked, max_rows=dice.choice([MAX_ROWS, MAX_ROWS, rows // 2 + 1]))


def features(seed: object, tables: Sequence[Table]) -> Features:
    return Features(random.Random(str(seed)), tables, names=["j", "x", "lines"])
