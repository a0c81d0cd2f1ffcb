"""Requests to DynamoDB are counted as they go over the wire: each attempt, whoever repeats it."""

from collections.abc import Callable, Iterator
from contextlib import aclosing
from itertools import chain, repeat

import anyio
import pytest
from botocore.exceptions import EndpointConnectionError

from mcp_server.adapters.dynamodb.clients import DynamoDbClients
from mcp_server.adapters.dynamodb.items import DynamoDbItems
from mcp_server.adapters.metrics import MeteredTally
from mcp_server.planning.plan import Request
from tests.mcp_server.adapters.endpoint import Answer, Body, Endpoint, endpoint, error
from tests.mcp_server.adapters.test_dynamodb import read, schema
from tests.support.emulator import CREDENTIALS
from tests.support.metrics import tallied

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

THROTTLED = error("ProvisionedThroughputExceededException")
ITEM: Body = {"pk": {"S": "k"}, "n": {"N": "1"}}
PAGE = Answer({"Items": [ITEM], "Count": 1, "ScannedCount": 1})
KEYS: Body = {"Keys": [{"pk": {"S": "k"}}, {"pk": {"S": "l"}}]}


@pytest.fixture(autouse=True)
def credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in CREDENTIALS.items():
        monkeypatch.setenv(name, value)


def batch(*, left: bool) -> Answer:
    """An answer to BatchGetItem with an item; the key of the other is left out, or has no item."""
    unprocessed = {"things": {"Keys": [{"pk": {"S": "l"}}]}} if left else {}
    return Answer({"Responses": {"things": [] if not left else [ITEM]}, "UnprocessedKeys": unprocessed})


def in_turn(*answers: Answer, then: Answer) -> Callable[[str, Body], Answer]:
    """A script: these answers, and ever after another one."""
    all_answers: Iterator[Answer] = chain(answers, repeat(then))
    return lambda _operation, _request: next(all_answers)


async def tally_of(at: Endpoint, request: Request) -> MeteredTally:
    """What is counted while a read runs."""
    tally = MeteredTally()
    with anyio.fail_after(30):
        async with (
            DynamoDbClients((schema(at),), tally) as clients,
            aclosing(DynamoDbItems(clients).pages(schema(at), read(request), lambda _: None)) as pages,
        ):
            async for _ in pages:
                pass
    return tally


def counts(tally: MeteredTally, operation: str) -> tuple[float, float, float, float]:
    """Requests sent and answered of an operation; throttled ones and cut batches of all."""
    return (
        tallied(tally, "mcp_dynamodb_requests_total", operation=operation),
        tallied(tally, "mcp_dynamodb_request_seconds_count", operation=operation),
        tallied(tally, "mcp_dynamodb_throttles_total"),
        tallied(tally, "mcp_dynamodb_batches_cut_total"),
    )


async def test_a_request_is_counted_once_and_timed() -> None:
    async with endpoint(in_turn(then=PAGE)) as at:
        tally = await tally_of(at, Request("Query", {}))
    assert counts(tally, "Query") == (1, 1, 0, 0)
    assert tallied(tally, "mcp_dynamodb_requests_total") == 1
    assert 0 < tallied(tally, "mcp_dynamodb_request_seconds_sum") < 30


async def test_throttled_requests_that_the_pace_repeats_are_counted() -> None:
    async with endpoint(in_turn(THROTTLED, THROTTLED, then=PAGE)) as at:
        assert counts(await tally_of(at, Request("Scan", {})), "Scan") == (3, 3, 2, 0)


async def test_what_botocore_repeats_is_counted() -> None:
    tally = MeteredTally()
    script = in_turn(THROTTLED, error("InternalServerError", 500), then=Answer({"TableNames": []}))
    async with endpoint(script) as at, DynamoDbClients((schema(at),), tally) as clients:
        await clients.of(schema(at)).list_tables()
        assert len(at.requests) == 3
    assert counts(tally, "ListTables") == (3, 3, 1, 0)


async def test_a_batch_that_comes_in_parts_is_no_refusal() -> None:
    async with endpoint(in_turn(batch(left=True), then=batch(left=False))) as at:
        assert counts(await tally_of(at, Request("BatchGetItem", KEYS)), "BatchGetItem") == (2, 2, 0, 1)


async def test_an_answer_that_cannot_be_read_has_no_time() -> None:
    async with endpoint(in_turn(Answer(b"{"), then=PAGE)) as at:
        assert counts(await tally_of(at, Request("Scan", {})), "Scan") == (2, 1, 0, 0)


async def test_requests_that_nobody_answers_have_no_time() -> None:
    tally = MeteredTally()
    async with endpoint(in_turn(then=PAGE)) as at:
        one = schema(at)
    async with DynamoDbClients((one,), tally) as clients:
        with pytest.raises(EndpointConnectionError):  # nobody listens there any more
            await clients.of(one).scan(TableName="things")
    assert counts(tally, "Scan") == (4, 0, 0, 0)
