"""The operator's verbs over the configured store: for commands, and over HTTP."""

import asyncio
import socket
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, nullcontext

import anyio
import structlog
import uvloop

from auth_server.adapters.audit_trail import StoreAuditTrail
from auth_server.adapters.outside import OverHttp
from auth_server.adapters.passwords import Argon2Hasher
from auth_server.app.serving import SHUTDOWN_SECONDS
from auth_server.app.store import CannotStart, open_keys, open_store
from auth_server.domain import administrator
from auth_server.domain.finding import Finding
from auth_server.flows.administration.audit import Audit
from auth_server.flows.administration.keys import Keys
from auth_server.flows.administration.operation import Operation, recorded
from auth_server.flows.administration.remote import RemoteAdministration
from auth_server.flows.administration.verbs import Administration
from auth_server.flows.doctor.doctor import Doctor
from auth_server.ports.audit import AuditTrail
from auth_server.ports.people import PasswordHasher
from auth_server.ports.store import Store
from auth_server.settings import Settings
from auth_server.web.administration import administration_site
from shared_kernel import http_server, logs
from shared_kernel.asgi import App
from shared_kernel.clock import SystemClock
from shared_kernel.entropy import SystemEntropy
from shared_kernel.front_door import FrontDoor
from shared_kernel.key_file import read_key_file, read_private_file
from shared_kernel.request_log import RequestLog

_log = structlog.get_logger("auth_server")


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
            passwords=passwords or Argon2Hasher(),
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
            passwords=Argon2Hasher(),
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
        yield Keys(await open_keys(store, master_key, SystemClock(), SystemEntropy(), outage=0.0))


@asynccontextmanager
async def _recording(store: Store, settings: Settings, operation: Operation | None) -> AsyncIterator[AuditTrail]:
    """The audit trail of a store for a command, written as the block ends; it says so of an `operation`."""
    trail = StoreAuditTrail(store, SystemClock(), SystemEntropy(), keeps=settings.audit_days > 0)
    try:
        async with recorded(trail, operation) if operation else nullcontext():
            yield trail
    finally:
        await trail.close()


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


async def examine(issuer: str, resources: Sequence[str]) -> list[Finding]:
    """What an examination of a deployment from outside finds; it needs no settings. See Doctor."""
    clock = SystemClock()
    return await Doctor(OverHttp(clock), clock).examine(issuer, resources)
