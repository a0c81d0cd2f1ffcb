"""Queries in process: the engine as the tools call it, or bare aioboto3, over the same DynamoDB.

A line on standard input asks for one pass, `{"work": …, "seconds": …, "callers": …}`, in which each caller runs at
least one query; a line on standard output answers with `{"seconds": …, "latencies": […]}`. Every result is checked
against one worked out from the table's items. The first argument says whose queries to run, `engine` or `aioboto3`;
ITEMS, REPEATS and ENDPOINT come in the environment, and for the engine the service's own settings. `planner` plans
statements alone.
"""

import asyncio
import functools
import gc
import itertools
import json
import os
import sys
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import Any

import aioboto3
import uvloop
from boto3.dynamodb.types import TypeDeserializer

from mcp_server.app.engine import create_engine
from mcp_server.domain.principal import Principal
from mcp_server.domain.schema import Schema
from mcp_server.engine.plan_cache import Plan
from mcp_server.engine.planner import Planner
from mcp_server.engine.schemas import Schemas
from mcp_server.settings import Settings
from shared_kernel import logs, scope
from shared_kernel.clock import SystemClock
from shared_kernel.entropy import SystemEntropy
from tests.bench.servers.replay_dynamodb import CITIES, IN_BATCH, INDEX, TABLE, item
from tests.bench.servers.tpch_catalog import TpchCatalog
from tests.mcp_server.doubles.catalog import ServicePays, unpaid
from tests.mcp_server.doubles.planning import InProcessPlanning
from tests.mcp_server.sql.test_tpch_plans import QUERIES
from tests.support.emulator import REGION

Work = Callable[[], Awaitable[None]]
Totals = dict[str, tuple[int, Decimal]]
"""For each group: how many items, and the sum of their amounts."""

THRESHOLD = 5000
SOMEBODY = Principal("default", "somebody", "somebody", frozenset(scope.RESOURCE_SCOPES), "")
POINT_READ = "SELECT pk, sk, status, amount, quantity FROM items WHERE pk = ? AND sk = ?"
INDEX_QUERY = "SELECT pk, sk, status, amount, quantity FROM items WHERE batch = ?"
COLUMNS = ("pk", "sk", "status", "amount", "quantity")
TOTALS = "SELECT status, count(*), sum(amount) FROM items {where} GROUP BY status"
COUNTS = {
    "count": "SELECT count(*) FROM items WHERE status = 'PAID'",
    "count-items": "SELECT count(*) + 0 FROM items WHERE status = 'PAID'",
}
"""The number of items with a status: as DynamoDB tells it, and from the items themselves."""
WHOLE_ITEMS = (
    "SELECT status, count(*), sum(amount), sum(quantity), max(pk), max(sk), max(batch), max(created_at), "
    "count(*) FILTER (WHERE gift), max(address.city), sum(address.zip) FROM items GROUP BY status"
)
"""Uses every attribute of an item, the map's too."""
KEYED = (
    "SELECT * FROM orders WHERE o_orderkey = {key}",
    "SELECT l_partkey, l_quantity FROM lineitem WHERE l_orderkey = {key} AND l_linenumber BETWEEN 2 AND 5",
    "SELECT * FROM orders JOIN lineitem ON l_orderkey = o_orderkey WHERE o_orderkey = {key}",
    "WITH q AS (SELECT * FROM lineitem WHERE l_orderkey = {key}) SELECT l_shipmode, sum(l_tax) FROM q GROUP BY 1",
    "SELECT c_name FROM customer WHERE c_custkey IN (SELECT o_custkey FROM orders WHERE o_orderkey = {key})",
    "SELECT o_orderdate FROM orders WHERE o_orderkey = {key} UNION"
    " SELECT l_shipdate FROM lineitem WHERE l_orderkey = {key}",
)
"""Statements by a key of TPC-H."""
WHERE = {
    "scan": "",
    "filtered-scan": f"WHERE amount > {THRESHOLD}",
    "map-scan": "WHERE address->>'city' = 'Oslo'",
}


class WrongRows(Exception):
    """A query answered something else than the table's items say."""


def kept(work: str, each: Mapping[str, Mapping[str, Any]]) -> bool:
    """Whether an item belongs into the result of that scan."""
    if work == "filtered-scan":
        return Decimal(each["amount"]["N"]) > THRESHOLD
    return work == "scan" or each["address"]["M"]["city"]["S"] == CITIES[0]


def totals(work: str, count: int, repeats: int = 1) -> Totals:
    """What a scan that sees each item so often must give, worked out without any of the code under test."""
    found: defaultdict[str, tuple[int, Decimal]] = defaultdict(lambda: (0, Decimal(0)))
    for each in map(item, range(count)):
        if kept(work, each):
            number, total = found[each["status"]["S"]]
            found[each["status"]["S"]] = (number + repeats, total + repeats * Decimal(each["amount"]["N"]))
    return dict(found)


