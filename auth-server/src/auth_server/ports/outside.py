"""A deployment as its clients meet it: over the network, through whatever stands in front of it."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol


class Obstacle(StrEnum):
    """Why no answer came."""

    NO_ADDRESS = "its name has no address"
    REFUSED = "nothing accepts connections there"
    TOO_SLOW = "no answer came in time"
    NOT_HTTP = "what answers does not speak HTTP"
    TOO_LONG = "its answer does not end"
    EXPIRED = "its certificate has expired, or is not valid yet"
    WRONG_NAME = "its certificate is for another name"
    UNTRUSTED = "its certificate comes from an authority that is not trusted"
    BROKEN_TLS = "it does not speak TLS as it should"


TLS_OBSTACLES = frozenset({Obstacle.EXPIRED, Obstacle.WRONG_NAME, Obstacle.UNTRUSTED, Obstacle.BROKEN_TLS})


class Unreachable(Exception):
    """No answer came from a URL."""

    def __init__(self, url: str, obstacle: Obstacle) -> None:
        super().__init__(f"{url}: {obstacle}")
        self.url, self.obstacle = url, obstacle


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP answer, never that of a redirect's target.

    `headers` have lower-case names. `date` is the server's clock as its Date header says, `received_at` ours at that
    moment, both in seconds since the epoch.
    """

    url: str
    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes
    received_at: float
    date: float | None = None

    def header(self, name: str) -> str:
        """The value of a header, its values joined; empty without one."""
        return ", ".join(value for key, value in self.headers if key == name)

    @property
    def media_type(self) -> str:
        """The content type without parameters, in lower case."""
        return self.header("content-type").partition(";")[0].strip().lower()


class Outside(Protocol):
    """Asks a deployment. Every verb is bounded in time, and raises Unreachable."""

    async def ask(self, method: str, url: str, headers: tuple[tuple[str, str], ...] = (), body: bytes = b"") -> Answer:
        """The answer to a request; a redirect is not followed."""

    async def certificate_end(self, url: str) -> float:
        """When the certificate of an https URL's host expires, in seconds since the epoch; it is valid now."""
