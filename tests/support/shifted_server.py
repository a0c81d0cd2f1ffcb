"""auth-server as a process whose clock and name server are a test's: run as a module, with the path of a JSON file.

The file says by how many seconds the clock is `ahead` of the machine's, and which addresses some `names` have. It is
the service as `auth-server serve` starts it; only what a machine tells every program comes from the file.
"""

import asyncio
import json
import socket
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from auth_server.app import serving
from auth_server.settings import Settings
from shared_kernel import http_server, logs
from shared_kernel.clock import SystemClock

_resolved_by_the_system = socket.getaddrinfo


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a test says of the machine; implements Clock. Time never goes back."""

    file: Path

    def set(self, *, ahead: float = 0.0, names: Mapping[str, Sequence[str]] | None = None) -> None:
        """What holds from now on."""
        written = self.file.with_suffix(".new")
        written.write_text(json.dumps({"ahead": ahead, "names": names or {}}))
        written.replace(self.file)

    def now(self) -> float:
        """See Clock."""
        return SystemClock().now() + self.ahead

    def monotonic(self) -> float:
        """See Clock."""
        return SystemClock().monotonic() + self.ahead

    @property
    def ahead(self) -> float:
        """Seconds that the machine's clock lags behind."""
        return float(self._read()["ahead"])

    def resolved(self, host: Any, port: Any, *arguments: Any, **named: Any) -> list[Any]:
        """As socket.getaddrinfo()."""
        known = self._read()["names"].get(host)
        if known is None:
            return list(_resolved_by_the_system(host, port, *arguments, **named))
        return [(socket.AF_INET, socket.SOCK_STREAM, 0, "", (address, port)) for address in known]

    def _read(self) -> dict[str, Any]:
        return dict(json.loads(self.file.read_bytes()))


async def _serve(surroundings: Surroundings) -> None:
    settings = Settings.load()
    logs.configure("auth-server", settings.log_level)
    socket.getaddrinfo = surroundings.resolved
    async with serving.service(settings, clock=surroundings) as service:
        with http_server.listen(settings.host, settings.port, "AUTH_") as listener:
            await http_server.serve(service, listener, lifespan="off", delay_seconds=0.0, shutdown_seconds=5)


if __name__ == "__main__":
    asyncio.run(_serve(Surroundings(Path(sys.argv[1]))))
