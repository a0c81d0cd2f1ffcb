"""The composition root: the one place that knows which adapter stands behind each port."""

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager, contextmanager, nullcontext
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Protocol
from urllib.parse import urlsplit

import anyio
import structlog
import uvloop

from auth_server.adapters.attempt_limits import StoreAttemptLimiter
from auth_server.adapters.audit_trail import StoreAuditTrail
from auth_server.adapters.backup_file import new_backup, open_backup
from auth_server.adapters.client_documents.https_documents import HttpsDocuments
from auth_server.adapters.client_documents.public_connections import PublicConnections
from auth_server.adapters.metrics import definitions
from auth_server.adapters.outside import OverHttp
from auth_server.adapters.passwords import open_passwords
from auth_server.adapters.redis_store.store import open_redis
from auth_server.adapters.remembered_clients import RememberedClients
from auth_server.adapters.signing_keys import KeysLost, SealedKeyRing, WrongMasterKey, open_key_ring
from auth_server.adapters.sqlite_store.store import open_sqlite
from auth_server.domain import administrator
from auth_server.domain.audit import EventName
from auth_server.domain.deployment import Deployment, Upstream
from auth_server.domain.finding import Finding
from auth_server.flows.administration import copying
from auth_server.flows.administration.audit import Audit
from auth_server.flows.administration.keys import Keys
from auth_server.flows.administration.operation import Operation, recorded
from auth_server.flows.administration.remote import RemoteAdministration
from auth_server.flows.administration.verbs import Administration
from auth_server.flows.doctor.doctor import Doctor
from auth_server.flows.flows import compose
from auth_server.ports.audit import AuditTrail
from auth_server.ports.keys import KeyRing
from auth_server.ports.people import PasswordHasher
from auth_server.ports.store import Store, UnusableStore
from auth_server.settings import Settings
from auth_server.web.administration import administration_site
from auth_server.web.service import Service
from shared_kernel import http_server, logs
from shared_kernel.asgi import App
from shared_kernel.client_address import behind_proxies
from shared_kernel.clock import Clock, SystemClock
from shared_kernel.dpop_nonce import Nonces
from shared_kernel.entropy import Entropy, SystemEntropy
from shared_kernel.front_door import FrontDoor, host_names
from shared_kernel.key_file import read_key_file, read_private_file
from shared_kernel.metrics_page import Metering, MetricsPage
from shared_kernel.request_log import RequestLog


class _Opener(Protocol):
    """Opens the store that a URL names, for as long as the context lasts. Raises UnusableStore."""

    def __call__(self, url: str, *, verify: bool) -> AbstractAsyncContextManager[Store]: ...


class _Preparer(Protocol):
    """Makes the store that a URL names; False if it was there. Raises UnusableStore, StoreUnavailable."""

    async def __call__(self, url: str) -> bool: ...


@dataclass(frozen=True, slots=True)
class _Backend:
    """A kind of store.

    `client_freshness` is for how many seconds a client need not be read again. `prepare` is None where opening a store
    makes it.
    """

    open: _Opener
    client_freshness: float
    prepare: _Preparer | None = None


# The SDK takes half a second to import, which a server on another store need not wait for.
def _open_dynamodb(
    url: str,
    *,
    verify: bool,  # noqa: ARG001 (damage is DynamoDB's to notice)
) -> AbstractAsyncContextManager[Store]:
    from auth_server.adapters.dynamodb_store.store import open_dynamodb  # noqa: PLC0415

    return open_dynamodb(url)


async def _prepare_dynamodb(url: str) -> bool:
    from auth_server.adapters.dynamodb_store.store import prepare_dynamodb  # noqa: PLC0415

    return await prepare_dynamodb(url)


