"""OAuth scopes (RFC 6749 §3.3) and the ones this product knows."""

import re
from collections.abc import Iterable
from functools import lru_cache

SCHEMAS_READ = "schemas:read"
QUERY = "query"
OFFLINE_ACCESS = "offline_access"
OPENID, PROFILE, EMAIL = "openid", "profile", "email"

RESOURCE_SCOPES = (SCHEMAS_READ, QUERY)
"""What a resource server can demand, in the order in which it is shown and written."""
IDENTITY_SCOPES = (OPENID, PROFILE, EMAIL)
"""What lets a client know who its person is (OpenID Connect Core §5.4); resource servers have no use for them."""

# RFC 6749 §3.3: "scope-token = 1*( %x21 / %x23-5B / %x5D-7E )"
_SCOPE = re.compile(r"[\x21\x23-\x5b\x5d-\x7e]+(?: [\x21\x23-\x5b\x5d-\x7e]+)*")
MAX_LENGTH = 1024


class MalformedScope(ValueError):
    """The text is not a scope list of RFC 6749 §3.3, or is unreasonably long."""


def parse(text: str) -> frozenset[str]:
    """The scopes in a `scope` parameter; the empty text holds none. Raises MalformedScope."""
    if not text:
        return frozenset()
    if len(text) > MAX_LENGTH or not _SCOPE.fullmatch(text):
        raise MalformedScope
    return frozenset(text.split(" "))


def join(scopes: Iterable[str]) -> str:
    """The `scope` parameter that names these scopes: known ones first in their fixed order, others sorted."""
    return _join(frozenset(scopes))


@lru_cache(maxsize=256)
def _join(wanted: frozenset[str]) -> str:
    known = [name for name in (*RESOURCE_SCOPES, OFFLINE_ACCESS, *IDENTITY_SCOPES) if name in wanted]
    return " ".join([*known, *sorted(wanted.difference(known))])
