"""`/metrics`: for whoever scrapes with the operator's token, and not there for anybody else."""

import hmac
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from shared_kernel.asgi import App, Receive, Scope, Send, at_once_of, header_values, send_json
from shared_kernel.key_file import UnusableKeyFile, read_private_file
from shared_kernel.metrics import Definition, Metrics, PathNames

PATH = "/metrics"
_LEAST_LENGTH = 20
_HEADERS = [
    (b"content-type", b"text/plain; version=0.0.4; charset=utf-8"),
    (b"cache-control", b"no-store"),
]


def read_metrics_token(path: Path) -> bytes:
    """The token in a file that only its owner can read, on one line. Raises UnusableKeyFile."""
    token = read_private_file(path)
    if len(token) < _LEAST_LENGTH or not token.isprintable() or " " in token:
        message = f"{path} must hold a token of at least {_LEAST_LENGTH} characters without spaces on one line"
        raise UnusableKeyFile(message)
    return token.encode()


@dataclass(frozen=True, slots=True)
class Metering:
    """The metrics of a service that the operator wants, and the token that reads them."""

    metrics: Metrics
    paths: PathNames
    token: bytes = field(repr=False)

    @classmethod
    def over(cls, definitions: Callable[[PathNames], Sequence[Definition]], token_file: Path) -> Self:
        """The metering of a service with these metrics. Raises UnusableKeyFile."""
        paths = PathNames()
        return cls(Metrics(definitions(paths)), paths, read_metrics_token(token_file))


class MetricsPage:
    """Answers `/metrics` before everything else, so also under load and by whatever name the machine is called."""

    def __init__(self, app: App, metering: Metering) -> None:
        self._app, self._metrics, self._token = app, metering.metrics, metering.token
        self.at_once = at_once_of(app)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serves one connection scope."""
        if scope["type"] != "http" or scope["path"] != PATH:
            return await self._app(scope, receive, send)
        if scope["method"] not in ("GET", "HEAD"):
            text = "The metrics are read with GET."
            document = {"error": "invalid_request", "error_description": text}
            return await send_json(send, 405, document, [("Allow", "GET, HEAD")])
        if not self._authorized(scope):
            text = "Send the token of the metrics as Authorization: Bearer."
            document = {"error": "invalid_token", "error_description": text}
            return await send_json(send, 401, document, [("WWW-Authenticate", 'Bearer realm="metrics"')])
        body = self._metrics.exposition()
        headers = [*_HEADERS, (b"content-length", str(len(body)).encode())]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else body})
        return None

    def _authorized(self, scope: Scope) -> bool:
        presented = header_values(scope, "authorization")
        if len(presented) != 1:
            return False
        scheme, _, token = presented[0].partition(" ")
        return scheme.lower() == "bearer" and hmac.compare_digest(token.strip().encode("latin-1"), self._token)
