"""Which address a request counts for."""

import ipaddress

import pytest

from auth_server.web.addresses import client_address

PROXIES = (ipaddress.ip_network("10.0.0.0/8"), ipaddress.ip_network("fd00::/8"))


def scope(peer: str | None, *forwarded: str) -> dict[str, object]:
    client = (peer, 4711) if peer else None
    return {"client": client, "headers": [(b"x-forwarded-for", value.encode()) for value in forwarded]}


@pytest.mark.parametrize(
    ("peer", "forwarded", "address"),
    [
        ("203.0.113.7", (), "203.0.113.7"),
        ("203.0.113.7", ("198.51.100.1",), "203.0.113.7"),
        ("10.0.0.1", ("198.51.100.1",), "198.51.100.1"),
        ("10.0.0.1", ("192.0.2.66, 198.51.100.1, 10.2.3.4",), "198.51.100.1"),
        ("10.0.0.1", ("192.0.2.66", "198.51.100.1"), "198.51.100.1"),
        ("10.0.0.1", ("192.0.2.66, garbage",), "10.0.0.1"),
        ("10.0.0.1", ("10.9.9.9",), "10.9.9.9"),
        ("10.0.0.1", (), "10.0.0.1"),
        ("fd00::1", ("2001:db8::1",), "2001:db8::1"),
        ("::ffff:10.0.0.1", ("::ffff:198.51.100.1",), "198.51.100.1"),
        (None, ("198.51.100.1",), "unknown"),
    ],
)
def test_the_nearest_address_beyond_our_proxies_counts(
    peer: str | None, forwarded: tuple[str, ...], address: str
) -> None:
    assert client_address(scope(peer, *forwarded), PROXIES) == address


def test_without_trusted_proxies_a_forwarded_address_is_only_a_claim() -> None:
    assert client_address(scope("10.0.0.1", "198.51.100.1"), ()) == "10.0.0.1"
