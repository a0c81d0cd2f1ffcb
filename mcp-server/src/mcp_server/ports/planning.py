"""Planning of statements that take long to plan."""

from collections.abc import Mapping
from datetime import datetime
from typing import Protocol

from mcp_server.domain.schema import Table
from mcp_server.planning.plan import Pin, Read
from mcp_server.sql.binding.bind import Query
from mcp_server.sql.gate.parameters import Parameters
from mcp_server.sql.gate.parse import TableName


class HeavyPlanning(Protocol):
    """Plans statements beside the service, so that they neither hold up other callers nor outlive their own.

    Cancelling a call ends its work. Raises what `parse` and `bind` raise, and Failure: deadline_exceeded, busy,
    memory_exceeded.
    """

    async def tables(self, text: str, parameters: Parameters) -> frozenset[TableName]:
        """The tables that a statement names, once it has passed the gate."""
        ...

    async def plan(
        self,
        text: str,
        parameters: Parameters,
        instant: datetime,
        default_schema: str,
        tables: Mapping[TableName, Table],
        *,
        consistent: bool,
        allow_full_scan: bool = False,
        pin: Pin | None = None,
    ) -> tuple[Query, tuple[Read, ...]]:
        """The bound query of a statement as it is at an instant, and how each of its relations is read."""
        ...
