"""Regular house-keeping while a server runs."""

import anyio
import structlog

from auth_server.ports import Maintenance, StoreUnavailable
from shared_kernel.clock import Clock

SWEEP_INTERVAL = 60.0
"""Seconds between two sweeps."""
_log = structlog.get_logger("maintenance")


async def sweep_regularly(store: Maintenance, clock: Clock, interval: float = SWEEP_INTERVAL) -> None:
    """Sweeps until cancelled; a store that cannot answer is tried again next time."""
    while True:
        try:
            deleted = await store.sweep(clock.now())
            _log.debug("swept", rows=deleted)
        except StoreUnavailable:
            _log.warning("sweep_failed")
        await anyio.sleep(interval)
