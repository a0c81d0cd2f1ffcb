"""Which network addresses belong to the public Internet (RFC 6890 and the IANA special-purpose registries)."""

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

_SPECIAL_V4 = tuple(
    IPv4Network(network)
    for network in (
        "0.0.0.0/8",  # this network
        "10.0.0.0/8",
        "100.64.0.0/10",  # carrier-grade NAT
        "127.0.0.0/8",
        "169.254.0.0/16",  # link-local, where clouds keep their metadata
        "172.16.0.0/12",
        "192.0.0.0/24",
        "192.0.2.0/24",
        "192.31.196.0/24",
        "192.52.193.0/24",
        "192.88.99.0/24",  # 6to4 relays
        "192.168.0.0/16",
        "192.175.48.0/24",
        "198.18.0.0/15",
        "198.51.100.0/24",
        "203.0.113.0/24",
        "224.0.0.0/4",
        "240.0.0.0/4",  # with 255.255.255.255
    )
)
_UNICAST_V6 = IPv6Network("2000::/3")
# Within it, everything that is not a host's own address. An IPv4 address inside an IPv6 one (mapped, 6to4, NAT64,
# Teredo) could lead to any of the networks above.
_SPECIAL_V6 = tuple(IPv6Network(network) for network in ("2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20"))


def is_public(address: str) -> bool:
    """Whether an IP address, in any spelling that a resolver or a socket gives, is a public host's."""
    host, _, zone = address.partition("%")
    if zone:
        return False
    try:
        parsed = ip_address(host)
    except ValueError:
        return False
    if isinstance(parsed, IPv4Address):
        return not any(parsed in network for network in _SPECIAL_V4)
    assert isinstance(parsed, IPv6Address)
    return parsed in _UNICAST_V6 and not any(parsed in network for network in _SPECIAL_V6)
