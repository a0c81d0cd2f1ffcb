"""Puts the service together: the only module that knows which adapter stands behind which port."""

import asyncio
import re
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, aclosing, asynccontextmanager, nullcontext
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any
from urllib.parse import urlsplit

import anyio
import httpx2
import structlog
import uvloop
from joserfc.jwk import ECKey
from mcp.server.transport_security import TransportSecuritySettings
from starlette.applications import Starlette
from starlette.middleware.cors import CORSMiddleware
from starlette.routing import Route

from mcp_server.adapters import issuers_file, schemas_file
from mcp_server.adapters.catalog import DynamoDbCatalog
from mcp_server.adapters.duckdb.sandbox import DuckDbSandbox
from mcp_server.adapters.dynamodb.clients import DynamoDbClients
from mcp_server.adapters.dynamodb.items import DynamoDbItems
from mcp_server.adapters.issuers_file import BadIssuersFile
from mcp_server.adapters.jwks import OtherIssuersKeys, PublishedKeys
from mcp_server.adapters.metrics import definitions
from mcp_server.adapters.planning.processes import PlanningProcesses
from mcp_server.adapters.redis_store.connection import SharedRedis
from mcp_server.adapters.redis_store.spool import RedisSpool
from mcp_server.adapters.redis_store.used_proofs import UsedProofsInRedis
from mcp_server.adapters.revocations import FollowedRevocations
from mcp_server.adapters.schemas_file import BadSchemasFile, SchemasFile
from mcp_server.adapters.spool import MemorySpool
from mcp_server.adapters.usage_log import LoggedUsage
from mcp_server.adapters.used_proofs import UsedProofsInMemory
from mcp_server.domain.failures import Failure
from mcp_server.domain.issuer import OtherIssuer
from mcp_server.engine.browsing import BrowsingService
from mcp_server.engine.limits import Limits
from mcp_server.engine.queries import QueryService
from mcp_server.engine.schemas import Schemas
from mcp_server.ports.keys import KeySet
from mcp_server.ports.relational import EvaluationLost, RelationalEngine
from mcp_server.ports.revocations import Revocations
from mcp_server.ports.spool import Spool
from mcp_server.ports.used_proofs import UsedProofs
from mcp_server.settings import Settings
from mcp_server.surface.exchange import Exchange
from mcp_server.surface.offer import Offer
from mcp_server.surface.prompts.explore_data import explore_data
from mcp_server.surface.prompts.optimize_query import optimize_query
from mcp_server.surface.prompts.write_query import write_query
from mcp_server.surface.resources.references import references
from mcp_server.surface.resources.schemas import schemas
from mcp_server.surface.resources.table import table
from mcp_server.surface.server import STATE_SECONDS, Surface
from mcp_server.surface.subscriptions import Subscriptions
from mcp_server.surface.tools.confirmation import Confirmations
from mcp_server.surface.tools.describe_table import describe_table
from mcp_server.surface.tools.explain_sql import explain_sql
from mcp_server.surface.tools.list_schemas import list_schemas
from mcp_server.surface.tools.list_tables import list_tables
from mcp_server.surface.tools.run_sql import run_sql
from mcp_server.web import guard, health, metadata
from mcp_server.web.other_issuers import OtherIssuersTokens
from mcp_server.web.possession import ProofVerifier
from mcp_server.web.verification import TokenVerifier
from shared_kernel import http_server, logs, resource, scope
from shared_kernel.asgi import App
from shared_kernel.client_address import behind_proxies
from shared_kernel.clock import Clock, SystemClock
from shared_kernel.dpop_nonce import Nonces
from shared_kernel.entropy import Entropy, SystemEntropy
from shared_kernel.front_door import FrontDoor, host_names
from shared_kernel.http_connection import ON_STOPPING
from shared_kernel.key_file import UnusableKeyFile, read_key_file
from shared_kernel.metrics import Gauge
from shared_kernel.metrics_page import Metering, MetricsPage
from shared_kernel.request_log import RequestLog
from shared_kernel.settings import LOOPBACK_HOSTS, is_loopback