_BACKENDS: Mapping[str, _Backend] = {
    "sqlite": _Backend(open_sqlite, client_freshness=0.0),
    "redis": _Backend(open_redis, client_freshness=2.0),
    "rediss": _Backend(open_redis, client_freshness=2.0),
    "dynamodb": _Backend(_open_dynamodb, client_freshness=2.0, prepare=_prepare_dynamodb),
}
"""By the scheme of AUTH_STORE_URL."""
HOUSEKEEPING_SECONDS = 600.0
"""Time between two clearings of what is over, and two looks at the age of the signing key."""
_DAY_SECONDS = 86400
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
    metering: Metering | None = None,
) -> AsyncIterator[App]:
    """The ASGI application, over an open store. Raises CannotStart, UnusableKeyFile."""
    clock, entropy = clock or SystemClock(), entropy or SystemEntropy()
    passwords = passwords or await open_passwords()
    master_key = read_key_file(settings.master_key_file)
    async with open_store(settings.store_url, verify=True) as store:
        keys = await _open_keys(store, master_key, clock, entropy, outage=settings.outage_seconds)
        clients = RememberedClients(
            store, clock, freshness=_backend(settings.store_url).client_freshness, outage=settings.outage_seconds
        )
        trail = StoreAuditTrail(store, clock, entropy, keeps=settings.audit_days > 0)
        deployment = _deployment(settings)
        documents = HttpsDocuments(PublicConnections(settings.client_document_origins))
        flows = compose(
            deployment,
            store=store,
            clients=clients,
            documents=documents,
            upstream=documents,
            keys=keys,
            passwords=passwords,
            limiter=StoreAttemptLimiter(store, clock),
            nonces=Nonces(master_key, "auth-server"),
            trail=trail,
            clock=clock,
            entropy=entropy,
        )
        site = Service(
            flows,
            store=store,
            keys=keys,
            trail=trail,
            deployment=deployment,
            brand=settings.brand_name,
        )
        async with anyio.create_task_group() as housekeeping:
            housekeeping.start_soon(_keep_house, store, keys, settings, trail, clock)
            housekeeping.start_soon(trail.run)
            hosts = host_names([settings.issuer, *settings.resources]) | {*settings.allowed_hosts}
            door = FrontDoor(site, hosts=hosts, limit=settings.max_concurrent_requests)
            app: App = RequestLog(door, clock=clock, entropy=entropy)
            if metering is not None:
                metering.paths.learn(site.paths)
                app = MetricsPage(app, metering)
            yield behind_proxies(app, settings.trusted_proxies)
            housekeeping.cancel_scope.cancel()
        await trail.close()


@asynccontextmanager
async def administration(
    settings: Settings, operation: Operation | None = None, *, passwords: PasswordHasher | None = None
) -> AsyncIterator[Administration]:
    """The operator's verbs over the configured store, which a server may have open. Raises CannotStart.

    The audit trail says what they end and, with an `operation`, how the block has ended.
    """
    clock, entropy = SystemClock(), SystemEntropy()
    async with open_store(settings.store_url) as store, _recording(store, settings, operation) as trail:
        yield Administration.over(
            store,
            resources=settings.resources,
            passwords=passwords or await open_passwords(),
            trail=trail,
            clock=clock,
            entropy=entropy,
        )


@asynccontextmanager
async def administration_service(settings: Settings) -> AsyncIterator[App]:
    """The operator's verbs over HTTP. Raises CannotStart, UnusableKeyFile."""
    if settings.admin_keys_file is None:
        raise CannotStart("AUTH_ADMIN_KEYS_FILE names no file; `auth-server admin new-key` makes what belongs into it")
    try:
        administrators = administrator.parse(read_private_file(settings.admin_keys_file))
    except administrator.UnusableAdministrators as error:
        message = f"AUTH_ADMIN_KEYS_FILE: {error}"
        raise CannotStart(message) from error
    clock, entropy = SystemClock(), SystemEntropy()
    async with open_store(settings.store_url) as store, anyio.create_task_group() as recording:
        trail = StoreAuditTrail(store, clock, entropy, keeps=settings.audit_days > 0)
        recording.start_soon(trail.run)
        verbs = Administration.over(
            store,
            resources=settings.resources,
            passwords=await open_passwords(),
            trail=trail,
            clock=clock,
            entropy=entropy,
        )
        site = administration_site(RemoteAdministration(verbs, administrators, trail))
        # Who asks by another name than loopback's has been led here by somebody else's page.
        door = FrontDoor(site, hosts=frozenset(), limit=settings.max_concurrent_requests)
        yield RequestLog(door, clock=clock, entropy=entropy)
        recording.cancel_scope.cancel()
        await trail.close()


@asynccontextmanager
async def audit(settings: Settings) -> AsyncIterator[Audit]:
    """What the operator reads in the audit trail. Raises CannotStart."""
    async with open_store(settings.store_url) as store:
        yield Audit(trail=store, clients=store, users=store, clock=SystemClock())


