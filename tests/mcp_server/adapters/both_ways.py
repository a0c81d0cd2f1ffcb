"""Both ways to DynamoDB: botocore's whole one, and ours (`adapters.dynamodb.sending`)."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import anyio
import pytest
from botocore import auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import ReadOnlyCredentials

from mcp_server.adapters.dynamodb.clients import DynamoDbClients
from mcp_server.adapters.dynamodb.sending import Sender
from mcp_server.adapters.metrics import MeteredTally
from mcp_server.domain.schema import Schema
from tests.mcp_server.adapters.endpoint import Answer, Body, Endpoint
from tests.mcp_server.adapters.test_dynamodb import schema

ACCESS, SECRET, TOKEN = "AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", "Token/+="
OWN = ReadOnlyCredentials(ACCESS, SECRET, TOKEN)
EACH_TIME_ANOTHER = ("amz-sdk-invocation-id", "authorization", "x-amz-date")
PAGE: Body = {"Items": [], "Count": 0, "ScannedCount": 0, "Responses": {"t": []}, "UnprocessedKeys": {}}
OK = Answer(PAGE)
KEY: Body = {"pk": {"S": "ü🙂\ud800"}, "sk": {"B": b"\x00\xff"}, "n": {"N": "1.5"}}
REQUESTS: list[tuple[str, Body]] = [
    ("query", {"TableName": "t", "ExpressionAttributeValues": {":a": KEY["pk"], ":b": KEY["sk"]}}),
    ("scan", {"TableName": "t", "Segment": 1, "TotalSegments": 3, "ExclusiveStartKey": KEY}),
    ("batch_get_item", {"RequestItems": {"t": {"Keys": [KEY], "ConsistentRead": True}}}),
]
METHOD, ARGUMENTS = REQUESTS[0]


@dataclass(slots=True)
class Ways:
    """Both ways to one endpoint: botocore's own client, and ours. `by_botocore` counts what botocore sent itself."""

    client: Any
    sender: Sender
    by_botocore: int = 0

    def note(self, **_: Any) -> None:
        """A handler of botocore's event `before-send`."""
        self.by_botocore += 1

    async def ours(self, method: str = METHOD, arguments: Body = ARGUMENTS) -> dict[str, Any]:
        with anyio.fail_after(30):
            return await getattr(self.sender, method)(**arguments)  # type: ignore[no-any-return] # as the client's

    async def theirs(self, method: str = METHOD, arguments: Body = ARGUMENTS) -> dict[str, Any]:
        with anyio.fail_after(30):
            return await getattr(self.client, method)(**arguments)  # type: ignore[no-any-return] # no types


@asynccontextmanager
async def ways(of: Schema, tally: MeteredTally | None = None) -> AsyncIterator[Ways]:
    async with DynamoDbClients((of,), tally or MeteredTally()) as clients:
        both = Ways(clients.of(of), clients.sender_of(of))
        both.client.meta.events.register("before-send.dynamodb", both.note)
        yield both


@asynccontextmanager
async def learnt(at: Endpoint, tally: MeteredTally | None = None) -> AsyncIterator[Ways]:
    """Both ways, after a request by which ours was learnt; what the endpoint noted of it is forgotten."""
    script, at.script = at.script, lambda _operation, _request: OK
    async with ways(schema(at), tally) as both:
        await both.ours()
        at.script, both.by_botocore = script, 0
        for noted in (at.requests, at.heads, at.bodies):
            noted.clear()
        yield both


def in_turn(*answers: Answer | type[ConnectionError] | None) -> Callable[[str, Body], Answer | None]:
    left = iter(answers)

    def script(_operation: str, _request: Body) -> Answer | None:
        answer = next(left)
        if answer is None or isinstance(answer, Answer):
            return answer
        raise answer

    return script


def always(_operation: str, _request: Body) -> Answer:
    return OK


def have_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    """OWN, in the environment."""
    values = {"AWS_ACCESS_KEY_ID": ACCESS, "AWS_SECRET_ACCESS_KEY": SECRET, "AWS_SESSION_TOKEN": TOKEN}
    for name, value in values.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")


@dataclass(slots=True)
class Lending:
    """The service of a container that lends credentials, which end so soon that they are asked for every time."""

    number: int = 1
    account: str | None = None

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One request."""
        await reader.readuntil(b"\r\n\r\n")
        ends = (datetime.now(UTC) + timedelta(minutes=5)).strftime("%Y-%m-%dT%H:%M:%SZ")
        lent = f'"AccessKeyId":"KEY{self.number}","SecretAccessKey":"secret {self.number}"'
        lent += f',"Token":"token {self.number}","Expiration":"{ends}"'
        lent += "" if self.account is None else f',"AccountId":"{self.account}"'
        body = f"{{{lent}}}".encode()
        writer.write(f"HTTP/1.1 200 OK\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n".encode() + body)
        await writer.drain()
        writer.close()


@asynccontextmanager
async def lending(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Lending]:
    forget_credentials(monkeypatch)
    lent = Lending()
    server = await asyncio.start_server(lent.serve, "127.0.0.1", 0)
    at = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
    monkeypatch.setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", at)
    try:
        yield lent
    finally:
        server.close()


def forget_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")
    monkeypatch.setenv("AWS_CONFIG_FILE", "/dev/null")


def lasting(head: dict[str, str]) -> dict[str, str]:
    return {name: value for name, value in head.items() if name not in EACH_TIME_ANOTHER}


def access_key(head: dict[str, str]) -> str:
    return head["authorization"].split("Credential=")[1].split("/")[0]


def signed_again(
    at: Endpoint,
    head: dict[str, str],
    body: bytes,
    path: str = "/",
    credentials: ReadOnlyCredentials = OWN,
) -> str:
    """What botocore signs a request with that arrived so."""
    names = head["authorization"].split("SignedHeaders=")[1].split(",")[0].split(";")
    assert names == ["content-type", "host", "x-amz-date", "x-amz-security-token", "x-amz-target"]
    assert head["host"] == at.url.removeprefix("http://")
    signed = {name: head[name] for name in ("content-type", "x-amz-target")}
    request = AWSRequest("POST", f"{at.url}{path}", signed, body)
    moment = datetime.strptime(head["x-amz-date"], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(auth, "get_current_datetime", lambda: moment)
        auth.SigV4Auth(credentials, "dynamodb", "us-east-1").add_auth(request)
    return str(request.headers["authorization"])
