"""Whose request it is, as far as addresses tell."""

import ipaddress
from collections.abc import Sequence

from shared_kernel.asgi import Scope, header_values

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Address = ipaddress.IPv4Address | ipaddress.IPv6Address


def client_address(scope: Scope, trusted_proxies: Sequence[Network]) -> str:
    """The nearest address that is not one of our proxies; without trusted proxies, the peer's.

    Only what a trusted proxy appended to `X-Forwarded-For` counts, so a client cannot choose its address.
    """
    peer = scope.get("client")
    nearest = _parse(peer[0]) if peer else None
    if nearest is None:
        return "unknown"
    hops = [hop.strip() for value in header_values(scope, "x-forwarded-for") for hop in value.split(",")]
    while hops and any(nearest in network for network in trusted_proxies):
        hop = _parse(hops.pop())
        if hop is None:
            break
        nearest = hop
    return str(nearest)


def _parse(text: str) -> Address | None:
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return mapped or address
