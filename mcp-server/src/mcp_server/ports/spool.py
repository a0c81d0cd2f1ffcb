"""Results kept for later pages."""

from typing import Protocol

from mcp_server.domain.principal import Principal
from mcp_server.ports.relational import Result


class Spool(Protocol):
    """Keeps results for their principal, for a while, within a size."""

    async def put(self, principal: Principal, result: Result) -> str | None:
        """Keeps a result and gives its id; None when it is too large to keep."""
        ...

    async def get(self, principal: Principal, spool_id: str) -> Result | None:
        """What that principal spooled under the id, unless it has expired or had to give way."""
        ...
