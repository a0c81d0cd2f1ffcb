"""Which address a request counts for."""

import ipaddress
from collections.abc import Sequence

import pytest

from shared_kernel.asgi import Receive, Scope, Send, at_once_of
from shared_kernel.client_address import behind_proxies, client_address
from shared_kernel.settings import Network

pytestmark = pytest.mark.anyio

PROXIES = (ipaddress.ip_network("10.0.0.0/8"), ipaddress.ip_network("fd00::/8"))


async def address_of(peer: str | None, forwarded: Sequence[str], proxies: Sequence[Network]) -> str:
    """The address that an application behind these proxies counts a request for."""
    seen = []

    async def application(scope: Scope, _receive: Receive, _send: Send) -> None:
        seen.append(client_address(scope))

    async def unused(*_: object) -> dict[str, object]:
        raise AssertionError

    headers = [(b"x-forwarded-for", value.encode()) for value in forwarded]
    scope: Scope = {"type": "http", "client": (peer, 4711) if peer else None, "headers": headers}
    await behind_proxies(application, proxies)(scope, unused, unused)  # type: ignore[arg-type]
    [address] = seen
    assert address_at_once(peer, headers, proxies) == address
    return address


def address_at_once(peer: str | None, headers: Sequence[tuple[bytes, bytes]], proxies: Sequence[Network]) -> str:
    """The same, of a request that is answered at once."""

    class Prompt:
        seen = ""

        def at_once(self, scope: Scope) -> None:
            self.seen = client_address(scope)

        async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
            raise AssertionError

    prompt = Prompt()
    scope: Scope = {"type": "http", "client": (peer, 4711) if peer else None, "headers": headers}
    at_once_of(behind_proxies(prompt, proxies))(scope)
    return prompt.seen


@pytest.mark.parametrize(
    ("peer", "forwarded", "address"),
    [
        ("203.0.113.7", (), "203.0.113.7"),
        ("203.0.113.7", ("198.51.100.1",), "203.0.113.7"),
        ("10.0.0.1", ("198.51.100.1",), "198.51.100.1"),
        ("10.0.0.1", ("198.51.100.1:53211",), "198.51.100.1"),
        ("10.0.0.1", ("192.0.2.66, 198.51.100.1, 10.2.3.4",), "198.51.100.1"),
        ("10.0.0.1", ("192.0.2.66", "198.51.100.1"), "198.51.100.1"),
        ("10.0.0.1", ("192.0.2.66, garbage",), "unknown"),
        ("10.0.0.1", ("10.9.9.9",), "10.9.9.9"),
        ("10.0.0.1", (), "10.0.0.1"),
        ("fd00::1", ("2001:DB8::0001",), "2001:db8::1"),
        ("fd00::1", ("[2001:db8::1]:53211",), "2001:db8::1"),
        ("::ffff:10.0.0.1", ("::ffff:198.51.100.1",), "198.51.100.1"),
        ("::ffff:203.0.113.7", ("198.51.100.1",), "203.0.113.7"),
        (None, ("198.51.100.1",), "unknown"),
    ],
)
async def test_the_nearest_address_beyond_our_proxies_counts(
    peer: str | None, forwarded: tuple[str, ...], address: str
) -> None:
    assert await address_of(peer, forwarded, PROXIES) == address


async def test_without_trusted_proxies_a_forwarded_address_is_only_a_claim() -> None:
    assert await address_of("10.0.0.1", ("198.51.100.1",), ()) == "10.0.0.1"
