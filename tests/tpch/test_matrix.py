"""TPC-H gives the same however it is read: nothing pushed down, other segments and pages, without shortcuts, elsewhere.

Every two values of two factors meet in one of the settings. Each query runs under one of them, or under all where
TPCH_MATRIX is set in the environment.
"""

import itertools
import os
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import aclosing, asynccontextmanager
from dataclasses import astuple, dataclass, replace

import pyarrow as pa
import pytest

from deploy.local.demo_data import schemas_file
from mcp_server.adapters.audit_log import AuditedUsage
from mcp_server.adapters.catalog import DynamoDbCatalog
from mcp_server.adapters.dynamodb.clients import DynamoDbClients
from mcp_server.adapters.dynamodb.items import DynamoDbItems
from mcp_server.adapters.planning.processes import PlanningProcesses
from mcp_server.adapters.schemas_file import read
from mcp_server.adapters.spool import MemorySpool
from mcp_server.domain.principal import Principal
from mcp_server.domain.schema import Schema
from mcp_server.engine.limits import Limits
from mcp_server.engine.queries import QueryService
from mcp_server.engine.schemas import Schemas
from mcp_server.planning.plan import Read, Request
from mcp_server.planning.requests import Filters, scan_requests
from mcp_server.ports.items import Observer
from shared_kernel import scope
from shared_kernel.clock import SystemClock
from shared_kernel.entropy import SystemEntropy
from tests.mcp_server.doubles.relational import InProcessDuckDb
from tests.support import demo_data
from tests.support.demo_data import DemoTables
from tests.support.emulator import CREDENTIALS, Emulator
from tests.tpch.test_tpch import QUERIES, assert_same

pytestmark = [pytest.mark.slow, pytest.mark.anyio]

SOMEBODY = Principal("default", "somebody", "somebody", frozenset(scope.RESOURCE_SCOPES), "")
SMALL_TABLE, SMALL_PAGE = 100, 997
"""A table of so few items is read in pages of one, others in pages of a prime, so that pages end anywhere."""


@dataclass(frozen=True, slots=True)
class Setting:
    """How a query is read.

    Where nothing is `pushed`, every table is scanned whole, without filters, keys and stages. `paged` has small pages;
    `direct` may leave DuckDB out; a `warm` query has been planned before. The tables are MiniStack's or, `elsewhere`,
    Dynoxide's.
    """

    pushed: bool
    segments: int
    paged: bool
    direct: bool
    warm: bool
    elsewhere: bool


SETTINGS = [
    Setting(pushed=False, segments=1, paged=False, direct=False, warm=False, elsewhere=False),
    Setting(pushed=False, segments=1, paged=False, direct=False, warm=True, elsewhere=True),
    Setting(pushed=False, segments=8, paged=True, direct=True, warm=False, elsewhere=False),
    Setting(pushed=True, segments=1, paged=True, direct=True, warm=False, elsewhere=True),
    Setting(pushed=True, segments=8, paged=False, direct=True, warm=True, elsewhere=False),
    Setting(pushed=True, segments=8, paged=True, direct=False, warm=True, elsewhere=True),
]


class ReadOtherwise(DynamoDbItems):
    """Carries reads out as a setting says."""

    def __init__(self, clients: DynamoDbClients, setting: Setting) -> None:
        super().__init__(clients)
        self._setting = setting

    def pages(self, schema: Schema, read: Read, observe: Observer) -> AsyncGenerator[pa.RecordBatch]:
        """See ItemSource.pages."""
        return super().pages(schema, self._otherwise(read), observe)

    def _otherwise(self, read: Read) -> Read:
        setting, relation = self._setting, read.relation
        if read.access != "None" and not setting.pushed:
            scans = scan_requests(relation, Filters(()), setting.segments, consistent=read.consistent, goal=None)
            read = replace(read, access="Scan", index=None, requests=tuple(scans), enough=None, lookup=None)
        elif read.access == "Scan" and read.enough is None:
            read = replace(read, requests=_in_segments(read.requests[0], setting.segments))
        if setting.paged and read.enough is None:
            limit = 1 if relation.table.item_count <= SMALL_TABLE else SMALL_PAGE
            read = replace(read, requests=tuple(_limited(one, limit) for one in read.requests))
        return read


