"""No output for one tenant holds a name or value of another, with a real service over an emulated DynamoDB.

Here there are indexes, real requests draw the samples, DuckDB runs in processes of its own, and answers come over HTTP
with tokens. They are searched for canaries; that they do not depend on others is shown over doubles.
"""

import asyncio
import json
import random
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack
from typing import Any

import aioboto3
import httpx2
import pytest

from mcp_server.app.serving import create_app
from mcp_server.settings import Settings
from shared_kernel.entropy import SystemEntropy
from shared_kernel.key_file import KEY_BYTES, write_key_file
from tests.mcp_server.isolation.callers import WHO, Callers, Messages
from tests.mcp_server.isolation.requests import Requests, guess_at, look_through, words_of_ours, words_of_theirs
from tests.mcp_server.isolation.world import CUSTOMERS, ORDERS, PARTS, PEOPLE, SHARED, Held, World
from tests.mcp_server.web.serving import Issuer, listening, origin_of, serving
from tests.support.emulator import Emulator

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

REQUESTS = 120


@pytest.fixture(scope="module")
async def callers(emulator: Emulator, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Callers]:
    directory, world = tmp_path_factory.mktemp("isolation"), World(7)
    await fill(emulator, world)
    with listening() as issuing, listening() as listener:
        (directory / "schemas.toml").write_text(world.schemas_file(emulator.endpoint_url))
        write_key_file(directory / "cursor.key", SystemEntropy().bytes(KEY_BYTES))
        resource = f"{origin_of(listener)}/mcp"
        issuer = Issuer(origin_of(issuing), resource)
        settings = Settings(
            resource=resource,
            issuer=issuer.url,
            schemas_file=directory / "schemas.toml",
            cursor_key_file=directory / "cursor.key",
        )
        tokens = {
            who: issuer.token(subject=one.subject, tenant=one.tenant, roles=one.roles)
            for who, one in world.principals().items()
        }
        async with (
            serving(issuer.app, issuing),
            serving(create_app(settings), listener),
            httpx2.AsyncClient(timeout=60) as http,
        ):

            async def post(
                who: str, document: dict[str, Any], headers: dict[str, str]
            ) -> tuple[int, Mapping[str, str], Messages]:
                signed = {**headers, "Authorization": f"Bearer {tokens[who]}"}
                answer = await http.post(resource, json=document, headers=signed)
                return answer.status_code, dict(answer.headers), list(messages(answer.text))

            yield Callers(world, post)


async def fill(emulator: Emulator, world: World) -> None:
    """Makes the world's tables."""
    async with AsyncExitStack() as stack:
        clients: dict[str, Any] = {}
        for region in {table.region for table in world.tables}:
            client = aioboto3.Session().client("dynamodb", region_name=region, endpoint_url=emulator.endpoint_url)
            clients[region] = await stack.enter_async_context(client)
        for table in world.tables:
            await make(clients[table.region], table)


async def make(client: Any, table: Held) -> None:
    """Makes one table with its indexes and items."""
    indexes = [
        {
            "IndexName": name,
            "KeySchema": [{"AttributeName": attribute, "KeyType": "HASH"}],
            "Projection": {"ProjectionType": "ALL"},
        }
        for name, attribute in table.indexes.items()
    ]
    attributes = {**dict(table.key), **dict.fromkeys(table.indexes.values(), "S")}
    await client.create_table(
        TableName=table.name,
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": name, "AttributeType": kind} for name, kind in attributes.items()],
        KeySchema=[
            {"AttributeName": name, "KeyType": kind}
            for (name, _), kind in zip(table.key, ("HASH", "RANGE"), strict=False)
        ],
        **({"GlobalSecondaryIndexes": indexes} if indexes else {}),
    )
    await asyncio.gather(*(client.put_item(TableName=table.name, Item=item) for item in table.items))


def messages(body: str) -> list[dict[str, Any]]:
    """The JSON-RPC messages of a body, be it one document or a stream of events."""
    if body.startswith("{"):
        return [json.loads(body)]
    return [json.loads(line[5:]) for line in body.splitlines() if line.startswith("data:") and line[5:].strip()]


@pytest.mark.timeout(300)
async def test_nothing_that_a_running_service_says_to_one_holds_what_another_has(callers: Callers) -> None:
    ours, theirs = words_of_ours(callers.world), words_of_theirs(callers.world)
    for request in look_through(theirs, [*theirs.tables]):
        await callers.answered("bob", request)
    for request in look_through(ours, (ORDERS, PEOPLE, SHARED, PARTS, CUSTOMERS)):
        for who in ("boss", "ann"):
            await callers.answered(who, request)
    for request in guess_at(ours, (PEOPLE,)):
        await callers.answered("ann", request)
    dice = random.Random(7)
    for _ in range(REQUESTS):
        who = dice.choice(WHO)
        made = Requests(random.Random(dice.random()), callers.words(who, callers.world), sorted({*WHO}))
        await callers.answered(who, made.request())
