"""The engine over its adapters, and the files that the settings name."""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, aclosing, asynccontextmanager
from dataclasses import dataclass

import anyio
import structlog

from mcp_server.adapters import issuers_file, schemas_file
from mcp_server.adapters.audit_log import AuditedDisclosures, AuditedUsage, UsageOnBoth
from mcp_server.adapters.catalog import DynamoDbCatalog
from mcp_server.adapters.duckdb.sandbox import DuckDbSandbox
from mcp_server.adapters.dynamodb.clients import DynamoDbClients
from mcp_server.adapters.dynamodb.items import DynamoDbItems
from mcp_server.adapters.issuers_file import BadIssuersFile
from mcp_server.adapters.planning.processes import PlanningProcesses
from mcp_server.adapters.redis_store.board import BoardInRedis
from mcp_server.adapters.redis_store.connection import SharedRedis
from mcp_server.adapters.redis_store.ledger import LedgerInRedis
from mcp_server.adapters.redis_store.spool import RedisSpool
from mcp_server.adapters.redis_store.usage import UsageInRedis
from mcp_server.adapters.schemas_file import BadSchemasFile, SchemasFile
from mcp_server.adapters.spool import MemorySpool
from mcp_server.adapters.usage_days import UsageInMemory
from mcp_server.domain.failures import Failure
from mcp_server.domain.issuer import OtherIssuer
from mcp_server.domain.prices import Prices
from mcp_server.engine.beats import Beats
from mcp_server.engine.browsing import BrowsingService
from mcp_server.engine.limits import Limits
from mcp_server.engine.queries import QueryService
from mcp_server.engine.schemas import Schemas
from mcp_server.engine.usage import UsageService
from mcp_server.ports.relational import EvaluationLost, RelationalEngine
from mcp_server.ports.spool import Spool
from mcp_server.ports.tally import UNTALLIED, Tally
from mcp_server.settings import Settings
from shared_kernel.clock import Clock
from shared_kernel.entropy import Entropy
from shared_kernel.key_file import UnusableKeyFile, read_key_file
from shared_kernel.metrics import Gauge

_log = structlog.get_logger("mcp_server")


class CannotStart(Exception):
    """The service cannot be set up; the text is one line for the operator."""


@dataclass(frozen=True, slots=True)
class Configuration:
    """What the files that the settings name contain."""

    schemas: SchemasFile
    cursor_key: bytes
    other_issuers: tuple[OtherIssuer, ...]


def read_files(settings: Settings) -> Configuration:
    """The content of the schemas file, of the cursor key's and of the issuers file. Raises CannotStart."""
    try:
        others: tuple[OtherIssuer, ...] = ()
        if settings.issuers_file is not None:
            others = issuers_file.read(
                settings.issuers_file, own_issuer=settings.issuer, resource_url=settings.resource
            )
        return Configuration(schemas_file.read(settings.schemas_file), read_key_file(settings.cursor_key_file), others)
    except BadIssuersFile as problem:
        message = f"MCP_ISSUERS_FILE: {problem}"
        raise CannotStart(message) from problem
    except BadSchemasFile as problem:
        message = f"MCP_SCHEMAS_FILE: {problem}"
        raise CannotStart(message) from problem
    except UnusableKeyFile as problem:
        message = f"MCP_CURSOR_KEY_FILE: {problem}"
        raise CannotStart(message) from problem


@dataclass(frozen=True, slots=True)
class Engine:
    """What the tools are made of. It works inside `running`, and is warm once a child process has run a statement."""

    configuration: Configuration
    browsing: BrowsingService
    queries: QueryService
    usage: UsageService
    limits: Limits
    running: Callable[[], AbstractAsyncContextManager[None]]
    is_warm: Callable[[], bool]
    gauges: Sequence[Gauge]


