"""What every HTTP request passes before a service sees it: its name, its spelling, and whether there is room for it."""

from collections.abc import Iterable
from urllib.parse import urlsplit

from shared_kernel.asgi import (
    WHOLE_BODY,
    App,
    Message,
    Prepared,
    Receive,
    Scope,
    Send,
    WholeBody,
    at_once_of,
    header_values,
    send_json,
)
from shared_kernel.http_connection import STOPPING

PROBES = frozenset({"/livez", "/readyz"})
"""Answered whatever the load and whatever the Host: load balancers and kubelets call a machine by its address."""
RETRY_AFTER_SECONDS = 1
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
# RFC 6749 §5.1 and §5.2 have these on every answer of the token endpoint, whoever refuses the request.
_NOT_STORED = [("Cache-Control", "no-store"), ("Pragma", "no-cache"), ("X-Content-Type-Options", "nosniff")]
# A refusal says nothing about anybody, and a script that cannot read it cannot wait as it asks.
_UNAVAILABLE = [
    *_NOT_STORED,
    ("Retry-After", str(RETRY_AFTER_SECONDS)),
    ("Access-Control-Allow-Origin", "*"),
    ("Access-Control-Expose-Headers", "Retry-After"),
]


def host_names(urls: Iterable[str]) -> frozenset[str]:
    """The host names of public URLs, as `Host` gives them."""
    return frozenset(urlsplit(url).hostname or "" for url in urls)


class FrontDoor:
    """Admits a request if it names this service and fewer than `limit` others are being worked on.

    `hosts` are the names, without port, by which clients reach the service; loopback names always do. While the service
    stops, `/readyz` is 503 here. A request counts while we work on it, not while we wait for its client: whoever sends
    or reads slowly takes nobody's place.
    """

    def __init__(self, app: App, *, hosts: frozenset[str], limit: int) -> None:
        self._app, self._hosts, self._limit = app, hosts | _LOOPBACK, limit
        self._at_once = at_once_of(app)
        self._working = 0

    @property
    def working(self) -> int:
        """How many requests are being worked on."""
        return self._working

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serves one connection scope."""
        if scope["type"] != "http":
            return await self._app(scope, receive, send)
        # No path of ours needs percent-encoding. A proxy in front that compares paths sees what the client wrote, so
        # `/%74oken` must not be `/token` here.
        if b"%" in scope.get("raw_path", b""):
            scope["path"] = scope["raw_path"].decode("latin-1")
        if scope["path"] in PROBES:
            if scope["path"] == "/readyz" and STOPPING in scope.get("state", ()):
                return await send_json(send, 503, {"status": "stopping"}, _UNAVAILABLE)
            return await self._app(scope, receive, send)
        names = header_values(scope, "host")
        # RFC 9112 §3.2: "A server MUST respond with a 400 (Bad Request) status code to any HTTP/1.1 request message
        # that lacks a Host header field and to any request message that contains more than one Host header field line"
        if len(names) > 1 or (not names and scope["http_version"] == "1.1"):
            document = {"error": "invalid_request", "error_description": "Send one Host header."}
            return await send_json(send, 400, document, _NOT_STORED)
        if names and _name(names[0]) not in self._hosts:
            text = "This server does not answer by that name."
            document = {"error": "misdirected_request", "error_description": text}
            return await send_json(send, 421, document, _NOT_STORED)
        if self._working >= self._limit:
            text = "The server is busy. Try again in a moment; nothing was used up."
            document = {"error": "temporarily_unavailable", "error_description": text}
            return await send_json(send, 503, document, _UNAVAILABLE)
        return await self._admit(scope, receive, send)

    def at_once(self, scope: Scope) -> Prepared | None:
        """The application's answer, for a request that would be admitted."""
        names = header_values(scope, "host")
        if b"%" in scope.get("raw_path", b"") or len(names) != 1 or _name(names[0]) not in self._hosts:
            return None
        if self._working >= self._limit:
            return None
        return self._at_once(scope)

    async def _admit(self, scope: Scope, receive: Receive, send: Send) -> None:
        arriving = True

        async def receive_uncounted() -> Message:
            nonlocal arriving
            if not arriving:  # what comes now is the end of the connection, which is awaited beside the work
                return await receive()
            self._working -= 1
            try:
                message = await receive()
            finally:
                self._working += 1
            arriving = message.get("more_body", False)
            return message

        async def send_uncounted(message: Message) -> None:
            self._working -= 1
            try:
                await send(message)
            finally:
                self._working += 1

        extensions = scope.get("extensions", {})
        whole_body: WholeBody | None = extensions.get(WHOLE_BODY)
        if whole_body is not None:

            def whole_body_arrived() -> bytes | None:
                nonlocal arriving
                body = whole_body()
                arriving = arriving and body is None
                return body

            extensions[WHOLE_BODY] = whole_body_arrived

        self._working += 1
        try:
            await self._app(scope, receive_uncounted, send_uncounted)
        finally:
            self._working -= 1


def _name(host: str) -> str:
    """The host name in a Host header's value: without port, in lower case, an IPv6 address without brackets.

    Empty if what stands behind the name is no port: others may take the name to be elsewhere.
    """
    if host.startswith("["):
        address, _, rest = host[1:].partition("]")
        return address.lower() if not rest or (rest[0] == ":" and rest[1:].isdecimal()) else ""
    name, _, port = host.partition(":")
    return name.lower() if port.isdecimal() or not port else ""
