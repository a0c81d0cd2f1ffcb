"""The client against a scripted endpoint: the parser's hook, paging, failures, hostile answers, going away."""

import asyncio
import base64
import json
import re
import zlib
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from typing import Any

import anyio
import pytest

from mcp_server.adapters.dynamodb.clients import DynamoDbClients, failures_of
from mcp_server.adapters.dynamodb.items import DynamoDbItems
from mcp_server.adapters.dynamodb.responses import RAW, RawItems
from mcp_server.domain.failures import Failure, FailureCode
from mcp_server.domain.failures.budgets import BudgetSpent
from mcp_server.domain.schema import Schema, TypeKind
from mcp_server.planning.plan import Estimate, Read, Request
from mcp_server.ports.items import Consumption, SchemaConflict, TableChanged
from tests.mcp_server.adapters.endpoint import Answer, Body, Endpoint, endpoint, error
from tests.mcp_server.adapters.relations import N, S, column, of, relation, table

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

COLUMNS = (column("pk", of(TypeKind.VARCHAR), S), column("n", of(TypeKind.BIGINT), N))


@pytest.fixture(autouse=True)
def credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")


def schema(at: Endpoint) -> Schema:
    return Schema("demo", "default", "us-east-1", endpoint_url=at.url)


def read(*requests: Request, **changes: Any) -> Read:
    values: dict[str, Any] = {
        "relation": relation(COLUMNS, of_table=table(COLUMNS, **changes)),
        "access": "Scan",
        "index": None,
        "reason": "",
        "requests": requests,
        "key_condition": None,
        "pushed_filters": (),
        "residual_filters": (),
        "estimate": Estimate(0, 0, 0.0, 0.0),
    }
    return Read(**values)


SCAN = read(Request("Scan", {}))


@asynccontextmanager
async def items_of(at: Endpoint) -> AsyncIterator[DynamoDbItems]:
    async with DynamoDbClients((schema(at),)) as clients:
        yield DynamoDbItems(clients)


async def rows(at: Endpoint, wanted: Read, heard: list[Consumption] | None = None) -> list[dict[str, Any]]:
    """Everything a read yields."""
    observed: list[Consumption] = [] if heard is None else heard
    found: list[dict[str, Any]] = []
    with anyio.fail_after(30):
        async with items_of(at) as items, aclosing(items.pages(schema(at), wanted, observed.append)) as pages:
            async for page in pages:
                found += page.to_pylist()
    return found


def item(number: int) -> Body:
    return {"pk": {"S": f"k{number}"}, "n": {"N": str(number)}}


def paged(count: int) -> Any:
    """A script of so many pages, each with one item; its key is binary, as the hardest to send back."""

    def script(_operation: str, request: Body) -> Answer:
        start = request.get("ExclusiveStartKey")
        number = 0 if start is None else int(base64.b64decode(start["pk"]["B"]).decode()) + 1
        body: Body = {"Items": [item(number)], "Count": 1, "ScannedCount": 10}
        if number + 1 < count:
            body["LastEvaluatedKey"] = {"pk": {"B": base64.b64encode(str(number).encode()).decode()}}
        return Answer(body)

    return script


@pytest.mark.complaint(16)
async def test_items_of_the_three_reading_operations_stay_raw() -> None:
    """Fails when aiobotocore moves the hook: then items would arrive parsed, and slowly."""
    body: Body = {"Items": [item(1)], "Count": 1, "ScannedCount": 1}
    answer = Answer(body | {"Responses": {"t": [item(2)]}, "UnprocessedKeys": {}})
    async with endpoint(lambda _operation, _request: answer) as at, DynamoDbClients((schema(at),)) as clients:
        client = clients.of(schema(at))
        scanned = await client.scan(TableName="t")
        queried = await client.query(TableName="t", KeyConditionExpression="a = :a")
        fetched = await client.batch_get_item(RequestItems={"t": {"Keys": [{"pk": {"S": "x"}}]}})
        assert isinstance(scanned[RAW], RawItems)
        assert bytes(scanned[RAW].Items) == bytes(queried[RAW].Items) == b'[{"pk": {"S": "k1"}, "n": {"N": "1"}}]'
        assert bytes(fetched[RAW].Responses["t"]) == b'[{"pk": {"S": "k2"}, "n": {"N": "2"}}]'
        assert [operation for operation, _ in at.requests] == ["scan", "query", "batchgetitem"]


