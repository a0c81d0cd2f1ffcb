"""Which address a request counts for: the peer's, or what a trusted proxy says of it."""

import ipaddress
from collections.abc import Iterable
from functools import lru_cache
from typing import Any, cast

from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from shared_kernel.asgi import App, Prepared, Receive, Scope, Send, at_once_of
from shared_kernel.settings import Network

UNKNOWN = "unknown"


def behind_proxies(app: App, proxies: Iterable[Network]) -> App:
    """The application, whose scopes name as client the nearest address that is not one of these proxies.

    Only what a trusted proxy appended to `X-Forwarded-For` counts, so a client cannot choose its address.
    """
    # A socket that listens on IPv6 sees IPv4 peers as ::ffff:a.b.c.d.
    trusted = [form for network in proxies for form in (str(network), *_mapped(network))]
    return cast("App", _BehindProxies(app, trusted)) if trusted else app


class _BehindProxies(ProxyHeadersMiddleware):
    """uvicorn's middleware, for requests that are answered at once as well."""

    def __init__(self, app: App, trusted: list[str]) -> None:
        super().__init__(app, trusted)  # type: ignore[arg-type] # same shapes
        self._at_once = at_once_of(app)
        self._resolving = ProxyHeadersMiddleware(_nothing, trusted)  # type: ignore[arg-type] # same shapes

    def at_once(self, scope: Scope) -> Prepared | None:
        """Answers a request without a body, if that takes no waiting."""
        try:
            self._resolving(scope, _unused, _unused).send(None)  # type: ignore[arg-type] # it ends without waiting
        except StopIteration:
            return self._at_once(scope)
        return None


async def _nothing(scope: Scope, receive: Receive, send: Send) -> None:
    """An application that does nothing."""


async def _unused(*_: Any) -> Any:
    raise AssertionError


def client_address(scope: Scope) -> str:
    """The client's address in canonical form; UNKNOWN without a peer, or when a proxy reports no address."""
    client = scope.get("client")
    return _canonical(client[0]) if client else UNKNOWN


@lru_cache(maxsize=4096)
def _canonical(text: str) -> str:
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return UNKNOWN
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return str(mapped or address)


def _mapped(network: Network) -> tuple[str, ...]:
    if isinstance(network, ipaddress.IPv6Network):
        return ()
    return (f"::ffff:{network.network_address}/{96 + network.prefixlen}",)
