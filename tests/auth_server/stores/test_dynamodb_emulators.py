"""Where the emulators are like DynamoDB and where not: what the contract suite proves on them, and what it cannot."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from auth_server.adapters.dynamodb_store.address import address_in
from auth_server.adapters.dynamodb_store.connection import connected
from auth_server.adapters.dynamodb_store.schema import create_table
from tests.auth_server.stores.backends import prefix
from tests.support.dynamodb_emulators import store_url

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

CALLS = 40


class _Table:
    """A table of ours, past the store, over two connections."""

    def __init__(self, clients: tuple[Any, Any], name: str) -> None:
        self.clients, self.name = clients, name

    def write(self, pk: str, value: str, condition: str = "attribute_not_exists(held_by)") -> dict[str, Any]:
        """A conditional write, as part of a transaction."""
        return {
            "Update": {
                "TableName": self.name,
                "Key": {"pk": {"S": pk}, "sk": {"S": "item"}},
                "UpdateExpression": "SET held_by = :value",
                "ConditionExpression": condition,
                "ExpressionAttributeValues": {":value": {"S": value}},
            }
        }

    async def get(self, pk: str) -> Any:
        """Who holds an item."""
        key = {"pk": {"S": pk}, "sk": {"S": "item"}}
        answer = await self.clients[0].get_item(TableName=self.name, Key=key, ConsistentRead=True)
        return answer.get("Item", {}).get("held_by", {}).get("S")


@pytest.fixture(params=["dynoxide", "ministack"])
async def table(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[_Table]:
    """A table in each emulator."""
    endpoint: str = request.getfixturevalue(str(request.param)).endpoint_url
    address = address_in(store_url(endpoint, prefix(tmp_path)))
    async with connected(address, 60.0) as one, connected(address, 60.0) as other:
        await create_table(one, address.table)
        yield _Table((one, other), address.table)


async def _outcome(request: Any) -> str:
    try:
        await request
    except ClientError as error:
        reasons = [reason["Code"] for reason in error.response.get("CancellationReasons", [])]
        return ":".join([str(error.response["Error"]["Code"]), *reasons])
    return "done"


async def test_of_40_transactions_at_once_one_happens_and_happens_whole(table: _Table) -> None:
    """Two items each, in either order, over two connections."""

    def transact(number: int) -> Any:
        writes = [table.write("a", str(number)), table.write("b", str(number))]
        return table.clients[number % 2].transact_write_items(TransactItems=writes[:: 1 if number % 4 < 2 else -1])

    outcomes = Counter(await asyncio.gather(*(_outcome(transact(number)) for number in range(CALLS))))
    assert outcomes["done"] == 1
    assert await table.get("a") == await table.get("b") is not None


async def test_no_emulator_lets_transactions_collide(table: _Table) -> None:
    """AWS cancels one of two transactions that touch an item at the same time, with TransactionConflict.

    Both emulators carry out one request after the other, so on them that never happens; test_dynamodb_faults.py makes
    it happen. Should this fail, an emulator has come closer to AWS, and the contract suite proves more than before.
    """

    def transact(number: int) -> Any:
        writes = [table.write("c", str(number), "attribute_exists(pk) OR attribute_not_exists(pk)")]
        writes.append(table.write(f"own{number}", str(number)))
        return table.clients[number % 2].transact_write_items(TransactItems=writes)

    outcomes = Counter(await asyncio.gather(*(_outcome(transact(number)) for number in range(CALLS))))
    assert outcomes == {"done": CALLS}


async def test_a_token_makes_a_transaction_happen_once(table: _Table) -> None:
    """As on AWS, for ten minutes; the same token for something else is refused."""
    (client, other) = table.clients
    writes = [table.write("a", "first"), table.write("b", "first")]
    for _ in range(2):
        await client.transact_write_items(TransactItems=writes, ClientRequestToken="token")
    different = other.transact_write_items(TransactItems=[table.write("z", "z")], ClientRequestToken="token")
    assert await _outcome(different) == "IdempotentParameterMismatchException"


async def test_the_index_of_an_emulator_never_lags(table: _Table) -> None:
    """AWS brings an index up to date a moment later, so nothing that the index says decides anything.

    Which verbs ask it at all, docs/storage-dynamodb.md says.
    """
    client = table.clients[0]
    for number in range(CALLS):
        item = {"pk": {"S": f"{number}"}, "sk": {"S": "item"}, "queue": {"S": "q"}, "due": {"N": str(number)}}
        await client.put_item(TableName=table.name, Item=item)
        found = await table.clients[1].query(
            TableName=table.name,
            IndexName="due",
            KeyConditionExpression="queue = :queue",
            ExpressionAttributeValues={":queue": {"S": "q"}},
        )
        assert found["Count"] == number + 1
