"""Whether a service traces its requests, and what it has to do for that."""

from collections.abc import Iterable, Mapping
from typing import Any, Protocol

from shared_kernel.asgi import App


class Tracing(Protocol):
    """Traces of one process."""

    def observe(self, level: str, event: Mapping[str, Any]) -> None:
        """Takes an event of the log."""
        ...

    def of(self, app: App, paths: Iterable[str]) -> App:
        """The application, traced; a path that is not among these templates is told as `other`."""
        ...

    def close(self) -> None:
        """Sends what is left, as far as that can be done in a few seconds."""
        ...


def start_tracing(service: str, version: str, *, url: str | None, ratio: float) -> Tracing | None:
    """The tracing of a service, to the collector at `url`, of that share of its requests; None without a URL."""
    if url is None:
        return None
    from shared_kernel.traces import Traces  # noqa: PLC0415 - 6 MB and 40 ms that most do not need

    return Traces(service, version, url=url, ratio=ratio)
