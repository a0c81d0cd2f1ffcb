"""Which addresses a client's document may be fetched from."""

import pytest

from auth_server.adapters.client_documents.public_addresses import is_public

SPECIAL = [
    "0.0.0.0", "0.1.2.3", "10.0.0.1", "10.255.255.255", "100.64.0.1", "100.127.255.255", "127.0.0.1", "127.1.2.3",
    "169.254.169.254", "172.16.0.1", "172.31.255.255", "192.0.0.1", "192.0.0.170", "192.0.2.1", "192.31.196.1",
    "192.52.193.1", "192.88.99.1", "192.168.0.1", "192.175.48.1", "198.18.0.1", "198.19.255.255", "198.51.100.1",
    "203.0.113.1", "224.0.0.1", "239.255.255.255", "240.0.0.1", "255.255.255.255",
    "::", "::1", "::10.0.0.1", "::ffff:10.0.0.1", "::ffff:8.8.8.8", "::ffff:0:10.0.0.1", "64:ff9b::a00:1",
    "64:ff9b::808:808", "64:ff9b:1::a00:1", "100::1", "100:0:0:1::1", "2001::1", "2001:0:a00:1::1", "2001:10::1",
    "2001:20::1", "2001:db8::1", "2002:a00:1::1", "2002:808:808::1", "3fff::1", "5f00::1", "fc00::1", "fd00:ec2::254",
    "fe80::1", "fe80::1%eth0", "fec0::1", "ff02::1",
]  # fmt: skip
PUBLIC = [
    "1.1.1.1", "8.8.8.8", "9.255.255.255", "11.0.0.0", "100.63.255.255", "100.128.0.0", "172.15.255.255", "172.32.0.0",
    "192.167.255.255", "223.255.255.255", "2606:4700::1111", "2a00:1450:4001:80b::200e",
]  # fmt: skip


@pytest.mark.parametrize("address", SPECIAL)
def test_g04_an_address_with_a_special_purpose_is_not_public(address: str) -> None:
    """The registries of RFC 6890, and every form in which an IPv4 address hides in an IPv6 one."""
    assert not is_public(address)


@pytest.mark.parametrize("address", PUBLIC)
def test_every_other_address_is_public(address: str) -> None:
    """The neighbours of special networks too."""
    assert is_public(address)


@pytest.mark.parametrize("text", ["", "localhost", "2130706433", "0x7f000001", "127.1", "8.8.8.8 ", "2606:4700::1%1"])
def test_g05_what_is_no_address_is_not_public(text: str) -> None:
    """A resolver gives addresses in one spelling; any other is not trusted."""
    assert not is_public(text)
