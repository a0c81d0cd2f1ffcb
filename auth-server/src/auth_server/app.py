"""The composition root: the one place that knows which adapter stands behind each port."""

import asyncio
import math
import signal
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from importlib import metadata

import anyio
import structlog
import uvicorn
import uvloop

from auth_server.adapters.attempt_limits import MemoryAttemptLimiter
from auth_server.adapters.passwords import open_passwords
from auth_server.adapters.signing_keys import SealedKeyRing, WrongMasterKey, open_key_ring
from auth_server.adapters.sqlite_store.database import UnusableStore
from auth_server.adapters.sqlite_store.store import SqliteStore
from auth_server.domain.deployment import Deployment
from auth_server.flows.administration import Administration
from auth_server.flows.authorize import Authorize
from auth_server.flows.consent import Consent
from auth_server.flows.register import Register
from auth_server.flows.revoke import Revoke
from auth_server.flows.sign_in import SignIn
from auth_server.flows.token import Token
from auth_server.ports import Maintenance, PasswordHasher, StoreUnavailable
from auth_server.settings import Settings
from auth_server.web.bounded_http import BoundedHttpProtocol
from auth_server.web.routes import Flows, Service
from shared_kernel import logs
from shared_kernel.asgi import App, RequestLog
from shared_kernel.clock import Clock, SystemClock
from shared_kernel.entropy import Entropy, SystemEntropy
from shared_kernel.settings import read_key_file

SWEEP_SECONDS = 600.0
"""Time between two clearings of expired rows."""
KEEP_ALIVE_SECONDS = 75
"""Longer than common load balancers keep an idle connection, so that they end it and not we, in mid-request."""
SHUTDOWN_SECONDS = 20
_log = structlog.get_logger("auth_server")


class CannotStart(Exception):
    """The service cannot be set up; the text is one line for the operator."""


@asynccontextmanager
async def service(
    settings: Settings,
    *,
    clock: Clock | None = None,
    entropy: Entropy | None = None,
    passwords: PasswordHasher | None = None,
) -> AsyncIterator[App]:
    """The ASGI application, over an open store. Raises CannotStart, UnusableKeyFile."""
    clock, entropy = clock or SystemClock(), entropy or SystemEntropy()
    passwords = passwords or await open_passwords()
    master_key = read_key_file(settings.master_key_file)
    async with _open_store(settings) as store:
        keys = await _open_keys(store, master_key, clock, entropy)
        flows = _flows(settings, store, keys, passwords, clock, entropy)
        site = Service(
            flows, issuer=settings.issuer, brand=settings.brand_name, trusted_proxies=settings.trusted_proxies
        )
        async with anyio.create_task_group() as housekeeping:
            housekeeping.start_soon(_sweep_forever, store, clock)
            yield RequestLog(site, clock=clock, entropy=entropy)
            housekeeping.cancel_scope.cancel()


@asynccontextmanager
async def administration(
    settings: Settings, *, passwords: PasswordHasher | None = None
) -> AsyncIterator[Administration]:
    """The operator's verbs over the configured store, which a server may have open. Raises CannotStart."""
    async with _open_store(settings) as store:
        yield Administration(
            users=store,
            clients=store,
            passwords=passwords or await open_passwords(),
            clock=SystemClock(),
            entropy=SystemEntropy(),
        )


async def rotate_key(settings: Settings) -> str:
    """Promotes the next signing key and gives its id. Raises CannotStart, UnusableKeyFile, StoreUnavailable."""
    clock, entropy = SystemClock(), SystemEntropy()
    master_key = read_key_file(settings.master_key_file)
    async with _open_store(settings) as store:
        keys = await _open_keys(store, master_key, clock, entropy)
        wait = await keys.rotate()
        if wait is not None:
            seconds = math.ceil(wait)
            message = f"the next key is too new for every cache to know it; try again in {seconds} s"
            raise CannotStart(message)
        return str((await keys.signing_key()).kid)