_log = structlog.get_logger("mcp_server")
_HEADERS_FOR_BROWSER_CLIENTS = (
    "Mcp-Session-Id",
    "MCP-Protocol-Version",
    "WWW-Authenticate",
    "DPoP-Nonce",
    "Retry-After",
    "X-Request-Id",
)


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

    browsing: BrowsingService
    queries: QueryService
    limits: Limits
    running: Callable[[], AbstractAsyncContextManager[None]]
    is_warm: Callable[[], bool]
    gauges: Sequence[Gauge]


def create_engine(settings: Settings, clock: Clock, entropy: Entropy, redis: SharedRedis | None = None) -> Engine:
    """The engine over its adapters, without HTTP in front; results wait in `redis`, or here. Raises CannotStart."""
    configuration, limits = read_files(settings), _limits(settings)
    clients = DynamoDbClients(configuration.schemas.schemas)
    catalog = DynamoDbCatalog(clients, clock)
    heavy_planning = PlanningProcesses(seconds=limits.planning_seconds)
    relational = DuckDbSandbox(children=limits.queries)
    spool: Spool
    if redis is None:
        spool = MemorySpool(clock=clock, entropy=entropy, lifetime_seconds=settings.cursor_seconds)
    else:
        key = configuration.cursor_key
        spool = RedisSpool(redis, cursor_key=key, entropy=entropy, lifetime_seconds=settings.cursor_seconds)
    schemas = Schemas(configuration.schemas.schemas, configuration.schemas.defaults)
    browsing = BrowsingService(schemas=schemas, catalog=catalog, limits=limits)
    queries = QueryService(
        schemas=schemas,
        catalog=catalog,
        items=DynamoDbItems(clients),
        heavy_planning=heavy_planning,
        relational=relational,
        spool=spool,
        usage=LoggedUsage(),
        cursor_key=configuration.cursor_key,
        clock=clock,
        limits=limits,
    )
    warm = anyio.Event()

    @asynccontextmanager
    async def running() -> AsyncIterator[None]:
        async with AsyncExitStack() as stack, anyio.create_task_group() as background:
            for service in (clients, aclosing(catalog), heavy_planning, relational):
                await stack.enter_async_context(service)
            background.start_soon(_warm_up, relational, warm)
            yield
            background.cancel_scope.cancel()

    admission = queries.admission
    observed = gauges(lambda: admission.running, lambda: admission.waiting, lambda: len(relational.process_ids()))
    return Engine(browsing, queries, limits, running, warm.is_set, observed)


def _shared_redis(url: str) -> SharedRedis | None:
    """The Redis that replicas share; None where each keeps what is its own. Raises CannotStart."""
    if url == "memory:":
        return None
    try:
        return SharedRedis(url)
    except ValueError:
        message = "MCP_STORE_URL must be redis[s]://[user:password@]host[:port][/database]"
        raise CannotStart(message) from None


def gauges(
    running: Callable[[], float], waiting: Callable[[], float], children: Callable[[], float]
) -> Sequence[Gauge]:
    """The metrics that are no events."""
    return (
        Gauge("mcp_queries_running", "Queries that are running.", running),
        Gauge("mcp_queries_waiting", "Queries that wait for their turn.", waiting),
        Gauge("mcp_duckdb_children", "Query processes that live.", children),
    )


