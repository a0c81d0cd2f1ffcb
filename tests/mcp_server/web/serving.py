"""Real HTTP servers inside the test's own event loop, and an issuer that serves its keys through one."""

import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from functools import partial

import anyio
import httpx2
import uvicorn
from joserfc.jwk import ECKey
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from mcp_server.adapters.revocations import FollowedRevocations
from mcp_server.ports.keys import KeySet
from shared_kernel import access_token, revocations, scope
from shared_kernel.access_token import Claims
from shared_kernel.asgi import App
from shared_kernel.clock import Clock, SystemClock
from shared_kernel.http_connection import BoundedHttpProtocol
from shared_kernel.http_server import Server
from shared_kernel.revocations import Feed
from shared_kernel.signer import Signer


class AnnouncingServer(Server):
    """The production server, but it tells when it serves and leaves the test's signals alone."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.serving = anyio.Event()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.serving.set()


@contextmanager
def listening() -> Iterator[socket.socket]:
    """A bound loopback socket on a free port."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        yield listener


def origin_of(listener: socket.socket) -> str:
    """The URL of a server on that socket."""
    return f"http://127.0.0.1:{listener.getsockname()[1]}"


@asynccontextmanager
async def serving(app: App, listener: socket.socket) -> AsyncIterator[AnnouncingServer]:
    """Serves an application as production does."""
    config = uvicorn.Config(app, http=BoundedHttpProtocol, ws="none", log_config=None, timeout_graceful_shutdown=5)
    server = AnnouncingServer(config)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(partial(server.serve, sockets=[listener]))
        with anyio.fail_after(60):
            await server.serving.wait()
        try:
            yield server
        finally:
            server.stop()


class Issuer:
    """An issuer: its keys, what its JWKS endpoint answers, and how often that was asked."""

    def __init__(self, url: str, audience: str) -> None:
        self.url, self.audience = url, audience
        self.key = new_key()
        self.published: list[ECKey] = [self.key]
        self.response: Response | None = None
        self.fetches = 0
        self.asked = anyio.Event()
        self.fetched = anyio.Event()
        self.gate: anyio.Event | None = None
        self.grants: dict[str, float] = {}
        self.clients: dict[str, float] = {}
        self.users: dict[str, float] = {}
        self.members: dict[str, float] = {}
        self.cursors: list[str | None] = []
        self.feed: str | Response | None = None
        """What `/revocations` answers instead of the truth."""
        self.followed = anyio.Event()
        """Set at each look at `/revocations`; for the test to replace."""
        self.app = Starlette(
            routes=[Route("/.well-known/jwks.json", self._jwks), Route("/revocations", self._revocations)]
        )

    async def _revocations(self, request: Request) -> Response:
        self.cursors.append(request.query_params.get("after"))
        self.followed.set()
        if isinstance(self.feed, Response):
            return self.feed
        return Response(self.written_feed() if self.feed is None else self.feed)

    def written_feed(self, *, key: ECKey | None = None, issuer: str | None = None, now: float | None = None) -> str:
        """The feed as auth-server writes it, but for what is given."""
        issued_at = SystemClock().now() if now is None else now
        feed = Feed(
            issued_at=issued_at,
            cursor=str(int(issued_at)),
            key_ids=frozenset(str(each.kid) for each in self.published),
            grants=self.grants,
            clients=self.clients,
            users=self.users,
            members=self.members,
        )
        return revocations.write(Signer(key or self.key), issuer or self.url, feed)

    async def _jwks(self, _request: Request) -> Response:
        self.fetches += 1
        self.asked.set()
        if self.gate is not None:
            await self.gate.wait()
        self.fetched.set()
        if self.response is not None:
            return self.response
        keys = [{**key.as_dict(private=False), "use": "sig", "alg": "ES256"} for key in self.published]
        return JSONResponse({"keys": keys})

    def token(
        self,
        *,
        scopes: tuple[str, ...] = scope.RESOURCE_SCOPES,
        key: ECKey | None = None,
        audience: str | None = None,
        issuer: str | None = None,
        subject: str = "usr_1",
        tenant: str = "default",
        roles: frozenset[str] = frozenset(),
        now: float | None = None,
        key_thumbprint: str | None = None,
    ) -> str:
        """A token as auth-server mints it, but for what is given."""
        claims = Claims(
            issuer=issuer or self.url,
            subject=subject,
            audience=audience or self.audience,
            client_id="client-1",
            scopes=frozenset(scopes),
            tenant=tenant,
            grant_handle="gid-1",
            token_id="jti-1",
            key_thumbprint=key_thumbprint,
            roles=roles,
        )
        return access_token.issue(Signer(key or self.key), claims, SystemClock().now() if now is None else now)


def follower(
    issuer: Issuer,
    fetching: httpx2.AsyncClient,
    keys: KeySet[ECKey],
    *,
    strict: bool = False,
    clock: Clock | None = None,
) -> FollowedRevocations:
    """What follows an issuer's revocations; it has heard nothing as long as nobody lets it follow."""
    url, clock = f"{issuer.url}/revocations", clock or SystemClock()
    return FollowedRevocations(fetching, url, keys=keys, issuer=issuer.url, strict=strict, clock=clock)


def new_key() -> ECKey:
    """A P-256 key pair that carries its kid."""
    return ECKey.generate_key("P-256", auto_kid=True)