def create_engine(
    settings: Settings, clock: Clock, entropy: Entropy, redis: SharedRedis | None = None, tally: Tally = UNTALLIED
) -> Engine:
    """The engine over its adapters, without HTTP in front; results wait in `redis`, or here. Raises CannotStart."""
    configuration, limits = read_files(settings), _limits(settings)
    clients = DynamoDbClients(configuration.schemas.schemas, tally)
    catalog = DynamoDbCatalog(clients, clock, tally=tally)
    heavy_planning = PlanningProcesses(seconds=limits.planning_seconds)
    relational = DuckDbSandbox(children=limits.queries, tally=tally)
    spool: Spool
    records: UsageInMemory | UsageInRedis
    if redis is None:
        spool = MemorySpool(clock=clock, entropy=entropy, lifetime_seconds=settings.cursor_seconds)
        records = UsageInMemory(clock)
    else:
        key = configuration.cursor_key
        spool = RedisSpool(redis, cursor_key=key, entropy=entropy, lifetime_seconds=settings.cursor_seconds)
        records = UsageInRedis(redis, clock, entropy)
    schemas = Schemas(configuration.schemas.schemas, configuration.schemas.defaults)
    prices = Prices(settings.read_price_usd)
    usage_log, disclosures = UsageOnBoth(AuditedUsage(), records), AuditedDisclosures()
    queries = QueryService(
        schemas=schemas,
        catalog=catalog,
        items=DynamoDbItems(clients),
        heavy_planning=heavy_planning,
        relational=relational,
        spool=spool,
        usage=usage_log,
        disclosures=disclosures,
        cursor_key=configuration.cursor_key,
        clock=clock,
        limits=limits,
        prices=prices,
        ledger=LedgerInRedis(redis, clock, entropy) if redis is not None else None,
        tally=tally,
    )
    browsing = BrowsingService(
        schemas=schemas,
        catalog=catalog,
        spending=queries.spending,
        usage=usage_log,
        disclosures=disclosures,
        limits=limits,
    )
    usage = UsageService(records=records, schemas=schemas, prices=prices, clock=clock)
    warm = anyio.Event()

    @asynccontextmanager
    async def running() -> AsyncIterator[None]:
        async with AsyncExitStack() as stack, anyio.create_task_group() as background:
            for service in (clients, aclosing(catalog), heavy_planning, relational):
                await stack.enter_async_context(service)
            background.start_soon(_warm_up, relational, warm)
            if isinstance(records, UsageInRedis):
                background.start_soon(records.keep_handing_on)
                background.start_soon(queries.spending.keep_exchanging)
            if redis is not None:
                background.start_soon(Beats(queries.admission, BoardInRedis(redis, entropy)).keep_exchanging)
            yield
            background.cancel_scope.cancel()

    admission = queries.admission
    observed = gauges(
        lambda: admission.running,
        lambda: admission.waiting,
        lambda: admission.running_elsewhere,
        lambda: len(relational.process_ids()),
        lambda: relational.busy,
    )
    return Engine(configuration, browsing, queries, usage, limits, running, warm.is_set, observed)


def shared_redis(url: str) -> SharedRedis | None:
    """The Redis that replicas share; None where each keeps what is its own. Raises CannotStart."""
    if url == "memory:":
        return None
    try:
        return SharedRedis(url)
    except ValueError:
        message = "MCP_STORE_URL must be redis[s]://[user:password@]host[:port][/database]"
        raise CannotStart(message) from None


def gauges(
    running: Callable[[], float],
    waiting: Callable[[], float],
    elsewhere: Callable[[], float],
    children: Callable[[], float],
    busy: Callable[[], float],
) -> Sequence[Gauge]:
    """The metrics that are looked at when they are asked for."""
    return (
        Gauge("mcp_queries_running", "Queries that are running.", running),
        Gauge("mcp_queries_waiting", "Queries that wait for their turn.", waiting),
        Gauge("mcp_queries_running_elsewhere", "Queries that other replicas have told of as running.", elsewhere),
        Gauge("mcp_duckdb_children", "Query processes that live.", children),
        Gauge("mcp_duckdb_children_busy", "Query processes that a statement has.", busy),
    )


def _limits(settings: Settings) -> Limits:
    """The limits of every query: the built-in ones, narrowed by the operator."""
    return Limits(
        deadline_seconds=settings.deadline_seconds,
        queue_seconds=settings.queue_seconds,
        cursor_seconds=settings.cursor_seconds,
        read_units=settings.read_units,
        confirm_read_units=settings.confirm_read_units,
        read_units_per_hour=settings.read_units_per_hour,
        queries=settings.query_processes,
        queries_per_tenant=settings.queries_per_tenant,
        queries_per_principal=settings.queries_per_principal,
    )


async def _warm_up(relational: RelationalEngine, warm: anyio.Event) -> None:
    """Ready means: a child process has run a statement."""
    while not warm.is_set():
        try:
            await relational.run("SELECT 1", (), row_limit=1, byte_limit=1024)
        except (Failure, EvaluationLost) as error:  # it has waited for a child before it gave up
            _log.warning("not_ready_yet", reason=error.code.value if isinstance(error, Failure) else "child_lost")
        else:
            warm.set()