async def test_other_operations_are_parsed_by_botocore() -> None:
    answer = Answer({"TableNames": ["a"]})
    async with endpoint(lambda _operation, _request: answer) as at, DynamoDbClients((schema(at),)) as clients:
        assert (await clients.of(schema(at)).list_tables())["TableNames"] == ["a"]
        (agent,) = at.agents
        assert re.fullmatch(r"dynamosql-mcp-server/\d+\.\d+\.\d+( \S+)*", agent)


async def test_every_page_is_followed() -> None:
    heard: list[Consumption] = []
    async with endpoint(paged(5)) as at:
        assert await rows(at, SCAN, heard) == [{"c0": f"k{number}", "c1": number} for number in range(5)]
        assert [request["TableName"] for _, request in at.requests] == ["things"] * 5
    assert [(one.items, one.scanned) for one in heard] == [(1, 10)] * 5


@pytest.mark.complaint(15)
async def test_an_empty_page_is_not_the_end() -> None:
    def script(_operation: str, request: Body) -> Answer:
        if "ExclusiveStartKey" in request:
            return Answer({"Items": [item(7)], "Count": 1, "ScannedCount": 1})
        return Answer({"Items": [], "Count": 0, "ScannedCount": 99, "LastEvaluatedKey": {"pk": {"S": "k1"}}})

    async with endpoint(script) as at:
        assert [row["c1"] for row in await rows(at, SCAN)] == [7]


async def test_requests_run_side_by_side_within_a_bound() -> None:
    async with endpoint(lambda _operation, _request: None) as at, items_of(at) as items:
        wanted = read(*(Request("Scan", {"Segment": number, "TotalSegments": 30}) for number in range(30)))
        pages = items.pages(schema(at), wanted, lambda _consumption: None)
        first = asyncio.create_task(anext(pages))
        with anyio.fail_after(60):
            await at.wait_until(lambda: len(at.requests) == 8)
        first.cancel()
        with anyio.fail_after(60):  # a client that goes away stops the reads
            await asyncio.gather(first, return_exceptions=True)
            await at.wait_until(lambda: at.dropped == 8)
        await pages.aclose()
        assert len(at.requests) == 8


async def test_closing_in_the_middle_stops_reading() -> None:
    async with endpoint(paged(10_000)) as at:
        async with items_of(at) as items:
            async with aclosing(items.pages(schema(at), SCAN, lambda _consumption: None)) as pages:
                async for _page in pages:
                    break
            sent = len(at.requests)
        assert sent < 20
        assert len(at.requests) == sent


async def test_pages_are_not_read_far_ahead_of_who_wants_them() -> None:
    async with (
        endpoint(paged(10_000)) as at,
        items_of(at) as items,
        aclosing(items.pages(schema(at), SCAN, lambda _consumption: None)) as pages,
    ):
        await anext(pages)
        with anyio.move_on_after(1):
            await at.wait_until(lambda: len(at.requests) > 6)
        assert 1 <= len(at.requests) <= 6


async def test_what_the_observer_raises_ends_the_read() -> None:
    def observe(_consumption: Consumption) -> None:
        raise Failure(BudgetSpent(2, 1, "pages", 1))

    async with endpoint(paged(100)) as at, items_of(at) as items:
        with pytest.raises(Failure, match="BudgetSpent"):
            await anext(items.pages(schema(at), SCAN, observe))
        assert len(at.requests) == 1


async def test_a_conflict_comes_before_anything_wrong() -> None:
    body: Body = {"Items": [{"pk": {"S": "a"}, "n": {"S": "x"}}], "Count": 1, "ScannedCount": 1}
    async with endpoint(lambda _operation, _request: Answer(body)) as at:
        with pytest.raises(SchemaConflict) as raised:
            await rows(at, SCAN)
    assert raised.value.columns == ("n",)


