"""How true estimates are: estimated ÷ consumed read units of statements over the demo tables, on Dynoxide.

    python -m tests.bench.estimates

What is consumed is what the emulator reports, as AWS would. All statements run twice: the first estimates come from the
catalogue's sample, the second ones also from what was read before. Of each pass it prints every statement, worst first,
then the median and the 90th percentile of how far off they are in either direction.
"""

import asyncio
import os
import random
import statistics
import sys
import tempfile
from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import structlog

from deploy.local.demo_data import REGION, load_demo_data
from mcp_server.adapters.audit_log import AuditedDisclosures, AuditedUsage
from mcp_server.adapters.catalog import DynamoDbCatalog
from mcp_server.adapters.dynamodb.clients import DynamoDbClients
from mcp_server.adapters.dynamodb.items import DynamoDbItems
from mcp_server.adapters.planning.processes import PlanningProcesses
from mcp_server.adapters.spool import MemorySpool
from mcp_server.domain.principal import Principal
from mcp_server.domain.schema import Schema
from mcp_server.engine.limits import Limits
from mcp_server.engine.queries import QueryService
from mcp_server.engine.schemas import Schemas
from mcp_server.planning.plan import Read
from mcp_server.planning.streaming import Key
from mcp_server.ports.items import Observer, Stretch
from shared_kernel import scope
from shared_kernel.clock import SystemClock
from shared_kernel.entropy import SystemEntropy
from tests.mcp_server.doubles.relational import InProcessDuckDb
from tests.support.dynamodb_emulators import dynoxide_serving
from tests.support.emulator import CREDENTIALS
from tests.support.processes import REPOSITORY

MEDIAN, P90 = (0.8, 1.25), 3.0
"""The goals: the median of estimated ÷ consumed lies between these, and nine of ten are off by no more than that."""

SOMEBODY = Principal("default", "somebody", "somebody", frozenset(scope.RESOURCE_SCOPES), "")
_QUERIES = REPOSITORY / "tests" / "tpch" / "queries"


@dataclass(frozen=True, slots=True)
class Case:
    """One statement: what was estimated, and what was consumed."""

    statement: str
    estimated: float
    consumed: float

    @property
    def ratio(self) -> float:
        """Estimated ÷ consumed."""
        return self.estimated / self.consumed

    @property
    def off(self) -> float:
        """By which factor, whichever is larger."""
        return max(self.ratio, 1 / self.ratio)


class ReportedItems(DynamoDbItems):
    """Reads as from AWS: read units are what the endpoint says was consumed."""

    def pages(self, schema: Schema, read: Read, observe: Observer) -> AsyncGenerator[pa.RecordBatch]:
        """See ItemSource.pages."""
        return super().pages(replace(schema, endpoint_url=None), read, observe)

    async def count(self, schema: Schema, read: Read, observe: Observer) -> int:
        """See ItemSource.count."""
        return await super().count(replace(schema, endpoint_url=None), read, observe)

    async def stretch(
        self, schema: Schema, read: Read, request: int, after: Key | None, limit: int | None, observe: Observer
    ) -> Stretch:
        """See ItemSource.stretch."""
        return await super().stretch(replace(schema, endpoint_url=None), read, request, after, limit, observe)


def statements() -> Iterator[str]:
    """TPC-H, and what people ask of single tables: by key, by index, in ranges, by prefix, in lists, in all."""
    for path in sorted(_QUERIES.glob("*.sql")):
        yield path.read_text("utf-8")
    chance = random.Random(7)
    for _ in range(12):
        order, customer, part = chance.randrange(1, 60_000), chance.randrange(1, 1_500), chance.randrange(1, 2_000)
        yield f"SELECT * FROM orders WHERE o_orderkey = {order}"
        yield f"SELECT * FROM lineitem WHERE l_orderkey = {order}"
        yield f"SELECT count(*) FROM lineitem WHERE l_orderkey IN ({order}, {order + 1}, {order + 2}, {order + 32})"
        yield f"SELECT o_orderkey FROM orders WHERE o_custkey = {customer} AND o_orderdate IS NOT NULL"
        yield f"SELECT sum(o_totalprice) FROM orders WHERE o_custkey = {customer} AND o_orderdate >= DATE '1996-01-01'"
        yield f"SELECT * FROM partsupp WHERE ps_partkey = {part}"
        yield f"SELECT * FROM partsupp WHERE ps_partkey = {part} AND ps_suppkey > 50"
        yield f"SELECT * FROM customer WHERE c_custkey IN ({customer}, {customer + 1}, {customer + 7})"
    for month in range(1, 7):
        day = f"2026-{month:02d}-{chance.randrange(1, 28):02d}"
        yield f"SELECT * FROM app_data WHERE pk = 'EVENTS#2026-{month:02d}' AND sk >= '{day}'"
        yield f"SELECT * FROM app_data WHERE pk = 'EVENTS#2026-{month:02d}' AND sk BETWEEN '{day}' AND '{day}T12'"
        yield f"SELECT * FROM app_data WHERE pk = 'CUSTOMER#{chance.randrange(1, 60):04d}' AND sk LIKE 'ORDER#%'"
        yield f"SELECT * FROM app_data WHERE open_status = 'PAID' AND opened_at >= '{day}'"
        customer, first = chance.randrange(1, 1_500), chance.randrange(1992, 1998)
        dates = f"BETWEEN DATE '{first}-01-01' AND DATE '{first}-12-31'"
        yield f"SELECT * FROM orders WHERE o_custkey = {customer} AND o_orderdate {dates}"
    for table in ("orders", "customer", "part", "partsupp", "supplier", "nation", "region"):
        yield f"SELECT count(*) FROM {table}"
        yield f"SELECT * FROM {table} LIMIT 10"
    for month in range(1, 4):
        events = f"FROM app_data WHERE pk = 'EVENTS#2026-{month:02d}'"
        yield f"SELECT * {events} ORDER BY sk DESC LIMIT 5"
        yield f"SELECT max(sk) {events}"
        customer = chance.randrange(1, 1_500)
        yield f"SELECT min(o_orderdate) FROM orders WHERE o_custkey = {customer}"
    yield "SELECT l_orderkey FROM lineitem WHERE l_quantity = 49 LIMIT 10"
    yield "SELECT * FROM orders WHERE o_totalprice > 300000 LIMIT 20"
    yield "SELECT * FROM customer WHERE c_acctbal < 0 LIMIT 3"
    yield "SELECT * FROM part WHERE p_size = 15 AND p_brand = 'Brand#23' LIMIT 5"
    yield "SELECT EXISTS (SELECT 1 FROM orders WHERE o_totalprice > 300000)"
    yield "SELECT EXISTS (SELECT 1 FROM customer WHERE c_acctbal < 0)"
    yield "SELECT o_orderkey FROM orders WHERE o_comment LIKE '%express%'"
    yield "SELECT l_orderkey FROM lineitem WHERE l_quantity = 49"