def serve(settings: Settings) -> None:
    """Serves until SIGTERM or SIGINT, then finishes what is under way. Raises CannotStart, UnusableKeyFile."""
    logs.configure("auth-server", settings.log_level)
    listener = _listen(settings.host, settings.port)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_serve(settings, listener))


async def _serve(settings: Settings, listener: socket.socket) -> None:
    with listener:
        async with service(settings) as app:
            _log.info(
                "starting",
                issuer=settings.issuer,
                resources=list(settings.resources),
                store="sqlite",
                address=f"{settings.host}:{settings.port}",
                version=metadata.version("dynamosql-auth-server"),
            )
            config = uvicorn.Config(
                app,
                http=BoundedHttpProtocol,
                ws="none",
                lifespan="off",
                log_config=None,
                log_level="error",  # our own lines tell the rest; its warnings are written by whoever sends nonsense
                access_log=False,
                server_header=False,
                proxy_headers=False,
                timeout_keep_alive=KEEP_ALIVE_SECONDS,
                timeout_graceful_shutdown=SHUTDOWN_SECONDS,
            )
            await _Server(config).serve(sockets=[listener])
        _log.info("stopped")


class _Server(uvicorn.Server):
    """Ends quietly on a signal. uvicorn raises the signal anew once it has stopped, before our store is closed."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        loop = asyncio.get_running_loop()
        handled = (signal.SIGINT, signal.SIGTERM)
        for number in handled:
            loop.add_signal_handler(number, self.handle_exit, number, None)
        try:
            yield
        finally:
            for number in handled:
                loop.remove_signal_handler(number)


def _listen(host: str, port: int) -> socket.socket:
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listener = socket.socket(family, kind, protocol)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
    except OSError as error:
        message = f"cannot listen on {host}:{port}: {error.strerror}; free it, or set AUTH_HOST and AUTH_PORT"
        raise CannotStart(message) from error
    return listener


@asynccontextmanager
async def _open_store(settings: Settings) -> AsyncIterator[SqliteStore]:
    try:
        store = SqliteStore.open(settings.sqlite_path)
    except UnusableStore as error:
        message = f"{error}; see AUTH_STORE_URL"
        raise CannotStart(message) from error
    try:
        yield store
    finally:
        store.close()


async def _open_keys(store: SqliteStore, master_key: bytes, clock: Clock, entropy: Entropy) -> SealedKeyRing:
    try:
        return await open_key_ring(store, master_key, clock, entropy)
    except WrongMasterKey as error:
        message = f"AUTH_MASTER_KEY_FILE: {error}"
        raise CannotStart(message) from error


def _flows(
    settings: Settings,
    store: SqliteStore,
    keys: SealedKeyRing,
    passwords: PasswordHasher,
    clock: Clock,
    entropy: Entropy,
) -> Flows:
    deployment = Deployment(settings.issuer, settings.resources)
    limiter = MemoryAttemptLimiter(clock)
    return Flows(
        authorize=Authorize(
            deployment=deployment, clients=store, transactions=store, sessions=store, clock=clock, entropy=entropy
        ),
        sign_in=SignIn(
            clients=store,
            transactions=store,
            users=store,
            sessions=store,
            passwords=passwords,
            limiter=limiter,
            clock=clock,
            entropy=entropy,
        ),
        consent=Consent(
            deployment=deployment,
            clients=store,
            transactions=store,
            users=store,
            sessions=store,
            clock=clock,
            entropy=entropy,
        ),
        token=Token(
            deployment=deployment,
            clients=store,
            codes=store,
            refresh_tokens=store,
            grants=store,
            keys=keys,
            clock=clock,
            entropy=entropy,
        ),
        register=Register(clients=store, limiter=limiter, clock=clock),
        revoke=Revoke(deployment=deployment, clients=store, refresh_tokens=store, grants=store, keys=keys, clock=clock),
        limiter=limiter,
        store=store,
        keys=keys,
    )


async def _sweep_forever(store: Maintenance, clock: Clock) -> None:
    while True:
        try:
            _log.debug("swept", rows=await store.sweep(clock.now()))
        except StoreUnavailable:
            _log.warning("sweep_failed")
        await anyio.sleep(SWEEP_SECONDS)
