"""Challenges of resource servers (RFC 9110 §11.6.1, RFC 6750 §3), as clients read them."""

import re
from collections.abc import Mapping

# RFC 9110 §11.2: 'auth-param = token BWS "=" BWS ( token / quoted-string )'
_PARAMETER = re.compile(r'\s*([A-Za-z0-9!#$%&\'*+.^_`|~-]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s",]+))\s*(?:,|$)')


def bearer_parameters(header: str) -> Mapping[str, str] | None:
    """The parameters of a Bearer challenge that a WWW-Authenticate header begins with; None if it holds none."""
    scheme, _, rest = header.strip().partition(" ")
    if scheme.lower() != "bearer":
        return None
    found: dict[str, str] = {}
    position = 0
    while parameter := _PARAMETER.match(rest, position):
        name, quoted, token = parameter.groups()
        found[name.lower()] = re.sub(r"\\(.)", r"\1", quoted) if token is None else token
        position = parameter.end()
    return found