async def test_unprocessed_keys_are_asked_for_again() -> None:
    def script(_operation: str, request: Body) -> Answer:
        keys = request["RequestItems"]["things"]["Keys"]
        number = len(keys)
        rest = {"things": {"Keys": keys[1:]}} if number > 1 else {}
        return Answer({"Responses": {"things": [item(number)]}, "UnprocessedKeys": rest})

    keys = [{"pk": {"S": "a"}}, {"pk": {"B": b"\x00\xff"}}, {"pk": {"N": "1"}}]
    wanted = read(Request("BatchGetItem", {"Keys": keys, "ConsistentRead": True}))
    async with endpoint(script) as at:
        assert [row["c1"] for row in await rows(at, wanted)] == [3, 2, 1]
        assert [request["RequestItems"]["things"]["Keys"] for _, request in at.requests] == [
            [{"pk": {"S": "a"}}, {"pk": {"B": "AP8="}}, {"pk": {"N": "1"}}],
            [{"pk": {"B": "AP8="}}, {"pk": {"N": "1"}}],
            [{"pk": {"N": "1"}}],
        ]
        assert all(request["RequestItems"]["things"]["ConsistentRead"] for _, request in at.requests)


async def test_keys_that_are_never_processed_are_throttling() -> None:
    def script(_operation: str, request: Body) -> Answer:
        return Answer({"Responses": {}, "UnprocessedKeys": request["RequestItems"]})

    async with endpoint(script) as at:
        with pytest.raises(Failure) as raised:
            await rows(at, read(Request("BatchGetItem", {"Keys": [{"pk": {"S": "a"}}]})))
    assert raised.value.code is FailureCode.THROTTLED


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (error("ResourceNotFoundException"), FailureCode.UNKNOWN_TABLE),
        (error("SerializationException"), FailureCode.INTERNAL_ERROR),
        (error("AccessDeniedException"), FailureCode.SOURCE_UNAVAILABLE),
        (error("UnrecognizedClientException"), FailureCode.SOURCE_UNAVAILABLE),
        (error("ExpiredTokenException"), FailureCode.SOURCE_UNAVAILABLE),
        (Answer(b"not json at all"), FailureCode.SOURCE_UNAVAILABLE),
        (Answer(b"{}" * 3), FailureCode.SOURCE_UNAVAILABLE),
        (Answer(b'{"Items":' + b"[" * 100_000 + b"]" * 100_000 + b"}"), FailureCode.SOURCE_UNAVAILABLE),
        (Answer({"Items": [1], "Count": 1, "ScannedCount": 1}), FailureCode.SOURCE_UNAVAILABLE),
        (Answer({"Items": "x", "Count": 1, "ScannedCount": 1}), FailureCode.SOURCE_UNAVAILABLE),
        (Answer({"Items": [], "Count": "many", "ScannedCount": 1}), FailureCode.SOURCE_UNAVAILABLE),
        (Answer({"Items": [{"n": {"N": "abc"}}], "Count": 1, "ScannedCount": 1}), FailureCode.SOURCE_UNAVAILABLE),
        (
            Answer({"Items": [item(1)], "Count": 1, "ScannedCount": 1, "LastEvaluatedKey": {"pk": {"B": "*"}}}),
            FailureCode.SOURCE_UNAVAILABLE,
        ),
    ],
)
async def test_what_goes_wrong_there_is_a_failure_without_its_text(answer: Answer, code: FailureCode) -> None:
    async with endpoint(lambda _operation, _request: answer) as at:
        with pytest.raises(Failure) as raised:
            await rows(at, SCAN)
    assert raised.value.code is code
    assert "secret-host-name" not in repr(raised.value)


