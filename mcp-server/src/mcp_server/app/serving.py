"""What the service offers, and the process that serves it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, nullcontext
from importlib.metadata import version

import anyio
import httpx2
import structlog
import uvloop

from mcp_server.adapters.jwks import OtherIssuersKeys, PublishedKeys
from mcp_server.adapters.metrics import MeteredTally, definitions
from mcp_server.adapters.redis_store.log_levels import LogLevelsInRedis
from mcp_server.adapters.redis_store.relay import RelayInRedis
from mcp_server.adapters.redis_store.single_use import SingleUseInRedis
from mcp_server.adapters.revocations import FollowedRevocations
from mcp_server.adapters.single_use import SingleUseInMemory
from mcp_server.app.engine import CannotStart, Engine, create_engine, shared_redis
from mcp_server.app.http import http_app
from mcp_server.ports.single_use import SingleUse
from mcp_server.ports.tally import UNTALLIED, Tally
from mcp_server.settings import Settings
from mcp_server.surface.log_levels import LogLevels
from mcp_server.surface.marked import marked
from mcp_server.surface.offer import Offer
from mcp_server.surface.prompts.explore_data import explore_data
from mcp_server.surface.prompts.optimize_query import optimize_query
from mcp_server.surface.prompts.write_query import write_query
from mcp_server.surface.resources.references import references
from mcp_server.surface.resources.schemas import schemas
from mcp_server.surface.resources.table import table
from mcp_server.surface.resources.usage import usage as usage_resource
from mcp_server.surface.resources.view import view
from mcp_server.surface.server import STATE_SECONDS, Surface
from mcp_server.surface.subscriptions import Subscriptions
from mcp_server.surface.tools.confirmation import Confirmations
from mcp_server.surface.tools.describe_table import describe_table
from mcp_server.surface.tools.explain_sql import explain_sql
from mcp_server.surface.tools.list_schemas import list_schemas
from mcp_server.surface.tools.list_tables import list_tables
from mcp_server.surface.tools.run_sql import run_sql
from mcp_server.surface.tools.usage import usage
from mcp_server.web.other_issuers import OtherIssuersTokens
from shared_kernel import http_server, logs
from shared_kernel.asgi import App
from shared_kernel.clock import SystemClock
from shared_kernel.dpop_nonce import Nonces
from shared_kernel.entropy import SystemEntropy
from shared_kernel.key_file import UnusableKeyFile
from shared_kernel.metrics_page import Metering
from shared_kernel.tracing import Tracing, start_tracing

_log = structlog.get_logger("mcp_server")


def create_app(settings: Settings, metering: Metering | None = None, tracing: Tracing | None = None) -> App:
    """The whole service as one ASGI application, whose lifespan runs all that it needs. Raises CannotStart."""
    clock, entropy = SystemClock(), SystemEntropy()
    redis = shared_redis(settings.store_url)
    tally: Tally = UNTALLIED
    if metering is not None:
        tally = metered = MeteredTally()
        metering.metrics.add(metered.instruments)
    engine = create_engine(settings, clock, entropy, redis, tally)
    configuration = engine.configuration
    if metering is not None:
        metering.metrics.add(engine.gauges)
    # A transport of its own, since a proxy in the environment is not meant for this.
    fetching = httpx2.AsyncClient(transport=httpx2.AsyncHTTPTransport())
    keys = PublishedKeys(fetching, settings.keys_url, clock=clock)
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

    def used(kind: str) -> SingleUse:
        return SingleUseInMemory(clock) if redis is None else SingleUseInRedis(redis, clock, kind)

    relay = RelayInRedis(redis, cursor_key=configuration.cursor_key, entropy=entropy) if redis is not None else None
    surface = Surface(
        product(engine, Confirmations(used("confirmation"), entropy, lifetime_seconds=STATE_SECONDS)),
        Subscriptions(relay),
        title=settings.brand_name,
        version=version("dynamosql-mcp-server"),
        state_key=configuration.cursor_key,
        clock=clock,
        log_levels=LogLevels(clock, store=LogLevelsInRedis(redis) if redis is not None else None, relay=relay),
    )
    return http_app(
        settings,
        surface,
        keys,
        revocations,
        others=[OtherIssuersTokens(rules, published) for rules, published in others],
        nonces=Nonces(configuration.cursor_key, "mcp-server"),
        used_proofs=used("proof"),
        running=running,
        ready=engine.is_warm,
        floods=engine.queries.admission.floods,
        relay=relay,
        clock=clock,
        entropy=entropy,
        tally=tally,
        metering=metering,
        tracing=tracing,
    )


def product(engine: Engine, confirmations: Confirmations) -> Offer:
    """What this server offers, in the order in which clients see it."""
    tools = (
        list_tables(engine.browsing),
        describe_table(engine.browsing),
        run_sql(engine.queries, confirmations),
        explain_sql(engine.queries),
        usage(engine.usage),
    )
    return Offer(
        tools=(list_schemas(engine.browsing, tools), *tools),
        resources=(*references(engine.limits), schemas(engine.browsing, tools), usage_resource(engine.usage), view()),
        templates=(table(engine.browsing),),
        prompts=(explore_data(engine.browsing), write_query(engine.browsing), optimize_query(engine.browsing)),
        mark=marked,
    )


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
    release = version("dynamosql-mcp-server")
    tracing = start_tracing("mcp-server", release, url=settings.traces_url, ratio=settings.traces_ratio)
    observers = [observing.observe for observing in (metering and metering.metrics, tracing) if observing]
    logs.configure("mcp-server", settings.log_level, observers, kept=("audit",))
    app = create_app(settings, metering, tracing)
    listener = http_server.listen(settings.host, settings.port, "MCP_")
    with listener, asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        _log.info(
            "starting",
            resource=settings.resource,
            issuer=settings.issuer,
            address=f"{settings.host}:{settings.port}",
            version=release,
        )
        serving = http_server.serve(
            app,
            listener,
            lifespan="on",
            delay_seconds=settings.shutdown_delay_seconds,
            shutdown_seconds=settings.shutdown_seconds,
        )
        runner.run(serving)
    if tracing is not None:
        tracing.close()
    _log.info("stopped")