def create_app(settings: Settings, metering: Metering | None = None) -> App:
    """The whole service as one ASGI application, whose lifespan runs all that it needs. Raises CannotStart."""
    clock, entropy = SystemClock(), SystemEntropy()
    redis = _shared_redis(settings.store_url)
    engine = create_engine(settings, clock, entropy, redis)
    if metering is not None:
        metering.metrics.add(engine.gauges)
    # A transport of its own, since a proxy in the environment is not meant for this.
    fetching = httpx2.AsyncClient(transport=httpx2.AsyncHTTPTransport())
    keys = PublishedKeys(fetching, settings.keys_url, clock=clock)
    configuration = read_files(settings)
    others = [
        (rules, OtherIssuersKeys(fetching, rules.jwks_url, algorithms=rules.algorithms, clock=clock))
        for rules in configuration.other_issuers
    ]
    revocations = FollowedRevocations(
        fetching,
        settings.feed_url,
        keys=keys,
        issuer=settings.issuer,
        strict=settings.revocation_strict,
        clock=clock,
    )

    @asynccontextmanager
    async def running() -> AsyncIterator[None]:
        async with fetching, redis or nullcontext(), engine.running(), anyio.create_task_group() as background:
            background.start_soon(keys.keep_fresh)
            for _, published in others:
                background.start_soon(published.keep_fresh)
            background.start_soon(revocations.follow)
            yield
            background.cancel_scope.cancel()

    surface = Surface(
        product(engine, Confirmations(clock, entropy, lifetime_seconds=STATE_SECONDS)),
        Subscriptions(),
        title=settings.brand_name,
        version=version("dynamosql-mcp-server"),
        state_key=configuration.cursor_key,
        clock=clock,
    )
    return http_app(
        settings,
        surface,
        keys,
        revocations,
        others=[OtherIssuersTokens(rules, published) for rules, published in others],
        nonces=Nonces(configuration.cursor_key, "mcp-server"),
        used_proofs=UsedProofsInRedis(redis, clock) if redis else UsedProofsInMemory(clock),
        running=running,
        ready=engine.is_warm,
        clock=clock,
        entropy=entropy,
        metering=metering,
    )


def product(engine: Engine, confirmations: Confirmations) -> Offer:
    """What this server offers, in the order in which clients see it."""
    tools = (
        list_tables(engine.browsing),
        describe_table(engine.browsing),
        run_sql(engine.queries, confirmations),
        explain_sql(engine.queries),
    )
    return Offer(
        tools=(list_schemas(engine.browsing, tools), *tools),
        resources=(*references(engine.limits), schemas(engine.browsing)),
        templates=(table(engine.browsing),),
        prompts=(explore_data(engine.browsing), write_query(engine.browsing), optimize_query(engine.browsing)),
    )


def http_app(
    settings: Settings,
    surface: Surface,
    keys: KeySet[ECKey],
    revocations: Revocations,
    *,
    others: Sequence[OtherIssuersTokens] = (),
    nonces: Nonces,
    used_proofs: UsedProofs,
    running: Callable[[], AbstractAsyncContextManager[None]],
    ready: Callable[[], bool],
    clock: Clock,
    entropy: Entropy,
    metering: Metering | None = None,
) -> App:
    """The service on one page, over its surface and what its issuer tells; `running` is entered while it runs."""
    transport = _transport_security(settings)
    endpoint: App = guard.Guard(
        Exchange(surface.server, entropy=entropy),
        verifier=TokenVerifier(
            keys,
            revocations,
            issuer=settings.issuer,
            audience=settings.resource,
            clock=clock,
            others=others,
        ),
        proofs=ProofVerifier(
            resource=settings.resource,
            nonces=nonces,
            used=used_proofs,
            nonce_required=settings.dpop_nonce_required,
            clock=clock,
        ),
        dpop_required=settings.dpop_required,
        transport=transport,
        metadata_url=metadata.metadata_url(settings.resource),
        needed_scopes=surface.offer.needed_scopes,
        common_scopes=frozenset(scope.RESOURCE_SCOPES),
    )
    # For exactly the origins that the guard admits: a page of any other is told nothing.
    endpoint = CORSMiddleware(
        endpoint,
        allow_origins=[origin for origin in transport.allowed_origins if not origin.endswith(":*")],
        allow_origin_regex=_any_port(transport.allowed_origins),
        allow_methods=["GET", "POST", "DELETE"],
        allow_headers=["*"],
        expose_headers=_HEADERS_FOR_BROWSER_CLIENTS,
    )

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[dict[str, Any]]:
        async with running():
            yield {ON_STOPPING: surface.subscriptions.close}

    routes = [
        Route(urlsplit(settings.resource).path or "/", endpoint),
        *metadata.routes(
            resource=settings.resource,
            issuer=settings.issuer,
            name=settings.brand_name,
            dpop_required=settings.dpop_required,
        ),
        *health.routes(ready),
    ]
    application = Starlette(routes=routes, lifespan=lifespan)
    application.router.redirect_slashes = False  # a redirect would carry the request's Host
    hosts = host_names([settings.resource]) | {*settings.allowed_hosts}
    door = FrontDoor(application, hosts=hosts, limit=settings.max_concurrent_requests)
    app: App = RequestLog(door, clock=clock, entropy=entropy)
    if metering is not None:
        metering.paths.learn(route.path for route in routes)
        app = MetricsPage(app, metering)
    return behind_proxies(app, settings.trusted_proxies)


