"""Heavy planning without processes."""

import asyncio
from collections.abc import Mapping
from datetime import datetime

from mcp_server.adapters.planning import worker
from mcp_server.domain.schema import Table
from mcp_server.planning.plan import Pin, Read
from mcp_server.sql.binding.bind import Query
from mcp_server.sql.gate.parameters import Parameters
from mcp_server.sql.gate.parse import TableName


class InProcessPlanning:
    """A HeavyPlanning that plans in a thread, and so cannot end it."""

    async def tables(self, text: str, parameters: Parameters) -> frozenset[TableName]:
        return await asyncio.to_thread(worker.tables_of, text, parameters)

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
        arguments = (text, parameters, instant, default_schema, tables, consistent, allow_full_scan, pin)
        return await asyncio.to_thread(worker.planned, *arguments)
