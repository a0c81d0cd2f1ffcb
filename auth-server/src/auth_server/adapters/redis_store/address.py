"""What `redis://` and `rediss://` URLs say."""

import re
from dataclasses import dataclass, field
from urllib.parse import parse_qsl, unquote, urlsplit

from auth_server.ports.store import UnusableStore

_NAME = re.compile(r"[A-Za-z0-9_-]{1,40}")
_FORM = "redis[s]://[user:password@]host[:port][/database][?wait_replicas=1&prefix=auth]"


@dataclass(frozen=True, slots=True)
class Address:
    """Where the store is. All its keys begin with `{prefix}:`; some verbs wait for that many replicas."""

    host: str
    port: int
    database: int
    username: str | None
    password: str | None = field(repr=False)
    tls: bool
    prefix: str
    wait_replicas: int

    @property
    def place(self) -> str:
        """Where, for logs and messages: without user, password and options."""
        return f"{self.host}:{self.port}/{self.database}"


def parse(url: str) -> Address:
    """The address. Raises UnusableStore, with a text that repeats nothing of the URL."""
    try:
        parts = urlsplit(url)
        options = dict(parse_qsl(parts.query, keep_blank_values=True, strict_parsing=bool(parts.query)))
        address = Address(
            host=parts.hostname or "",
            port=parts.port or 6379,
            database=int(parts.path.strip("/") or 0),
            username=unquote(parts.username) if parts.username else None,
            password=unquote(parts.password) if parts.password else None,
            tls=parts.scheme == "rediss",
            prefix=options.pop("prefix", "auth"),
            wait_replicas=int(options.pop("wait_replicas", "0")),
        )
    except ValueError as error:
        raise _malformed() from error
    if (
        not address.host
        or address.database < 0
        or address.wait_replicas < 0
        or not _NAME.fullmatch(address.prefix)
        or options
        or parts.fragment
    ):
        raise _malformed()
    return address


def _malformed() -> UnusableStore:
    return UnusableStore(f"the URL must be {_FORM}")
