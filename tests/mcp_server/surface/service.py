"""The service over given tools, on a real socket, with an issuer of its own."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx2
from mcp import Client
from mcp.client.session import ElicitationFnT
from mcp.client.streamable_http import streamable_http_client
from typing_extensions import TypedDict

from mcp_server.adapters.jwks import PublishedKeys
from mcp_server.adapters.single_use import SingleUseInMemory
from mcp_server.app.http import http_app
from mcp_server.settings import Settings
from mcp_server.surface.call import Call
from mcp_server.surface.offer import Offer
from mcp_server.surface.server import Surface
from mcp_server.surface.subscriptions import Subscriptions
from mcp_server.surface.tools.served_tool import Arguments, ServedTool, serve
from shared_kernel import scope
from shared_kernel.clock import SystemClock
from shared_kernel.dpop_nonce import Nonces
from shared_kernel.entropy import SystemEntropy
from shared_kernel.http_server import Server
from tests.mcp_server.web.serving import Issuer, follower, listening, origin_of, serving

MODES = ("2026-07-28", "legacy", "auto")
"""How the official client can speak to a server: the newest revision, the handshake, or whichever it finds."""


@dataclass(frozen=True, slots=True)
class Service:
    """A running service. `address` is its host and port."""

    issuer: Issuer
    resource: str
    address: tuple[str, int]
    server: Server

    @asynccontextmanager
    async def client(
        self,
        mode: str,
        scopes: tuple[str, ...] = scope.RESOURCE_SCOPES,
        subject: str = "usr_1",
        elicit: ElicitationFnT | None = None,
        tenant: str = "default",
    ) -> AsyncIterator[Client]:
        """The official client, signed in with these scopes; `elicit` answers what its person is asked."""
        headers = {"Authorization": f"Bearer {self.issuer.token(scopes=scopes, subject=subject, tenant=tenant)}"}
        async with (
            httpx2.AsyncClient(headers=headers) as http,
            Client(
                streamable_http_client(self.resource, http_client=http), mode=mode, elicitation_callback=elicit
            ) as client,
        ):
            yield client


class Done(TypedDict):
    """The result of a waiting tool."""

    done: bool


def waiting_tool(wait: Callable[[Call, Arguments], Awaitable[Done]]) -> ServedTool:
    """The tool `wait`, for scope `query`, over what it does."""
    return serve(
        wait,
        name="wait",
        title="Wait",
        description="Waits.",
        scopes=frozenset({"query"}),
        arguments=Arguments,
        result=Done,
    )


@asynccontextmanager
async def running_service(offer: Offer) -> AsyncIterator[Service]:
    """The whole HTTP application over an offer."""
    nowhere = Path("/nonexistent")
    with listening() as issuing, listening() as listener:
        resource = f"{origin_of(listener)}/mcp"
        issuer = Issuer(origin_of(issuing), resource)
        settings = Settings(resource=resource, issuer=issuer.url, schemas_file=nowhere, cursor_key_file=nowhere)
        async with httpx2.AsyncClient() as fetching:
            keys = PublishedKeys(fetching, settings.keys_url, clock=SystemClock())
            app = http_app(
                settings,
                Surface(
                    offer, Subscriptions(), title="DynamoSQL", version="1", state_key=b"k" * 32, clock=SystemClock()
                ),
                keys,
                follower(issuer, fetching, keys),
                nonces=Nonces(b"k" * 32, "mcp-server"),
                used_proofs=SingleUseInMemory(SystemClock()),
                running=_nothing,
                ready=lambda: True,
                clock=SystemClock(),
                entropy=SystemEntropy(),
            )
            async with serving(issuer.app, issuing), serving(app, listener) as server:
                yield Service(issuer, resource, listener.getsockname(), server)


@asynccontextmanager
async def _nothing() -> AsyncIterator[None]:
    yield
