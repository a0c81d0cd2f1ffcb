"""Requests that read items go out, and are repeated, as botocore would do it."""

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import replace
from random import Random
from typing import Any

import anyio
import pytest
from botocore.exceptions import ClientError

from mcp_server.adapters.dynamodb import clients as adapter
from mcp_server.adapters.dynamodb.pace import Pace
from mcp_server.adapters.dynamodb.responses import ATTEMPTS, RAW, UnreadableResponse
from mcp_server.adapters.metrics import MeteredTally
from tests.mcp_server.adapters.both_ways import (
    OK,
    PAGE,
    REQUESTS,
    always,
    have_credentials,
    in_turn,
    lasting,
    learnt,
    signed_again,
    ways,
)
from tests.mcp_server.adapters.endpoint import Answer, Body, endpoint, error
from tests.mcp_server.adapters.test_dynamodb import schema
from tests.support.metrics import tallied

pytestmark = [pytest.mark.anyio, pytest.mark.slow]


@pytest.fixture(autouse=True)
def credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    have_credentials(monkeypatch)


# How a request looks


@pytest.mark.parametrize(("method", "arguments"), REQUESTS, ids=[one[0] for one in REQUESTS])
async def test_a_request_is_the_one_that_botocore_sends(method: str, arguments: Body) -> None:
    """Ours: AWS, proxies and those who read CloudTrail see no difference. All go over the same connection."""
    async with endpoint(always) as at, ways(schema(at)) as both:
        theirs = await both.theirs(method, arguments)
        first = await both.ours(method, arguments)
        assert both.by_botocore == 2, "botocore sends what ours is learnt from"
        later = [await both.ours(method, arguments) for _ in range(2)]
        assert both.by_botocore == 2, "of what botocore sends nothing can be learnt any more: see routes.learnt"
        for ours in (first, *later):
            assert (ours[RAW], ours["Bytes"]) == (theirs[RAW], theirs["Bytes"])
            assert ours["ResponseMetadata"]["RetryAttempts"] == theirs["ResponseMetadata"]["RetryAttempts"] == 0
        assert len(set(at.bodies)) == 1
        assert at.connections == 1
        for head in at.heads[1:]:
            assert head.keys() == at.heads[0].keys()
            assert lasting(head) == lasting(at.heads[0])
        assert len({head["amz-sdk-invocation-id"] for head in at.heads}) == len(at.heads)


async def test_random_requests_have_botocores_bodies_and_signatures() -> None:
    """Ours: whatever their values hold. botocore signs again what arrived."""
    random = Random(7)
    async with endpoint(always) as at, learnt(at) as both:
        for _ in range(300):
            method, arguments = some_request(random)
            await both.ours(method, arguments)
            ours = at.bodies[-1]
            await both.theirs(method, arguments)
            assert at.bodies[-1] == ours
        assert both.by_botocore == 300 + 2, "the routes of the two other operations are learnt"
        for head, body in zip(at.heads, at.bodies, strict=True):
            assert head["authorization"] == signed_again(at, head, body)


@pytest.mark.parametrize("path", ["/db", "/db~1/a%20b", "/a/./b/../c//d/", "/ü"])
async def test_a_path_is_signed_too(path: str) -> None:
    """Ours: an endpoint may have a path. Where it is one that our signature has otherwise, botocore signs."""
    async with endpoint(always) as at:
        url, at.url = at.url, at.url + path
        async with ways(schema(at)) as both:
            theirs = await both.theirs()
            for _ in range(2):
                assert (await both.ours())[RAW] == theirs[RAW]
        at.url = url
        assert len({frozenset(lasting(head).items()) for head in at.heads}) == 1
        for head, body in zip(at.heads, at.bodies, strict=True):
            assert head["authorization"] == signed_again(at, head, body, path)


# What happens after it was sent

