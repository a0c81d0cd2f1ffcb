"""`dynamodb://table?region=…&endpoint_url=…`: where the table is. Credentials come from the SDK's own chain."""

import re
from dataclasses import dataclass
from urllib.parse import parse_qsl, urlsplit

from auth_server.ports.store import UnusableStore

_TABLE = re.compile(r"[A-Za-z0-9_.-]{3,255}")
_FORM = "must be dynamodb://TABLE, with ?region=… and &endpoint_url=… where the SDK's own settings do not say it"


@dataclass(frozen=True, slots=True)
class Address:
    """A table's name, and where it is if the URL says so."""

    table: str
    region: str | None
    endpoint_url: str | None


def address_in(url: str) -> Address:
    """What the URL names. Raises UnusableStore."""
    parts = urlsplit(url)
    given = dict(parse_qsl(parts.query, keep_blank_values=True))
    region, endpoint_url = given.pop("region", None), given.pop("endpoint_url", None)
    if given or parts.path.strip("/") or parts.fragment or not _TABLE.fullmatch(parts.netloc):
        raise UnusableStore(_FORM)
    endpoint = urlsplit(endpoint_url or "https://aws")
    if endpoint.scheme not in {"http", "https"} or not endpoint.hostname or "@" in endpoint.netloc:
        raise UnusableStore(_FORM)
    return Address(parts.netloc, region or None, endpoint_url)
