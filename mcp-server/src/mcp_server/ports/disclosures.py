"""Where it is told who was shown values that samples of tables hold. What statements read is told to a UsageLog."""

from collections.abc import Iterable
from typing import Protocol

from mcp_server.domain.principal import Principal


class Disclosures(Protocol):
    """Never raises, and never waits."""

    def values_shown(self, principal: Principal, tables: Iterable[str]) -> None:
        """A principal is shown sampled values of these tables, `schema.table`."""
        ...
