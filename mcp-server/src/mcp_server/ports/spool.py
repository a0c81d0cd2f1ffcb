"""Results kept for later pages."""

from dataclasses import dataclass
from typing import Protocol

from mcp_server.domain.principal import Principal
from mcp_server.ports.relational import Result


class SpoolUnavailable(Exception):
    """Nothing can be kept, or what was kept be had, at the moment."""


@dataclass(frozen=True, slots=True)
class Part:
    """Some rows of a kept result, which has `total_rows` in all."""

    result: Result
    total_rows: int


class Spool(Protocol):
    """Keeps results for their principal, for a while, within a size."""

    async def put(self, principal: Principal, result: Result) -> str | None:
        """Keeps a result and gives its id; None when it is too large to keep. Raises SpoolUnavailable."""
        ...

    async def get(self, principal: Principal, spool_id: str, start: int, rows: int) -> Part | None:
        """So many rows, from `start` on, of what that principal spooled under the id.

        None if it has expired, or had to give way. Raises SpoolUnavailable.
        """
        ...