def whole_totals(rows: Iterable[Mapping[str, Any]]) -> dict[str, list[Any]]:
    """What WHOLE_ITEMS makes of deserialised items, by status."""
    found: dict[str, list[Any]] = {}
    for row in rows:
        held = found.setdefault(row["status"], [0, Decimal(0), Decimal(0), "", "", "", "", 0, "", Decimal(0)])
        address = row["address"]
        held[0] += 1
        held[1] += row["amount"]
        held[2] += row["quantity"]
        for place, name in enumerate(("pk", "sk", "batch", "created_at"), 3):
            held[place] = max(held[place], row[name])
        held[7] += row["gift"]
        held[8] = max(held[8], address["city"])
        held[9] += address["zip"]
    return found


@functools.cache  # the first pass, which is thrown away, works it out
def whole_totals_of(count: int) -> dict[str, list[Any]]:
    """What WHOLE_ITEMS must give."""
    value = TypeDeserializer().deserialize
    return whole_totals({name: value(each) for name, each in item(place).items()} for place in range(count))


def batch(number: int) -> str:
    """The key of a batch of items."""
    return item(number * IN_BATCH)["batch"]["S"]  # type: ignore[no-any-return]


def sort_keys(number: int) -> list[str]:
    """The sort keys of the items of a batch."""
    return [f"O#{place:09d}" for place in range(number * IN_BATCH, (number + 1) * IN_BATCH)]


def expect(actual: Any, expected: Any) -> None:
    """Raises WrongRows where they differ."""
    if actual != expected:
        raise WrongRows(f"{actual!r:.500} instead of {expected!r:.500}")


