"""A scan of a table that throttles finishes, and yields every item once."""

from collections import Counter
from collections.abc import Iterator
from contextlib import aclosing
from itertools import count

import botocore.session
import pytest

from mcp_server.adapters.dynamodb.clients import DynamoDbClients
from mcp_server.adapters.dynamodb.items import DynamoDbItems
from mcp_server.domain.schema import Schema
from mcp_server.planning.plan import Request
from tests.mcp_server.adapters.relations import S
from tests.mcp_server.adapters.test_dynamodb import read
from tests.support.dynamodb_faults import THROTTLED, Fault, FaultyDynamoDb, faulty
from tests.support.dynamodb_faults import Request as Sent
from tests.support.emulator import Emulator

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

ITEMS = 200
SEGMENTS = 8


@pytest.fixture(scope="module")
def table(emulator: Emulator) -> Iterator[str]:
    client = botocore.session.get_session().create_client(
        "dynamodb", endpoint_url=emulator.endpoint_url, region_name=emulator.region
    )
    client.create_table(
        TableName="throttled",
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": S.value}],
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
    )
    for number in range(ITEMS):
        client.put_item(TableName="throttled", Item={"pk": {"S": f"k{number}"}, "n": {"N": str(number)}})
    yield "throttled"
    client.delete_table(TableName="throttled")
    client.close()


def throttles_most(at: FaultyDynamoDb) -> None:
    """Of three requests two are throttled."""
    numbers = count()

    def rule(sent: Sent) -> Fault | None:
        return THROTTLED if sent.operation in ("Scan", "BatchGetItem") and next(numbers) % 3 else None

    at.rule = rule


@pytest.mark.complaint(20)
@pytest.mark.parametrize("way", ["scan", "keys"])
async def test_every_item_is_read_once_from_a_table_that_throttles(emulator: Emulator, table: str, way: str) -> None:
    scan = [Request("Scan", {"Segment": one, "TotalSegments": SEGMENTS, "Limit": 5}) for one in range(SEGMENTS)]
    keys = [
        Request("BatchGetItem", {"Keys": [{"pk": {"S": f"k{number}"}} for number in range(start, start + 25)]})
        for start in range(0, ITEMS, 25)
    ]
    found: Counter[object] = Counter()
    async with faulty(emulator.endpoint_url) as at:
        schema = Schema("demo", "default", emulator.region, at.endpoint_url)
        throttles_most(at)
        wanted = read(*(scan if way == "scan" else keys), name=table, physical_name=table)
        async with (
            DynamoDbClients((schema,)) as clients,
            aclosing(DynamoDbItems(clients).pages(schema, wanted, lambda _: None)) as pages,
        ):
            async for page in pages:
                found.update(page.column(0).to_pylist())

    assert found == Counter(f"k{number}" for number in range(ITEMS))
