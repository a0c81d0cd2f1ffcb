"""Who may run a query now: a share for each tenant, a bounded wait for it, and a deadline for what runs."""

from collections.abc import AsyncGenerator, Generator, Iterable
from contextlib import asynccontextmanager, contextmanager

import anyio

from mcp_server.domain.principal import Principal
from mcp_server.engine import messages
from mcp_server.engine.limits import Limits


class Admission:
    """Admits queries of the given tenants within their shares."""

    def __init__(self, tenants: Iterable[str], limits: Limits) -> None:
        self._limits = limits
        self._slots = {tenant: anyio.Semaphore(limits.queries_per_tenant) for tenant in tenants}

    @asynccontextmanager
    async def admitted(self, principal: Principal) -> AsyncGenerator[None]:
        """Runs the block within the tenant's share and within the deadline. Raises Failure: busy, deadline_exceeded."""
        slots = self._slots[principal.tenant]
        with anyio.move_on_after(self._limits.queue_seconds) as waiting:
            await slots.acquire()
        if waiting.cancelled_caught:
            raise messages.busy(self._limits.queries_per_tenant)
        try:
            with _deadline(self._limits.deadline_seconds):
                yield
        finally:
            slots.release()


@contextmanager
def _deadline(seconds: float) -> Generator[None]:
    with anyio.move_on_after(seconds) as scope:
        yield
    if scope.cancelled_caught:
        raise messages.deadline(seconds)
