"""Asks a deployment over HTTP as a client would: the system's certificate authorities, no proxy, no cookie."""

import asyncio
import socket
import ssl
from email.utils import parsedate_to_datetime
from urllib.parse import urlsplit

import anyio
import httpcore2

from auth_server.ports.outside import Answer, Obstacle, Unreachable
from shared_kernel.clock import Clock

ANSWER_SECONDS = 5.0
"""Most time for one exchange, from the name's resolution to the last byte."""
ANSWER_BYTES = 256 * 1024
_USER_AGENT = "dynamosql-auth-server (doctor)"
_X509_EXPIRED = {9, 10}  # X509_V_ERR_CERT_NOT_YET_VALID, X509_V_ERR_CERT_HAS_EXPIRED
_X509_WRONG_NAME = {62, 64}  # X509_V_ERR_HOSTNAME_MISMATCH, X509_V_ERR_IP_ADDRESS_MISMATCH
_HTTPS_PORT = 443


class OverHttp:
    """Implements Outside."""

    def __init__(self, clock: Clock, *, certificates: ssl.SSLContext | None = None) -> None:
        self._clock, self._certificates = clock, certificates or ssl.create_default_context()

    async def ask(self, method: str, url: str, headers: tuple[tuple[str, str], ...] = (), body: bytes = b"") -> Answer:
        """See Outside."""
        try:
            with anyio.fail_after(ANSWER_SECONDS):
                return await self._ask(method, url, headers, body)
        except Exception as error:
            obstacle = _obstacle(error)
            if obstacle is None:
                raise
            raise Unreachable(url, obstacle) from error

    async def _ask(self, method: str, url: str, headers: tuple[tuple[str, str], ...], body: bytes) -> Answer:
        # A pool of its own: what one exchange leaves behind cannot disturb another.
        sent = [("User-Agent", _USER_AGENT), ("Accept-Encoding", "identity"), ("Connection", "close"), *headers]
        async with (
            httpcore2.AsyncConnectionPool(self._certificates) as pool,
            pool.stream(method, url, headers=sent, content=body or None) as response,
        ):
            received_at = self._clock.now()
            content = bytearray()
            async for chunk in response.aiter_stream():
                content += chunk
                if len(content) > ANSWER_BYTES:
                    raise Unreachable(url, Obstacle.TOO_LONG)
            found = tuple((name.decode("latin-1").lower(), value.decode("latin-1")) for name, value in response.headers)
            return Answer(url, response.status, found, bytes(content), received_at, _date(dict(found).get("date")))

    async def certificate_end(self, url: str) -> float:
        """See Outside."""
        parts = urlsplit(url)
        try:
            with anyio.fail_after(ANSWER_SECONDS):
                _, writer = await asyncio.open_connection(
                    parts.hostname, parts.port or _HTTPS_PORT, ssl=self._certificates
                )
        except Exception as error:
            obstacle = _obstacle(error)
            if obstacle is None:
                raise
            raise Unreachable(url, obstacle) from error
        try:
            return float(ssl.cert_time_to_seconds(writer.get_extra_info("peercert")["notAfter"]))
        finally:
            writer.transport.abort()


def _obstacle(error: BaseException | None) -> Obstacle | None:
    """What the first cause that we know of says; None for an error of our own."""
    known: Obstacle | None = None
    while error is not None and known is None:
        known = _cause(error)
        error = error.__cause__ or error.__context__
    return known


def _cause(error: BaseException) -> Obstacle | None:
    match error:
        case Unreachable():
            return error.obstacle
        case ssl.SSLCertVerificationError():
            if error.verify_code in _X509_EXPIRED:
                return Obstacle.EXPIRED
            return Obstacle.WRONG_NAME if error.verify_code in _X509_WRONG_NAME else Obstacle.UNTRUSTED
        case ssl.SSLError():
            return Obstacle.BROKEN_TLS
        case socket.gaierror():
            return Obstacle.NO_ADDRESS
        case httpcore2.RemoteProtocolError() | httpcore2.ReadError():
            return Obstacle.NOT_HTTP
        case TimeoutError() | httpcore2.TimeoutException():
            return Obstacle.TOO_SLOW
        case OSError():
            return Obstacle.REFUSED
        case _:
            return None


def _date(text: str | None) -> float | None:
    try:
        return parsedate_to_datetime(text).timestamp() if text else None
    except ValueError:
        return None