@asynccontextmanager
async def key_administration(settings: Settings, operation: Operation | None = None) -> AsyncIterator[Keys]:
    """The operator's verbs about signing keys; `operation` as in administration().

    Raises CannotStart, UnusableKeyFile.
    """
    master_key = read_key_file(settings.master_key_file)
    async with open_store(settings.store_url) as store, _recording(store, settings, operation):
        yield Keys(await _open_keys(store, master_key, SystemClock(), SystemEntropy(), outage=0.0))


@asynccontextmanager
async def _recording(store: Store, settings: Settings, operation: Operation | None) -> AsyncIterator[AuditTrail]:
    """The audit trail of a store for a command, written as the block ends; it says so of an `operation`."""
    trail = StoreAuditTrail(store, SystemClock(), SystemEntropy(), keeps=settings.audit_days > 0)
    try:
        async with recorded(trail, operation) if operation else nullcontext():
            yield trail
    finally:
        await trail.close()


async def prepare_store(settings: Settings) -> bool:
    """Makes the configured store, where a server does not do that itself; False if there is nothing left to do.

    Raises CannotStart, StoreUnavailable.
    """
    prepare = _backend(settings.store_url).prepare
    if prepare is None:
        return False
    with _telling_of_the_setting():
        return await prepare(settings.store_url)


async def copy_store(source_url: str, target_url: str, administrator: str) -> int:
    """Fills an empty store with everything in another; gives the number of records. Raises CannotStart, CannotDo.

    The audit trails of both say who did it.
    """
    async with open_store(source_url) as source, open_store(target_url) as target:
        count = await copying.copy(source, target)
        for store, verb, other in ((source, "copy store to", target_url), (target, "copy store from", source_url)):
            await _note(store, Operation(administrator, verb, urlsplit(other).scheme))
        return count


async def back_up_store(settings: Settings, path: Path, administrator: str) -> int:
    """Writes the store into a file; gives the number of records. The audit trail says who did it.

    Raises CannotStart, UnusableKeyFile, UnusableBackup, CannotDo.
    """
    master_key = read_key_file(settings.master_key_file)
    async with open_store(settings.store_url) as store:
        with new_backup(path, master_key) as backup:
            count = await copying.pour(store.records(), backup.restore)
        if settings.audit_days > 0:
            await _note(store, Operation(administrator, "back up store", str(path)))
        return count


async def restore_store(settings: Settings, path: Path, administrator: str) -> int:
    """Fills the store, which is empty, from a file, as back_up_store() writes it; gives the number of records."""
    backup = open_backup(path, read_key_file(settings.master_key_file))
    async with open_store(settings.store_url) as store:
        await copying.check_empty(store)
        count = await copying.pour(backup.records(), store.restore)
        if settings.audit_days > 0:
            await _note(store, Operation(administrator, "restore store", str(path)))
        return count


async def _note(store: Store, operation: Operation) -> None:
    """Records an operation that is done: a store that is filled must be empty before."""
    trail = StoreAuditTrail(store, SystemClock(), SystemEntropy())
    async with recorded(trail, operation):
        pass
    await trail.close()


def serve(settings: Settings) -> None:
    """Serves until SIGTERM or SIGINT, then ends in order. Raises CannotStart, CannotListen, UnusableKeyFile."""
    metering = Metering.over(definitions, settings.metrics_token_file) if settings.metrics_token_file else None
    logs.configure("auth-server", settings.log_level, metering.metrics.observe if metering else None)
    listener = http_server.listen(settings.host, settings.port, "AUTH_")
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_serve(settings, listener, metering))


def serve_administration(settings: Settings) -> None:
    """Serves the operator's verbs on the loopback address. Raises as serve() does."""
    logs.configure("auth-server", settings.log_level)
    listener = http_server.listen("127.0.0.1", settings.admin_port, "AUTH_ADMIN_")
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_serve_administration(settings, listener))


async def _serve_administration(settings: Settings, listener: socket.socket) -> None:
    with listener:
        async with administration_service(settings) as app:
            _log.info("starting", address=f"127.0.0.1:{settings.admin_port}", serves="administration")
            await http_server.serve(app, listener, lifespan="off", delay_seconds=0.0, shutdown_seconds=SHUTDOWN_SECONDS)
        _log.info("stopped")


async def _serve(settings: Settings, listener: socket.socket, metering: Metering | None) -> None:
    with listener:
        async with service(settings, metering=metering) as app:
            _log.info(
                "starting",
                issuer=settings.issuer,
                resources=list(settings.resources),
                store=urlsplit(settings.store_url).scheme,
                address=f"{settings.host}:{settings.port}",
                version=metadata.version("dynamosql-auth-server"),
            )
            await http_server.serve(
                app,
                listener,
                lifespan="off",
                delay_seconds=settings.shutdown_delay_seconds,
                shutdown_seconds=SHUTDOWN_SECONDS,
            )
        _log.info("stopped")


