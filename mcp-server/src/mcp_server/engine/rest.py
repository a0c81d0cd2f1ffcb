"""What reads had under way when they ended: early, by a budget or because the rows suffice, or because the caller left.

DynamoDB carries that out, and charges for it. A run that ends by itself waits a moment for it, so that what it is told
to have taken is all of it; what comes after a caller has left is recorded as the rest.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace

from mcp_server.domain.principal import Principal
from mcp_server.engine.meter import Meter
from mcp_server.ports.items import ItemSource
from mcp_server.ports.usage import TableUsage, Usage, UsageLog


class RestOfReads:
    """Waits for what runs had under way."""

    def __init__(self, items: ItemSource, log: UsageLog) -> None:
        self._items, self._log = items, log
        self._waiting: set[asyncio.Task[None]] = set()

    async def heard(self, meter: Meter) -> None:
        """Returns once the meter was told of all responses."""
        if under_way := self._items.under_way(meter.observers):
            await under_way

    def record(self, principal: Principal, told: Usage, meter: Meter, usage: Callable[[], Usage]) -> None:
        """Records what still comes, beyond what was told; `usage` tells of all."""
        if under_way := self._items.under_way(meter.observers):
            task = asyncio.create_task(self._record(principal, told, under_way, usage))
            self._waiting.add(task)
            task.add_done_callback(self._waiting.discard)

    async def _record(
        self, principal: Principal, told: Usage, under_way: Awaitable[None], usage: Callable[[], Usage]
    ) -> None:
        await under_way
        if (of_all := usage()).pages > told.pages:
            self._log.record(principal, _beyond(told, of_all))


def _beyond(told: Usage, of_all: Usage) -> Usage:
    before = {(read.schema, read.table): read for read in told.reads}
    reads = [_table_beyond(before.get((read.schema, read.table)), read) for read in of_all.reads]
    return replace(
        of_all,
        items=of_all.items - told.items,
        pages=of_all.pages - told.pages,
        bytes=of_all.bytes - told.bytes,
        read_units=of_all.read_units - told.read_units,
        reads=tuple(read for read in reads if read.requests),
        rows=of_all.rows - told.rows,
        rest=True,
    )


def _table_beyond(told: TableUsage | None, of_all: TableUsage) -> TableUsage:
    if told is None:
        return of_all
    return replace(
        of_all,
        items=of_all.items - told.items,
        read_units=of_all.read_units - told.read_units,
        requests=of_all.requests - told.requests,
    )
