"""All of the store's ports on one DynamoDB table."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from auth_server.adapters.dynamodb_store import sweeping
from auth_server.adapters.dynamodb_store.address import address_in
from auth_server.adapters.dynamodb_store.audit import DynamoDbAudit
from auth_server.adapters.dynamodb_store.authorizations import DynamoDbAuthorizations
from auth_server.adapters.dynamodb_store.clients import DynamoDbClients
from auth_server.adapters.dynamodb_store.connection import connected
from auth_server.adapters.dynamodb_store.consents import DynamoDbConsents
from auth_server.adapters.dynamodb_store.devices import DynamoDbDevices
from auth_server.adapters.dynamodb_store.grants import DynamoDbGrants
from auth_server.adapters.dynamodb_store.initial_tokens import DynamoDbInitialTokens
from auth_server.adapters.dynamodb_store.items import STORE
from auth_server.adapters.dynamodb_store.keys import DynamoDbSigningKeys
from auth_server.adapters.dynamodb_store.limits import DynamoDbLimits
from auth_server.adapters.dynamodb_store.people import DynamoDbPeople
from auth_server.adapters.dynamodb_store.pushed_requests import DynamoDbPushedRequests
from auth_server.adapters.dynamodb_store.records import DynamoDbRecords
from auth_server.adapters.dynamodb_store.replays import DynamoDbReplays
from auth_server.adapters.dynamodb_store.revocations import DynamoDbRevocations
from auth_server.adapters.dynamodb_store.schema import create_table, verify_table
from auth_server.adapters.dynamodb_store.table import Table
from auth_server.adapters.dynamodb_store.workspaces import DynamoDbWorkspaces
from auth_server.adapters.dynamodb_store.writes import Update
from auth_server.ports.store import Store
from shared_kernel.entropy import SystemEntropy

PATIENCE = 2.0
"""Seconds that a verb may take before it is answered 503."""
_PREPARATION_PATIENCE = 20.0
"""As PATIENCE, for an operator who makes a table."""
_PROBE_SHARE = 0.25
"""Of the patience, what a probe may take."""


class DynamoDbStore(
    DynamoDbWorkspaces,
    DynamoDbClients,
    DynamoDbInitialTokens,
    DynamoDbPeople,
    DynamoDbPushedRequests,
    DynamoDbAuthorizations,
    DynamoDbConsents,
    DynamoDbDevices,
    DynamoDbGrants,
    DynamoDbSigningKeys,
    DynamoDbLimits,
    DynamoDbReplays,
    DynamoDbRevocations,
    DynamoDbAudit,
    DynamoDbRecords,
):
    """Implements Store."""

    def __init__(self, table: Table) -> None:
        DynamoDbWorkspaces.__init__(self, table)
        DynamoDbClients.__init__(self, table)
        DynamoDbInitialTokens.__init__(self, table)
        DynamoDbPeople.__init__(self, table)
        DynamoDbPushedRequests.__init__(self, table)
        DynamoDbAuthorizations.__init__(self, table)
        DynamoDbConsents.__init__(self, table)
        DynamoDbDevices.__init__(self, table)
        DynamoDbGrants.__init__(self, table)
        DynamoDbSigningKeys.__init__(self, table)
        DynamoDbLimits.__init__(self, table)
        DynamoDbReplays.__init__(self, table)
        DynamoDbRevocations.__init__(self, table)
        DynamoDbAudit.__init__(self, table)
        DynamoDbRecords.__init__(self, table)

    async def check(self) -> None:
        """See Maintenance."""
        async with self._table.in_time(_PROBE_SHARE):
            await self._table.write(Update(STORE, {}, add={"probes": 1}))

    async def sweep(self, now: float) -> int:
        """See Maintenance."""
        return await sweeping.sweep(self._table, now) + await self.forget_retired(now)


@asynccontextmanager
async def open_dynamodb(url: str, *, patience: float = PATIENCE) -> AsyncIterator[Store]:
    """The store in the table that the URL names. Raises UnusableStore, StoreUnavailable."""
    address = address_in(url)
    async with connected(address, patience) as client:
        await verify_table(client, address.table)
        yield DynamoDbStore(Table(client, address.table, SystemEntropy(), patience))


async def prepare_dynamodb(url: str) -> bool:
    """Makes the table that the URL names; False if it was there. Raises UnusableStore, StoreUnavailable."""
    address = address_in(url)
    async with connected(address, _PREPARATION_PATIENCE) as client:
        return await create_table(client, address.table)