async def test_a_request_that_dynamodb_finds_invalid_tells_of_a_table_that_changed() -> None:
    """The description that the request followed may be out of date; if not, there is a failure to show."""
    async with endpoint(lambda _operation, _request: error("ValidationException")) as at:
        with pytest.raises(TableChanged) as raised:
            await rows(at, SCAN)
    assert raised.value.failure.code is FailureCode.INTERNAL_ERROR
    assert "secret-host-name" not in repr(raised.value.failure)


GOOD: Body = {"Items": [item(1)], "Count": 1, "ScannedCount": 1}
CONTRADICTIONS: dict[str, Answer] = {
    "nothing": Answer({}),
    "not an object": Answer(b"[]"),
    "not JSON": Answer(b"<html>"),
    "no Count": Answer({"Items": [item(1)], "ScannedCount": 1}),
    "no ScannedCount": Answer({"Items": [item(1)], "Count": 1}),
    "no Items": Answer({"Count": 1, "ScannedCount": 1}),
    "no Items, and none counted": Answer({"Count": 0, "ScannedCount": 1}),
    "Items is null": Answer({"Items": None, "Count": 0, "ScannedCount": 1}),
    "fewer items than Count": Answer({"Items": [item(1)], "Count": 2, "ScannedCount": 2}),
    "no items, but a Count": Answer({"Items": [], "Count": 1, "ScannedCount": 1}),
    "more items than Count": Answer({"Items": [item(1), item(2)], "Count": 1, "ScannedCount": 2}),
    "items, but no Count of them": Answer({"Items": [item(1)], "Count": 0, "ScannedCount": 1}),
    "fewer looked at than found": Answer({"Items": [item(1)], "Count": 1, "ScannedCount": 0}),
    "a negative Count": Answer({"Items": [], "Count": -1, "ScannedCount": 1}),
    "a wrong checksum": Answer(GOOD, checksum=12345),
    "no number for a checksum": Answer(GOOD, checksum=-1),
}


@pytest.mark.parametrize("answer", CONTRADICTIONS.values(), ids=list(CONTRADICTIONS))
async def test_an_answer_that_contradicts_itself_is_never_the_end_of_the_rows(answer: Answer) -> None:
    async with endpoint(lambda _operation, _request: answer) as at:
        with pytest.raises(Failure) as raised:
            await rows(at, SCAN)
        assert len(at.requests) == 4
    assert raised.value.code is FailureCode.SOURCE_UNAVAILABLE


@pytest.mark.parametrize("answer", CONTRADICTIONS.values(), ids=list(CONTRADICTIONS))
async def test_a_request_is_made_again_after_an_unreadable_answer(answer: Answer) -> None:
    """The second page is unreadable once; it is asked for again with the same key, and nothing is lost or doubled."""
    good, spoilt = paged(3), False

    def script(operation: str, request: Body) -> Answer:
        nonlocal spoilt
        if "ExclusiveStartKey" in request and not spoilt:
            spoilt = True
            return answer
        return good(operation, request)  # type: ignore[no-any-return]

    async with endpoint(script) as at:
        assert [row["c1"] for row in await rows(at, SCAN)] == [0, 1, 2]
        assert len(at.requests) == 4


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"Responses": {"things": [item(1)]}},
        {"UnprocessedKeys": {}},
        {"Responses": {"things": [item(1), item(2)]}, "UnprocessedKeys": {}},
        {"Responses": {"things": [item(1)]}, "UnprocessedKeys": {"things": {"Keys": [{"pk": {"S": "a"}}]}}},
        {"Responses": {"things": "x"}, "UnprocessedKeys": {}},
        {"Responses": {"things": [1]}, "UnprocessedKeys": {}},
    ],
)
async def test_a_batch_that_contradicts_itself_is_unreadable(body: Body) -> None:
    async with endpoint(lambda _operation, _request: Answer(body)) as at:
        with pytest.raises(Failure) as raised:
            await rows(at, read(Request("BatchGetItem", {"Keys": [{"pk": {"S": "a"}}]})))
        assert len(at.requests) == 4
    assert raised.value.code is FailureCode.SOURCE_UNAVAILABLE


