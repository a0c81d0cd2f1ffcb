"""Fetches documents of clients over HTTPS: no redirect, no proxy, no cookie, five seconds and few kilobytes in all."""

import functools
import re
import ssl
from collections.abc import Iterable, Sequence

import anyio
import httpcore2

from auth_server.adapters.client_documents.public_connections import ForbiddenAddress, PublicConnections
from auth_server.ports.documents import DocumentUnavailable, Obstacle
from auth_server.protocol.client_documents import MAX_BYTES, Document

FETCH_SECONDS = 5.0
"""Most time for everything, from the name's resolution to the last byte."""
_USER_AGENT = "dynamosql-auth-server (client metadata document)"
_HEADERS = [
    ("Accept", "application/json"),
    # What arrives is what counts against the limit: nothing is ever decompressed.
    ("Accept-Encoding", "identity"),
    ("User-Agent", _USER_AGENT),
    ("Connection", "close"),
]
_CONTENT_TYPE = re.compile(rb"application/(?:json|[a-z0-9!#$&^_.-]+\+json)\s*(?:;.*)?", re.IGNORECASE)
_MAX_AGE = re.compile(r"(?:s-maxage|max-age)=\"?([0-9]{1,9})\"?")
_UNSTORABLE = frozenset({"no-store", "no-cache", "private"})


class HttpsDocuments:
    """Implements DocumentSource and UpstreamEndpoint."""

    def __init__(self, connections: PublicConnections, *, certificates: ssl.SSLContext | None = None) -> None:
        self._connections, self._certificates = connections, certificates or _default_certificates()

    async def document(self, url: str, most_bytes: int = MAX_BYTES) -> Document:
        """See DocumentSource."""
        return await self._bounded("GET", url, most_bytes)

    async def redeem(self, url: str, authorization: str, form: bytes, most_bytes: int) -> bytes:
        """See UpstreamEndpoint."""
        more = [("Authorization", authorization), ("Content-Type", "application/x-www-form-urlencoded")]
        return (await self._bounded("POST", url, most_bytes, more, form)).content

    async def _bounded(
        self, method: str, url: str, most_bytes: int, more: Sequence[tuple[str, str]] = (), content: bytes | None = None
    ) -> Document:
        try:
            with anyio.fail_after(FETCH_SECONDS):
                return await self._fetch(method, url, most_bytes, more, content)
        except TimeoutError as error:
            raise DocumentUnavailable(Obstacle.TOO_SLOW) from error
        except ForbiddenAddress as error:
            raise DocumentUnavailable(Obstacle.FORBIDDEN_ADDRESS) from error
        except (httpcore2.NetworkError, httpcore2.TimeoutException, httpcore2.ProtocolError, OSError) as error:
            raise DocumentUnavailable(Obstacle.UNREACHABLE, type(error).__name__) from error

    async def _fetch(
        self, method: str, url: str, most_bytes: int, more: Sequence[tuple[str, str]], sent: bytes | None
    ) -> Document:
        # A pool of its own: no connection outlives the fetch, and none is shared with what another URL led to.
        async with (
            httpcore2.AsyncConnectionPool(self._certificates, network_backend=self._connections) as pool,
            pool.stream(method, url, headers=[*_HEADERS, *more], content=sent) as response,
        ):
            _check(response, most_bytes)
            content = bytearray()
            async for chunk in response.aiter_stream():
                content += chunk
                if len(content) > most_bytes:
                    raise DocumentUnavailable(Obstacle.TOO_LONG)
            return Document(bytes(content), _max_age(response.headers))


@functools.cache
def _default_certificates() -> ssl.SSLContext:
    """The authorities that the system trusts, read once: that takes 20 ms."""
    return ssl.create_default_context()


def _check(response: httpcore2.Response, most_bytes: int) -> None:
    """Raises DocumentUnavailable for an answer that cannot be a document."""
    if response.status >= 500 or response.status == 429:
        raise DocumentUnavailable(Obstacle.SERVER_ERROR, str(response.status))
    # §4: "MUST NOT automatically follow HTTP redirects", and any status other than 200 is an error.
    if response.status != 200:
        raise DocumentUnavailable(Obstacle.STATUS, str(response.status))
    types = _values(response.headers, b"content-type")
    if len(types) != 1 or not _CONTENT_TYPE.fullmatch(types[0]):
        raise DocumentUnavailable(Obstacle.CONTENT_TYPE)
    if any(value.strip().lower() not in (b"", b"identity") for value in _values(response.headers, b"content-encoding")):
        raise DocumentUnavailable(Obstacle.CONTENT_ENCODING)
    lengths = _values(response.headers, b"content-length")
    if any(int(length) > most_bytes for length in lengths):  # h11 has checked that it is a number
        raise DocumentUnavailable(Obstacle.TOO_LONG)


def _max_age(headers: Iterable[tuple[bytes, bytes]]) -> int | None:
    """For how many seconds the answer is fresh (RFC 9111 §4.2.1), the time it has spent in other caches deducted."""
    directives = [
        directive.strip()
        for value in _values(headers, b"cache-control")
        for directive in value.decode("latin-1").lower().split(",")
    ]
    if _UNSTORABLE & {directive.partition("=")[0] for directive in directives}:
        return 0
    ages = [int(found[1]) for directive in directives if (found := _MAX_AGE.fullmatch(directive))]
    if not ages:
        return None
    spent = [int(value) for value in _values(headers, b"age") if value.isdigit() and len(value) < 10]
    return max(0, min(ages) - max(spent, default=0))


def _values(headers: Iterable[tuple[bytes, bytes]], name: bytes) -> list[bytes]:
    return [value for key, value in headers if key.lower() == name]
