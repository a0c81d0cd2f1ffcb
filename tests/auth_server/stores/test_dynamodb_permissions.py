"""The permissions in docs/deployment.md against what a server asks of DynamoDB."""

import json
import re
from importlib import metadata
from pathlib import Path

import pytest

from auth_server.adapters.dynamodb_store.address import address_in
from auth_server.adapters.dynamodb_store.connection import connected
from auth_server.adapters.dynamodb_store.schema import create_table, verify_table
from auth_server.adapters.dynamodb_store.store import DynamoDbStore
from auth_server.adapters.dynamodb_store.table import Table
from shared_kernel.entropy import SystemEntropy
from tests.auth_server.stores.backends import prefix
from tests.auth_server.stores.full_store import behaviour, everything, fill
from tests.auth_server.stores.test_contract import NOW, USER
from tests.support.dynamodb_emulators import store_url
from tests.support.dynamodb_faults import Request, faulty
from tests.support.emulator import Emulator
from tests.support.processes import REPOSITORY

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

TEXT = (REPOSITORY / "docs" / "deployment.md").read_text("utf-8").partition("\n## auth-server on DynamoDB\n")[2]


def _actions(requests: list[Request]) -> set[str]:
    """The permissions that requests need: a transaction needs those of its writes."""
    found = set()
    for request in requests:
        writes = request.parameters.get("TransactItems")
        names = [f"{name}Item" for write in writes for name in write] if writes else [request.operation]
        found |= {f"dynamodb:{name}" for name in names}
    return found


async def test_a_server_needs_exactly_the_documented_permissions(dynoxide: Emulator, tmp_path: Path) -> None:
    (policy,) = (json.loads(block) for block in re.findall(r"```json\n(.*?)```", TEXT, re.DOTALL))
    (statement,) = policy["Statement"]
    preparing = re.search(r"`store init` needs, for the table:(.*?)\. A server", TEXT, re.DOTALL)
    assert preparing is not None
    async with faulty(dynoxide.endpoint_url) as dynamodb:
        address = address_in(store_url(dynamodb.endpoint_url, prefix(tmp_path)))
        async with connected(address, 60.0) as client:
            await create_table(client, address.table)
            assert _actions(dynamodb.requests) == set(re.findall(r"`(dynamodb:\w+)`", preparing[1]))
            dynamodb.requests.clear()
            await verify_table(client, address.table)
            store = DynamoDbStore(Table(client, address.table, SystemEntropy(), 60.0))
            await store.check()
            await fill(store)
            await behaviour(store)
            await store.delete_user(USER.user_id, NOW)
            await store.sweep(NOW + 1e8)
            by_operators = [request for request in dynamodb.requests if request.operation == "Scan"]
            assert len(by_operators) == 1, "a client's consents are ended for all people"
            by_server = [request for request in dynamodb.requests if request not in by_operators]
            assert _actions(by_server) == set(statement["Action"])
            dynamodb.requests.clear()
            await everything(store)
            assert _actions(dynamodb.requests) - set(statement["Action"]) == {"dynamodb:Scan"}


async def test_requests_say_who_asks(dynoxide: Emulator, tmp_path: Path) -> None:
    """CloudTrail shows the user agent."""
    async with faulty(dynoxide.endpoint_url) as dynamodb:
        address = address_in(store_url(dynamodb.endpoint_url, prefix(tmp_path)))
        async with connected(address, 60.0) as client:
            await create_table(client, address.table)
        agent = f"user-agent: dynamosql-auth-server/{metadata.version('dynamosql-auth-server')}".encode()
        assert all(agent in request.head.lower() for request in dynamodb.requests)


async def test_no_server_asks_for_a_transaction_over_the_limits(dynoxide: Emulator, tmp_path: Path) -> None:
    """A transaction takes 100 writes, and every write costs twice."""
    async with faulty(dynoxide.endpoint_url) as dynamodb:
        address = address_in(store_url(dynamodb.endpoint_url, prefix(tmp_path)))
        async with connected(address, 60.0) as client:
            await create_table(client, address.table)
            store = DynamoDbStore(Table(client, address.table, SystemEntropy(), 60.0))
            await fill(store)
            await behaviour(store)
            await store.sweep(NOW + 1e8)
        sizes = [len(request.parameters.get("TransactItems", ())) for request in dynamodb.requests]
        assert max(sizes) == 7
