"""mcp-server without its guard: every request bears the same principal. It shows what the guard costs.

The settings are the service's own.
"""

from typing import Any

from mcp_server.access.bearer import MESSAGE_KEY, PRINCIPAL_KEY
from mcp_server.app import serving
from mcp_server.domain.principal import Principal
from mcp_server.settings import Settings
from mcp_server.web import guard, message
from shared_kernel import scope
from shared_kernel.asgi import App, Receive, Scope, Send, read_body

SOMEBODY = Principal(
    tenant="default",
    subject="somebody",
    client_id="somebody",
    scopes=frozenset(scope.RESOURCE_SCOPES),
    grant="",
)


class Unguarded:
    """Stands where the guard stands, and admits everything."""

    def __init__(self, served: App, **_settings: Any) -> None:
        self._served = served

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serves one HTTP request."""
        sent = message.parse(await read_body(receive, guard.BODY_LIMIT))
        scope.setdefault("state", {}).update({PRINCIPAL_KEY: SOMEBODY, MESSAGE_KEY: sent.document})
        await self._served(scope, receive, send)


def main() -> None:
    """Serves until a signal."""
    guard.Guard = Unguarded  # type: ignore[assignment,misc]
    serving.serve(Settings.load())


if __name__ == "__main__":
    main()