SCRIPTS: dict[str, tuple[Answer | type[ConnectionError] | None, ...]] = {
    "a server error": (error("InternalServerError", 500), OK),
    "a lost connection": (ConnectionError, OK),
    "no answer in time": (None, OK),
    "a gateway's page": (Answer(b"<html>bad gateway</html>", 502), OK),
    "one after the other": (ConnectionError, error("InternalServerError", 503), OK),
    "errors only": (error("InternalServerError", 500),) * ATTEMPTS,
    "throttled": (error("ProvisionedThroughputExceededException"), OK),
    "no such table": (error("ResourceNotFoundException"),),
    "denied": (error("AccessDeniedException"),),
    "a token that expired": (error("ExpiredTokenException"),),
    "an error without a name": (Answer({}, 400),),
    "an error without a body": (Answer(b"", 403),),
    "an error that isn't JSON": (Answer(b"no", 400),),
    "a redirect": (Answer(b"", 304),),
    "nothing that can be read": (Answer(b"{"),),
    "an answer without a count": (Answer({"Items": []}),),
    "a wrong checksum": (Answer(PAGE, checksum=1),),
    "another success": (Answer(PAGE, 201),),
}


@pytest.mark.parametrize("answers", SCRIPTS.values(), ids=SCRIPTS)
async def test_what_is_answered_has_the_effects_that_it_has_on_botocore(
    answers: tuple[Answer | type[ConnectionError] | None, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ours: the same attempts, responses, exceptions and metrics."""
    monkeypatch.setattr(adapter, "READ_SECONDS", 0.5)
    seen: list[Any] = []
    for own in (False, True):
        tally = MeteredTally()
        async with endpoint(in_turn(*answers)) as at, learnt(at, tally) as both:
            before, after_calls = counted(tally), list[Any]()
            both.client.meta.events.register("after-call.dynamodb", lambda parsed, **_: after_calls.append(parsed))  # noqa: B023 - of this pass
            ended: Any
            try:
                response = await (both.ours() if own else both.theirs())
            except (ClientError, UnreadableResponse, ValueError) as raised:
                ended = type(raised).__name__, str(raised), error_of(raised)
            else:
                ended = response[RAW], response["Bytes"], response["ResponseMetadata"].get("RetryAttempts")
            assert both.by_botocore == (0 if own else len(answers))
            heads = [{**lasting(head), "host": "", "authorization": ""} for head in at.heads]
            calls = len({head["amz-sdk-invocation-id"] for head in at.heads})
            seen.append(
                (ended, heads, calls, len(after_calls), [a - b for a, b in zip(counted(tally), before, strict=True)])
            )
    assert seen[1] == seen[0]
    assert len(seen[1][1]) == len(answers)


async def test_a_later_attempt_says_until_when_it_is_awaited() -> None:
    """Ours: by the server's clock, in botocore's format, and not at all where the server doesn't tell its time."""
    for date, told in (("Fri, 27 Nov 2026 10:00:00 GMT", "20261127T1000"), ("yesterday", None)):
        failed = replace(error("InternalServerError", 500), headers={"Date": date})
        for own in (False, True):
            async with endpoint(in_turn(failed, OK)) as at, learnt(at) as both:
                await (both.ours() if own else both.theirs())
                first, second = (head["amz-sdk-request"] for head in at.heads)
            assert first == "attempt=1"
            assert second.endswith("attempt=2; max=4")
            assert second.startswith(f"ttl={told}2" if told else "attempt"), "20 seconds later"


async def test_throttling_is_left_to_the_tables_pace() -> None:
    """Ours: botocore would ask again as fast as before."""
    pauses: list[float] = []

    async def pause(seconds: float) -> None:
        pauses.append(seconds)

    answers = (error("ThrottlingException"), error("ProvisionedThroughputExceededException"), OK)
    async with endpoint(in_turn(*answers)) as at, learnt(at) as both:
        response = await Pace(sleep=pause).run(both.ours)
        assert response["ResponseMetadata"]["RetryAttempts"] == both.by_botocore == 0
        assert len({head["amz-sdk-invocation-id"] for head in at.heads}) == len(answers)
        assert len(pauses) == 2


async def test_a_request_that_is_given_up_is_closed() -> None:
    """Ours: DynamoDB need not go on answering it."""
    async with endpoint(lambda _operation, _request: None) as at, learnt(at) as both:
        asking = asyncio.create_task(both.ours())
        with anyio.fail_after(30):
            await at.wait_until(lambda: len(at.requests) == 1)
            asking.cancel()
            await at.wait_until(lambda: at.dropped == 1)
        assert both.by_botocore == 0


async def test_an_error_is_of_botocores_class_for_it() -> None:
    """Ours: what turns errors into failures knows botocore's classes."""
    async with endpoint(lambda _operation, _request: error("ResourceNotFoundException")) as at, learnt(at) as both:
        with pytest.raises(both.client.exceptions.ResourceNotFoundException) as raised:
            await both.ours()
        assert raised.value.operation_name == "Query"


def error_of(raised: Exception) -> Any:
    """What a client's error says, but for what says when."""
    if not isinstance(raised, ClientError):
        return None
    response = dict(raised.response)
    metadata = {**response.pop("ResponseMetadata")}
    return response, metadata["HTTPStatusCode"], metadata.get("RetryAttempts"), metadata.get("MaxAttemptsReached")


def counted(tally: MeteredTally) -> list[float]:
    names = ("requests_total", "request_seconds_count", "throttles_total")
    return [tallied(tally, f"mcp_dynamodb_{name}") for name in names]


def some_value(random: Random, depth: int = 0) -> Body:
    text = "".join(random.choice('a"\\ü🙂\ud800\x00\n\u2028é/ ') for _ in range(random.choice((0, 1, 3, 9))))
    values: list[Callable[[], Body]] = [
        lambda: {"S": text},
        lambda: {"N": str(random.choice((0, -1, 10**37, "1E-130", 0.1)))},
        lambda: {"B": random.choice((bytes, bytearray))(random.randbytes(random.choice((0, 1, 2, 3, 40))))},
        lambda: {"SS": [text, text + "b"]},
        lambda: {"NS": ["1", "2.5"]},
        lambda: {"BS": [random.randbytes(3), b""]},
        lambda: {"BOOL": random.random() < 0.5},
        lambda: {"NULL": True},
        lambda: {"L": [some_value(random, depth + 1) for _ in range(random.randrange(3))]},
        lambda: {"M": {text: some_value(random, depth + 1), "": some_value(random, depth + 1)}},
    ]
    return random.choice(values if depth < 3 else values[:8])()


def some_request(random: Random) -> tuple[str, Body]:
    """Any arguments that mcp-server has for an operation."""
    key = {"pk": some_value(random), "ü": some_value(random)}
    names = {"#a": "a", "#ü": "ü b"}
    method, _ = random.choice(REQUESTS)
    if method == "batch_get_item":
        wanted = {"Keys": [key] * random.randrange(1, 3), "ConsistentRead": random.random() < 0.5}
        wanted |= {"ProjectionExpression": "#a, #ü", "ExpressionAttributeNames": names}
        return method, {"RequestItems": {"t": wanted}, "ReturnConsumedCapacity": "TOTAL"}
    arguments: Iterator[tuple[str, Any]] = iter(
        [
            ("IndexName", "by ü"),
            ("FilterExpression", "#a = :a OR contains(#ü, :b)"),
            ("ExpressionAttributeNames", names),
            ("ExpressionAttributeValues", {":a": key["pk"], ":b": key["ü"]}),
            ("ExclusiveStartKey", key),
            ("Limit", random.randrange(1, 10**6)),
            ("Select", "COUNT"),
            ("ConsistentRead", random.random() < 0.5),
            ("ReturnConsumedCapacity", "TOTAL"),
        ]
    )
    own = {"Segment": 0, "TotalSegments": 2} if method == "scan" else {"ScanIndexForward": False}
    return method, {"TableName": "t", **own, **{n: v for n, v in arguments if random.random() < 0.6}}
