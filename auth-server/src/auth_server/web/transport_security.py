"""Browsers that have reached the server over https go on doing so (RFC 6797)."""

from shared_kernel.asgi import App, Receive, Scope, Send, answer_headers

# A year. Without includeSubDomains: the hosts below ours may be somebody else's business.
HEADER = (b"strict-transport-security", b"max-age=31536000")


class StrictTransportSecurity:
    """Adds the header to every answer; for https issuers only."""

    def __init__(self, app: App) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serves one HTTP request."""
        answer_headers(scope).append(HEADER)
        await self._app(scope, receive, send)