async def measured(queries: QueryService, statement: str) -> Case | None:
    """The case of a statement, all of whose pages are read; None where nothing is consumed."""
    explained = await queries.explain_sql(SOMEBODY, sql=statement)
    arguments: dict[str, Any] = {"sql": statement, "max_rows": 1000, "allow_full_scan": True}
    page = await queries.run_sql(SOMEBODY, **arguments)
    consumed = page.statistics.read_units
    while page.next_cursor is not None:
        page = await queries.run_sql(SOMEBODY, **arguments, cursor=page.next_cursor)
        consumed += page.statistics.read_units
    return Case(statement, explained.cost.read_units, consumed) if consumed else None


async def cases(endpoint_url: str) -> tuple[list[Case], list[Case]]:
    """All statements, over the demo tables at an endpoint: as nothing was read before, and once all of them were."""
    schema = Schema("demo", "default", REGION, endpoint_url)
    clock, limits = SystemClock(), Limits(deadline_seconds=120, confirm_read_units=0)
    async with (
        DynamoDbClients((schema, replace(schema, name="reported", endpoint_url=None))) as clients,
        PlanningProcesses(seconds=limits.planning_seconds) as planning,
        aclosing(DynamoDbCatalog(clients, clock)) as catalog,
    ):
        queries = QueryService(
            schemas=Schemas((schema,)),
            catalog=catalog,
            items=ReportedItems(clients),
            heavy_planning=planning,
            relational=InProcessDuckDb(),
            spool=MemorySpool(clock=clock, entropy=SystemEntropy(), lifetime_seconds=900),
            usage=AuditedUsage(),
            disclosures=AuditedDisclosures(),
            cursor_key=b"k" * 32,
            clock=clock,
            limits=limits,
        )
        found = [[await measured(queries, statement) for statement in statements()] for _ in range(2)]
    fresh, used = ([case for case in one if case is not None] for one in found)
    return fresh, used


def report(title: str, found: list[Case]) -> list[str]:
    """The lines to print of one pass."""
    off = sorted(case.off for case in found)
    median, p90 = statistics.median(case.ratio for case in found), off[int(0.9 * (len(off) - 1))]
    lines = [
        f"{case.ratio:8.2f} {case.estimated:10.1f} {case.consumed:10.1f}  {' '.join(case.statement.split())[:90]}"
        for case in sorted(found, key=lambda case: -case.off)
    ]
    met = MEDIAN[0] <= median <= MEDIAN[1] and p90 <= P90
    return [
        title,
        "   ratio  estimated   consumed  statement",
        *lines,
        f"{len(found)} statements: median of estimated ÷ consumed {median:.2f}, 90th percentile off by {p90:.2f}: "
        f"{'the goal is met' if met else 'the goal is missed'}",
    ]


def main() -> None:
    """Measures and prints."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(40))
    os.environ.update(CREDENTIALS)
    with tempfile.TemporaryDirectory() as scratch, dynoxide_serving(Path(scratch) / "dynoxide") as emulator:
        os.environ["AWS_ENDPOINT_URL_DYNAMODB"] = emulator.endpoint_url  # where botocore finds AWS
        load_demo_data(emulator.endpoint_url, Path(scratch) / "tpch", lambda _table, _written, _total: None)
        fresh, used = asyncio.run(cases(emulator.endpoint_url))
        for line in (*report("from samples", fresh), *report("once used", used)):
            sys.stdout.write(f"{line}\n")


if __name__ == "__main__":
    main()