def _in_segments(scan: Request, segments: int) -> tuple[Request, ...]:
    shared = {name: value for name, value in scan.arguments.items() if name not in ("Segment", "TotalSegments")}
    if segments == 1:
        return (Request("Scan", shared),)
    return tuple(Request("Scan", {**shared, "Segment": n, "TotalSegments": segments}) for n in range(segments))


def _limited(request: Request, limit: int) -> Request:
    if request.operation == "BatchGetItem":
        return request
    return replace(request, arguments={**request.arguments, "Limit": limit})


@asynccontextmanager
async def serving(schema: Schema, setting: Setting) -> AsyncIterator[QueryService]:
    """The engine over the demo tables, reading as the setting says."""
    clock, limits = SystemClock(), Limits(deadline_seconds=120, read_pages=100_000, confirm_read_units=0)
    async with (
        DynamoDbClients((schema,)) as clients,
        PlanningProcesses(seconds=limits.planning_seconds) as planning,
        aclosing(DynamoDbCatalog(clients, clock)) as catalog,
    ):
        yield QueryService(
            schemas=Schemas((schema,)),
            catalog=catalog,
            items=ReadOtherwise(clients, setting),
            heavy_planning=planning,
            relational=InProcessDuckDb(),
            spool=MemorySpool(clock=clock, entropy=SystemEntropy(), lifetime_seconds=900),
            usage=AuditedUsage(),
            cursor_key=b"k" * 32,
            clock=clock,
            limits=limits if setting.direct else replace(limits, direct_rows=0),
        )


@pytest.fixture(scope="module")
def schemas(
    demo_tables: DemoTables, demo_tables_elsewhere: Emulator, tmp_path_factory: pytest.TempPathFactory
) -> Mapping[bool, Schema]:
    """That of `make run` over MiniStack and, under True, over Dynoxide."""
    made: dict[bool, Schema] = {}
    for elsewhere, emulator in ((False, demo_tables.emulator), (True, demo_tables_elsewhere)):
        path = tmp_path_factory.mktemp("matrix") / "schemas.toml"
        path.write_text(schemas_file(emulator.endpoint_url))
        (made[elsewhere],) = read(path).schemas
    return made


def test_every_two_values_of_two_factors_meet() -> None:
    settings = [astuple(setting) for setting in SETTINGS]
    for one, other in itertools.combinations(range(len(settings[0])), 2):
        assert len({(setting[one], setting[other]) for setting in settings}) == 4, (one, other)


@pytest.mark.parametrize("place", range(len(SETTINGS)))
async def test_queries_give_what_duckdb_gives(
    place: int, schemas: Mapping[bool, Schema], demo_tables: DemoTables, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The queries of that setting, or all of them."""
    chosen = list(QUERIES) if "TPCH_MATRIX" in os.environ else list(QUERIES)[place :: len(SETTINGS)]
    for variable, value in CREDENTIALS.items():
        monkeypatch.setenv(variable, value)
    with demo_data.oracle(demo_tables.files) as oracle:
        async with serving(schemas[SETTINGS[place].elsewhere], SETTINGS[place]) as service:
            for name in chosen:
                expected = oracle.execute(QUERIES[name]).fetchall()
                for _ in range(2 if SETTINGS[place].warm else 1):
                    result = await service.run_sql(SOMEBODY, sql=QUERIES[name], max_rows=1000, allow_full_scan=True)
                assert len(result.rows) == len(expected), name
                types = [column.type for column in result.columns]
                for row, expected_row in zip(result.rows, expected, strict=True):
                    for value, sql_type, exact in zip(row, types, expected_row, strict=True):
                        assert_same(value, sql_type, exact)