def _deployment(settings: Settings) -> Deployment:
    origins = (host if port == 443 else f"{host}:{port}" for host, port in settings.client_document_origins)
    return Deployment(
        settings.issuer,
        settings.resources,
        frozenset(settings.redirect_schemes),
        client_documents=settings.client_documents,
        document_origins=frozenset(f"https://{origin}" for origin in origins),
        dpop_nonce_required=settings.dpop_nonce_required,
        par_required=settings.par_required,
        registration=settings.registration,
        resource_aliases=settings.resource_aliases,
        assertion_issuers=settings.assertion_issuers,
        upstream=_upstream(settings),
    )


def _upstream(settings: Settings) -> Upstream | None:
    """The other provider. Raises UnusableKeyFile."""
    issuer, client_id = settings.upstream_issuer, settings.upstream_client_id
    file = settings.upstream_client_secret_file
    if issuer is None or client_id is None or file is None:
        return None
    return Upstream(issuer, client_id, read_private_file(file))


@asynccontextmanager
async def open_store(url: str, *, verify: bool = False) -> AsyncIterator[Store]:
    """The store that AUTH_STORE_URL names, which other processes may have open too. Raises CannotStart.

    `verify` looks for damage, which takes time.
    """
    backend = _backend(url)
    async with AsyncExitStack() as opened:
        with _telling_of_the_setting():
            store = await opened.enter_async_context(backend.open(url, verify=verify))
        yield store


@contextmanager
def _telling_of_the_setting() -> Iterator[None]:
    """UnusableStore as CannotStart."""
    try:
        yield
    except UnusableStore as error:
        message = f"{error}; see AUTH_STORE_URL"
        raise CannotStart(message) from error


def _backend(url: str) -> _Backend:
    """The kind of store that a URL names. Raises CannotStart."""
    scheme = urlsplit(url).scheme
    if scheme not in _BACKENDS:
        known = ", ".join(f"{name}://" for name in _BACKENDS)
        message = f"AUTH_STORE_URL names a store of kind {scheme!r}; there are {known}"
        raise CannotStart(message)
    return _BACKENDS[scheme]


async def _open_keys(
    store: Store, master_key: bytes, clock: Clock, entropy: Entropy, *, outage: float
) -> SealedKeyRing:
    try:
        return await open_key_ring(store, master_key, clock, entropy, outage=outage)
    except KeysLost as error:
        message = f"{error}; see AUTH_STORE_URL"
        raise CannotStart(message) from error
    except WrongMasterKey as error:
        message = f"AUTH_MASTER_KEY_FILE: {error}"
        raise CannotStart(message) from error


async def _keep_house(store: Store, keys: KeyRing, settings: Settings, trail: AuditTrail, clock: Clock) -> None:
    while True:
        # Whatever goes wrong, the next time may do better; an exception from here would end the service.
        try:
            swept = await store.sweep(clock.now())
            if swept:
                trail.record(EventName.SWEPT, rows=swept)
        except Exception:
            _log.exception("sweep_failed")
        try:
            if settings.key_rotation_days and await keys.rotate_older(settings.key_rotation_days * _DAY_SECONDS):
                trail.record(EventName.SIGNING_KEY_ROTATED, key_id=(await keys.signing_key()).key_id)
        except Exception:
            _log.exception("rotation_failed")
        try:
            forgotten = await store.forget_audit(clock.now() - settings.audit_days * _DAY_SECONDS)
            if forgotten:
                trail.record(EventName.AUDIT_FORGOTTEN, batches=forgotten, days=int(settings.audit_days))
            # Noted where whoever can write the store cannot change it.
            head = await store.audit_head()
            _log.info("audit_head", sequence=head.sequence, hash=head.hash.hex())
        except Exception:
            _log.exception("audit_not_forgotten")
        await anyio.sleep(HOUSEKEEPING_SECONDS)


async def examine(issuer: str, resources: Sequence[str]) -> list[Finding]:
    """What an examination of a deployment from outside finds; it needs no settings. See Doctor."""
    clock = SystemClock()
    return await Doctor(OverHttp(clock), clock).examine(issuer, resources)
