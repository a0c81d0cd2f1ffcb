"""mcp-server with a token put on every request, since the conformance suite's `server` command cannot send one.

The wrapper stands outside the service's own application, so requests go through the real guard. The token comes in the
environment variable CONFORMANCE_TOKEN, the settings in the service's own.
"""

import os

import uvicorn

from mcp_server import app
from mcp_server.settings import Settings
from shared_kernel.asgi import App, Receive, Scope, Send


def with_token(served: App, token: str) -> App:
    """The application as it looks to a client that sends this token with every request."""

    async def wrapper(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            scope = {**scope, "headers": [*scope["headers"], (b"authorization", f"Bearer {token}".encode())]}
        await served(scope, receive, send)

    return wrapper


def main() -> None:
    """Serves until a signal."""
    configured = Settings.load()
    served = with_token(app.create_app(configured), os.environ["CONFORMANCE_TOKEN"])
    uvicorn.run(served, host=configured.host, port=configured.port, http="httptools", log_level="warning")


if __name__ == "__main__":
    main()
