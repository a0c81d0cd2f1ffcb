"""Results kept for later pages."""

from dataclasses import dataclass
from typing import Protocol

from mcp_server.domain.principal import Principal
from mcp_server.ports.relational import Result


@dataclass(frozen=True, slots=True)
class Spooled:
    """A result kept for later pages; `stop_reason` is how its run ended, `expires_at` is in seconds since the epoch."""

    result: Result
    stop_reason: str
    expires_at: float


class Spool(Protocol):
    """Keeps results for their principal, for a while, within a size."""

    async def put(self, principal: Principal, result: Result, stop_reason: str) -> str | None:
        """Keeps a result and gives its id; None when it is too large to keep."""
        ...

    async def get(self, principal: Principal, spool_id: str) -> Spooled | None:
        """What that principal spooled under the id, unless it has expired or had to give way."""
        ...
