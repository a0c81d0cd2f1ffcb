"""All of the store's ports on one Redis."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from auth_server.adapters.redis_store.address import parse
from auth_server.adapters.redis_store.audit import RedisAudit
from auth_server.adapters.redis_store.authorizations import RedisAuthorizations
from auth_server.adapters.redis_store.clients import RedisClients
from auth_server.adapters.redis_store.consents import RedisConsents
from auth_server.adapters.redis_store.database import Database
from auth_server.adapters.redis_store.devices import RedisDevices
from auth_server.adapters.redis_store.grants import RedisGrants
from auth_server.adapters.redis_store.initial_tokens import RedisInitialTokens
from auth_server.adapters.redis_store.keys import RedisSigningKeys
from auth_server.adapters.redis_store.limits import RedisLimits
from auth_server.adapters.redis_store.opening import open_database
from auth_server.adapters.redis_store.people import RedisPeople
from auth_server.adapters.redis_store.pushed_requests import RedisPushedRequests
from auth_server.adapters.redis_store.records import RedisRecords
from auth_server.adapters.redis_store.revocations import RedisRevocations
from auth_server.adapters.redis_store.workspaces import RedisWorkspaces
from shared_kernel.clock import Clock, SystemClock
from shared_kernel.entropy import Entropy, SystemEntropy

_PROBE_PATIENCE = 0.25
"""Seconds in which a probe must have written."""


class RedisStore(
    RedisWorkspaces,
    RedisClients,
    RedisInitialTokens,
    RedisPeople,
    RedisPushedRequests,
    RedisAuthorizations,
    RedisConsents,
    RedisDevices,
    RedisGrants,
    RedisSigningKeys,
    RedisLimits,
    RedisRevocations,
    RedisAudit,
    RedisRecords,
):
    """Implements Store."""

    def __init__(self, database: Database, clock: Clock) -> None:
        RedisWorkspaces.__init__(self, database)
        RedisClients.__init__(self, database)
        RedisInitialTokens.__init__(self, database)
        RedisPeople.__init__(self, database)
        RedisPushedRequests.__init__(self, database)
        RedisAuthorizations.__init__(self, database)
        RedisConsents.__init__(self, database)
        RedisDevices.__init__(self, database)
        RedisGrants.__init__(self, database)
        RedisSigningKeys.__init__(self, database)
        RedisLimits.__init__(self, database)
        RedisRevocations.__init__(self, database)
        RedisAudit.__init__(self, database)
        RedisRecords.__init__(self, database, clock)

    async def check(self) -> None:
        """See Maintenance."""
        await self._database.run("check", patience=_PROBE_PATIENCE)

    async def sweep(self, now: float) -> int:
        """See Maintenance."""
        total = 0
        while handled := await self._database.run("sweep", now):
            total += handled
        return total


@asynccontextmanager
async def open_redis(
    url: str,
    *,
    verify: bool = False,  # noqa: ARG001 (Redis is looked at each time)
    clock: Clock | None = None,
    entropy: Entropy | None = None,
) -> AsyncIterator[RedisStore]:
    """The store that the URL names. Raises UnusableStore with a text for the operator."""
    async with open_database(parse(url), entropy or SystemEntropy()) as database:
        yield RedisStore(database, clock or SystemClock())