def _limits(settings: Settings) -> Limits:
    """The limits of every query: the built-in ones, narrowed by the operator."""
    return Limits(
        deadline_seconds=settings.deadline_seconds,
        queue_seconds=settings.queue_seconds,
        cursor_seconds=settings.cursor_seconds,
        read_units=settings.read_units,
        queries=settings.query_processes,
    )


def _transport_security(settings: Settings) -> TransportSecuritySettings:
    """The names by which this service may be addressed; DNS rebinding uses another name that resolves to it."""
    host = urlsplit(settings.resource).netloc.removesuffix(f":{urlsplit(settings.resource).port}")
    origins = [resource.origin(settings.resource), *settings.allowed_origins]
    if is_loopback(settings.resource):
        origins += [f"http://{name}:*" for name in LOOPBACK_HOSTS]
    return TransportSecuritySettings(
        allowed_hosts=[form for name in (host, *LOOPBACK_HOSTS) for form in (name, f"{name}:*")],
        allowed_origins=origins,
    )


def _any_port(origins: Sequence[str]) -> str | None:
    """A pattern for the origins of which every port is admitted (`…:*`), None if there are none."""
    hosts = [re.escape(origin.removesuffix(":*")) for origin in origins if origin.endswith(":*")]
    return f"({'|'.join(hosts)}):[0-9]+" if hosts else None


async def _warm_up(relational: RelationalEngine, warm: anyio.Event) -> None:
    """Ready means: a child process has run a statement."""
    while not warm.is_set():
        try:
            await relational.run("SELECT 1", (), row_limit=1, byte_limit=1024)
        except (Failure, EvaluationLost) as error:  # it has waited for a child before it gave up
            _log.warning("not_ready_yet", reason=error.code.value if isinstance(error, Failure) else "child_lost")
        else:
            warm.set()


def _metering(settings: Settings) -> Metering | None:
    """What is counted, if the operator wants it. Raises CannotStart."""
    if settings.metrics_token_file is None:
        return None
    try:
        return Metering.over(definitions, settings.metrics_token_file)
    except UnusableKeyFile as problem:
        message = f"MCP_METRICS_TOKEN_FILE: {problem}"
        raise CannotStart(message) from problem


def serve(settings: Settings) -> None:
    """Serves until SIGTERM or SIGINT, then finishes what is under way. Raises CannotStart, CannotListen."""
    metering = _metering(settings)
    logs.configure("mcp-server", settings.log_level, metering.metrics.observe if metering else None)
    app = create_app(settings, metering)
    listener = http_server.listen(settings.host, settings.port, "MCP_")
    with listener, asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        _log.info(
            "starting",
            resource=settings.resource,
            issuer=settings.issuer,
            address=f"{settings.host}:{settings.port}",
            version=version("dynamosql-mcp-server"),
        )
        serving = http_server.serve(
            app,
            listener,
            lifespan="on",
            delay_seconds=settings.shutdown_delay_seconds,
            shutdown_seconds=settings.shutdown_seconds,
        )
        runner.run(serving)
    _log.info("stopped")
