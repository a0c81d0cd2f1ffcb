"""mcp-server with the profile that the conformance suite calls in place of its own tools, and with a token.

The suite's `server` command cannot send a token, so a wrapper outside the service's application puts one on every
request: they go through the real guard. It comes in the environment variable CONFORMANCE_TOKEN, the settings in the
service's own.
"""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import anyio
import httpx2
import uvloop

from mcp_server.adapters.jwks import PublishedKeys
from mcp_server.adapters.revocations import FollowedRevocations
from mcp_server.adapters.single_use import SingleUseInMemory
from mcp_server.app.http import http_app
from mcp_server.settings import Settings
from mcp_server.surface.offer import Offer
from mcp_server.surface.server import Surface
from mcp_server.surface.subscriptions import Subscriptions
from shared_kernel import http_server
from shared_kernel.asgi import App, Receive, Scope, Send
from shared_kernel.clock import SystemClock
from shared_kernel.dpop_nonce import Nonces
from shared_kernel.entropy import SystemEntropy
from tests.conformance.profile.asking_tools import ASKING_TOOLS
from tests.conformance.profile.changes import changing_tools
from tests.conformance.profile.plain_tools import PLAIN_TOOLS
from tests.conformance.profile.reading import METHODS, PROMPTS, RESOURCES, TEMPLATES
from tests.conformance.profile.rounds import ROUND_TOOLS

KEY = b"k" * 32


def with_token(served: App, token: str) -> App:
    """The application as it looks to a client that sends this token with every request."""

    async def wrapper(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            scope = {**scope, "headers": [*scope["headers"], (b"authorization", f"Bearer {token}".encode())]}
        await served(scope, receive, send)

    return wrapper


def profile_app(settings: Settings) -> App:
    """The service's HTTP application over the profile."""
    clock, subscriptions, fetching = SystemClock(), Subscriptions(), httpx2.AsyncClient()
    keys = PublishedKeys(fetching, settings.keys_url, clock=clock)
    revocations = FollowedRevocations(
        fetching, settings.feed_url, keys=keys, issuer=settings.issuer, strict=False, clock=clock
    )
    offer = Offer(
        tools=(*PLAIN_TOOLS, *ASKING_TOOLS, *ROUND_TOOLS, *changing_tools(subscriptions)),
        resources=RESOURCES,
        templates=TEMPLATES,
        prompts=PROMPTS,
        methods=METHODS,
    )

    @asynccontextmanager
    async def running() -> AsyncIterator[None]:
        async with fetching, anyio.create_task_group() as background:
            background.start_soon(revocations.follow)
            yield
            background.cancel_scope.cancel()

    return http_app(
        settings,
        Surface(offer, subscriptions, title="Profile", version="1", state_key=KEY, clock=clock),
        keys,
        revocations,
        nonces=Nonces(KEY, "mcp-server"),
        used_proofs=SingleUseInMemory(clock),
        running=running,
        ready=lambda: True,
        clock=clock,
        entropy=SystemEntropy(),
    )


def main() -> None:
    """Serves until a signal, by the service's own HTTP server."""
    settings = Settings.load()
    served = with_token(profile_app(settings), os.environ["CONFORMANCE_TOKEN"])
    with (
        http_server.listen(settings.host, settings.port, "MCP_") as listener,
        asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner,
    ):
        runner.run(http_server.serve(served, listener, lifespan="on", delay_seconds=0, shutdown_seconds=1))


if __name__ == "__main__":
    main()