async def test_a_right_checksum_is_accepted() -> None:
    body = json.dumps(GOOD).encode()
    async with endpoint(lambda _operation, _request: Answer(body, checksum=zlib.crc32(body))) as at:
        assert [row["c1"] for row in await rows(at, SCAN)] == [1]


async def test_repeated_requests_are_paid_for() -> None:
    """What was lost on the way may have been read, and is counted as if it had."""
    troubles = [error("InternalServerError", 500), error("InternalServerError", 500)]
    heard: list[Consumption] = []
    async with endpoint(lambda _operation, _request: troubles.pop() if troubles else Answer(GOOD)) as at:
        await rows(at, SCAN, heard)
        assert len(at.requests) == 3
    assert [one.read_units for one in heard] == [1.5]


async def test_an_unreadable_answer_is_paid_for() -> None:
    spoilt = [CONTRADICTIONS["more items than Count"]]
    heard: list[Consumption] = []
    async with endpoint(lambda _operation, _request: spoilt.pop() if spoilt else Answer(GOOD)) as at:
        await rows(at, SCAN, heard)
    assert sum(one.read_units for one in heard) == 1.0


@pytest.mark.parametrize(
    ("answer", "code", "requests"),
    [
        (error("ProvisionedThroughputExceededException"), FailureCode.THROTTLED, 8),
        (error("ThrottlingException"), FailureCode.THROTTLED, 8),
        (error("InternalServerError", 500), FailureCode.SOURCE_UNAVAILABLE, 4),
    ],
)
async def test_passing_troubles_are_retried_before_they_are_told(
    answer: Answer, code: FailureCode, requests: int
) -> None:
    async with endpoint(lambda _operation, _request: answer) as at:
        with pytest.raises(Failure) as raised:
            await rows(at, SCAN)
        assert len(at.requests) == requests
    assert raised.value.code is code


async def test_nobody_there_is_source_unavailable() -> None:
    async with endpoint(paged(1)) as at:
        pass
    with pytest.raises(Failure) as raised:
        await rows(at, SCAN)
    assert raised.value.code is FailureCode.SOURCE_UNAVAILABLE


async def test_no_credentials_is_source_unavailable(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nonexistent")
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nonexistent")
    async with endpoint(paged(1)) as at:
        with pytest.raises(Failure) as raised:
            await rows(at, SCAN)
        assert at.requests == []
    assert raised.value.code is FailureCode.SOURCE_UNAVAILABLE


@pytest.mark.parametrize(
    ("size_bytes", "item_count", "consistent", "units"),
    [(1_000_000, 1000, False, 1.5), (1_000_000, 1000, True, 3.0), (0, 0, False, 0.5), (100, 100, False, 0.5)],
)
async def test_read_units_are_computed_where_nobody_reports_them(
    size_bytes: int, item_count: int, consistent: bool, units: float
) -> None:
    """Ten items looked at, of 1000 bytes: three blocks of 4096, half a unit each, or a whole one when consistent."""
    heard: list[Consumption] = []
    wanted = read(Request("Scan", {}), size_bytes=size_bytes, item_count=item_count)
    wanted = Read(**{name: getattr(wanted, name) for name in Read.__slots__} | {"consistent": consistent})
    async with endpoint(paged(1)) as at:
        await rows(at, wanted, heard)
    assert [one.read_units for one in heard] == [units]


async def test_batches_round_every_item_up() -> None:
    heard: list[Consumption] = []
    answer = Answer({"Responses": {"things": [item(1), item(2), item(3)]}, "UnprocessedKeys": {}})
    keys = [{"pk": {"S": f"k{number}"}} for number in range(1, 4)]
    async with endpoint(lambda _operation, _request: answer) as at:
        await rows(at, read(Request("BatchGetItem", {"Keys": keys})), heard)
    assert [one.read_units for one in heard] == [1.5]


async def test_an_unexpected_exception_is_not_swallowed() -> None:
    with pytest.raises(ZeroDivisionError), failures_of(Schema("demo", "default", "us-east-1")):
        _ = 1 / 0