@asynccontextmanager
async def engine(count: int) -> AsyncIterator[Mapping[str, Work]]:
    """The works, done by the engine."""
    composed = create_engine(Settings.load(), SystemClock(), SystemEntropy())
    queries, numbers = composed.queries, itertools.cycle(range(count))

    async def point_read() -> None:
        wanted = item(next(numbers))
        result = await queries.run_sql(SOMEBODY, sql=POINT_READ, parameters=[wanted["pk"]["S"], wanted["sk"]["S"]])
        names = ("pk", "sk", "status")
        expect(len(result.rows), 1)
        expect(result.rows[0][:3], [wanted[name]["S"] for name in names])
        expect([Decimal(str(value)) for value in result.rows[0][3:]], [Decimal(wanted[n]["N"]) for n in AMOUNTS])

    batches = itertools.cycle(range(count // IN_BATCH))

    async def index_query() -> None:
        number = next(batches)
        result = await queries.run_sql(SOMEBODY, sql=INDEX_QUERY, parameters=[batch(number)])
        expect([row[1] for row in result.rows], sort_keys(number))
        expect(result.next_cursor, None)

    def scan(work: str) -> Work:
        repeats = int(os.environ.get("REPEATS", "1"))
        expected, sql = totals(work, count, repeats), TOTALS.format(where=WHERE[work])

        async def run() -> None:
            result = await queries.run_sql(SOMEBODY, sql=sql, allow_full_scan=repeats > 1)
            expect({row[0]: (row[1], Decimal(str(row[2]))) for row in result.rows}, expected)

        return run

    def number(work: str) -> Work:
        paid = sum(item(place)["status"]["S"] == "PAID" for place in range(count))

        async def run() -> None:
            result = await queries.run_sql(SOMEBODY, sql=COUNTS[work])
            expect(result.rows, [[paid]])

        return run

    async def whole_scan() -> None:
        result = await queries.run_sql(SOMEBODY, sql=WHOLE_ITEMS)
        sums = (2, 3, 10)
        rows = [[Decimal(str(value)) if n in sums else value for n, value in enumerate(row)] for row in result.rows]
        expect({row[0]: row[1:] for row in rows}, whole_totals_of(count))

    works: dict[str, Work] = {"point-read": point_read, "index-query": index_query, "whole-scan": whole_scan}
    works |= {work: scan(work) for work in WHERE}
    async with composed.running():
        yield works | {work: number(work) for work in COUNTS}


AMOUNTS = ("amount", "quantity")


@asynccontextmanager
async def bare(count: int) -> AsyncIterator[Mapping[str, Work]]:
    """The same works as an application would do them by hand: GetItem, or Scan, TypeDeserializer and a loop."""
    numbers, value = itertools.cycle(range(count)), TypeDeserializer().deserialize
    session = aioboto3.Session()
    async with session.client("dynamodb", region_name=REGION, endpoint_url=os.environ["ENDPOINT"]) as client:

        async def point_read() -> None:
            wanted = item(next(numbers))
            answer = await client.get_item(TableName=TABLE, Key={name: wanted[name] for name in ("pk", "sk")})
            expect(
                {name: value(each) for name, each in answer["Item"].items()}, {n: value(e) for n, e in wanted.items()}
            )

        batches = itertools.cycle(range(count // IN_BATCH))
        names = {f"#{name}": name for name in COLUMNS}

        async def index_query() -> None:
            number = next(batches)
            answer = await client.query(
                TableName=TABLE,
                IndexName=INDEX,
                KeyConditionExpression="batch = :b",
                ExpressionAttributeValues={":b": {"S": batch(number)}},
                ProjectionExpression=", ".join(names),
                ExpressionAttributeNames=names,
            )
            rows = [{name: value(each) for name, each in found.items()} for found in answer["Items"]]
            expect([row["sk"] for row in rows], sort_keys(number))

        def scan(work: str, *, projected: bool = False) -> Work:
            expected = totals(work, count)
            arguments: dict[str, Any] = {"TableName": TABLE}
            if projected:
                arguments["ProjectionExpression"] = "#s, #a"
                arguments["ExpressionAttributeNames"] = {"#s": "status", "#a": "amount"}
            if work == "filtered-scan":
                arguments["FilterExpression"] = "#a > :v"
                arguments.setdefault("ExpressionAttributeNames", {"#a": "amount"})
                arguments["ExpressionAttributeValues"] = {":v": {"N": str(THRESHOLD)}}
            elif work == "map-scan":
                arguments["FilterExpression"] = "#a.#c = :v"
                arguments["ExpressionAttributeNames"] = {"#a": "address", "#c": "city"}
                arguments["ExpressionAttributeValues"] = {":v": {"S": CITIES[0]}}

            async def run() -> None:
                found: defaultdict[str, tuple[int, Decimal]] = defaultdict(lambda: (0, Decimal(0)))
                async for page in client.get_paginator("scan").paginate(**arguments):
                    for each in page["Items"]:
                        row = {name: value(attribute) for name, attribute in each.items()}
                        number, total = found[row["status"]]
                        found[row["status"]] = (number + 1, total + row["amount"])
                expect(found, expected)

            return run

        async def whole_scan() -> None:
            rows: list[dict[str, Any]] = []
            async for page in client.get_paginator("scan").paginate(TableName=TABLE):
                rows += ({name: value(attribute) for name, attribute in each.items()} for each in page["Items"])
            expect(whole_totals(rows), whole_totals_of(count))

        works: dict[str, Work] = {"point-read": point_read, "index-query": index_query, "whole-scan": whole_scan}
        works |= {work: scan(work) for work in WHERE}
        yield works | {f"{work}, projected": scan(work, projected=True) for work in ("scan", "filtered-scan")}


@asynccontextmanager
async def planner(_count: int) -> AsyncIterator[Mapping[str, Work]]:
    """Plans the statements of TPC-H one after the other, and statements by keys: each anew, or all by one planner."""
    schema = Schema("demo", "default", REGION)
    statements = itertools.cycle([path.read_text("utf-8") for path in QUERIES])
    keyed = ((statement, str(key)) for key in itertools.count(1) for statement in KEYED)

    def new() -> Planner:
        return Planner(
            schemas=Schemas((schema,)), catalog=TpchCatalog(), heavy=InProcessPlanning(), clock=SystemClock()
        )

    async def planned(by: Planner, sql: str) -> Plan:
        parsed = await by.parse(sql, None)
        return await by.plan(SOMEBODY, schema, parsed, consistent=False, prober=lambda _: unpaid, payer=ServicePays())

    async def plan(by: Planner) -> None:
        expect(len((await planned(by, next(statements))).reads) > 0, True)

    async def plan_literals(by: Planner) -> None:
        statement, key = next(keyed)
        found = await planned(by, statement.format(key=key))
        expect(f" = {key}" in found.query.statement, True)
        expect(any(read.key_condition is not None and key in read.key_condition for read in found.reads), True)

    known, of_literals = new(), new()
    yield {
        "plan": lambda: plan(new()),
        "plan-again": lambda: plan(known),
        "plan-literals": lambda: plan_literals(of_literals),
        "plan-literals-anew": lambda: plan_literals(new()),
    }


async def _passed(work: Work, seconds: float, callers: int) -> dict[str, Any]:
    """One pass of so many callers."""
    latencies: list[float] = []
    started = time.perf_counter()

    async def call() -> None:
        now = started
        while now - started < seconds or now == started:
            before = time.perf_counter()
            await work()
            now = time.perf_counter()
            latencies.append(now - before)

    await asyncio.gather(*(call() for _ in range(callers)))
    return {"seconds": time.perf_counter() - started, "latencies": latencies}


async def _serve(whose: str, count: int) -> None:
    loop = asyncio.get_running_loop()
    async with {"engine": engine, "aioboto3": bare, "planner": planner}[whose](count) as works:
        # As the service does before it serves.
        gc.collect()
        gc.freeze()
        while line := await loop.run_in_executor(None, sys.stdin.readline):
            asked = json.loads(line)
            answer = await _passed(works[asked["work"]], asked["seconds"], asked["callers"])
            sys.stdout.write(json.dumps(answer) + "\n")
            sys.stdout.flush()


if __name__ == "__main__":
    logs.configure("bench", "WARNING")
    uvloop.run(_serve(sys.argv[1], int(os.environ["ITEMS"])))
