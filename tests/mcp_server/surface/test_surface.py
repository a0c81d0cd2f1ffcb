"""What every tool has in common, through the official client in each of its modes."""

import json
from collections.abc import AsyncIterator
from typing import Annotated, Any

import anyio
import httpx2
import jsonschema
import pytest
from mcp import Client, MCPError
from mcp.client.streamable_http import streamable_http_client
from mcp.types import INVALID_PARAMS, CallToolResult, Prompt, Resource, TextContent
from pydantic import Field
from structlog.testing import capture_logs
from typing_extensions import TypedDict

from mcp_server.access.bearer import MESSAGE_KEY, PRINCIPAL_KEY
from mcp_server.domain.failures import Failure, Position
from mcp_server.domain.failures.texts import EmptyStatement
from mcp_server.domain.principal import Principal
from mcp_server.surface.call import Call
from mcp_server.surface.exchange import Exchange
from mcp_server.surface.offer import Offer
from mcp_server.surface.prompts.served_prompt import ServedPrompt
from mcp_server.surface.resources.served_resource import ServedResource
from mcp_server.surface.server import Surface
from mcp_server.surface.subscriptions import Subscriptions
from mcp_server.surface.tools.served_tool import Arguments, ServedTool, serve
from shared_kernel.asgi import Receive, Scope, Send, read_body
from shared_kernel.clock import SystemClock
from shared_kernel.entropy import SystemEntropy
from tests.mcp_server.surface.service import MODES, Service, running_service

pytestmark = [pytest.mark.anyio, pytest.mark.slow]


class EchoArguments(Arguments):
    number: Annotated[int | None, Field(ge=1, le=10)] = None
    text: Annotated[str | None, Field(max_length=5)] = None


class EchoResult(TypedDict):
    who: str
    rows: list[list[Any]]


def tool(name: str, scope: str, call: Any) -> ServedTool:
    return serve(
        call,
        name=name,
        title=name,
        description=name,
        scopes=frozenset({scope}),
        arguments=EchoArguments,
        result=EchoResult,
    )


async def echo(call: Call, arguments: EchoArguments) -> EchoResult:
    principal = call.principal
    who = f"{principal.tenant}/{principal.subject}/{principal.client_id}"
    return {"who": who, "rows": [[None, 1, "ä", arguments.model_dump()]]}


async def fail(_call: Call, _arguments: EchoArguments) -> EchoResult:
    raise Failure(EmptyStatement(), position=Position(2, 7))


async def crashing(*_: object) -> Any:
    raise RuntimeError("the password is swordfish")


async def refusing(*_: object) -> Any:
    raise MCPError(code=INVALID_PARAMS, message="No.")


@pytest.fixture(params=MODES)
def mode(request: pytest.FixtureRequest) -> str:
    """How the client speaks."""
    return str(request.param)


@pytest.fixture(scope="module")
async def service(anyio_backend: str) -> AsyncIterator[Service]:
    tools = (tool("echo", "query", echo), tool("fail", "query", fail), tool("crash", "schemas:read", crashing))
    async with running_service(Offer(tools=tools)) as service:
        yield service


def document(result: CallToolResult) -> dict[str, Any]:
    """A result's document, which text and structured content must agree on."""
    [block] = result.content
    assert isinstance(block, TextContent)
    assert json.loads(block.text) == result.structured_content
    assert isinstance(result.structured_content, dict)
    return result.structured_content


async def test_a_result_arrives_whole_nulls_included(service: Service, mode: str) -> None:
    async with service.client(mode) as client:
        result = await client.call_tool("echo", {"number": 3, "text": None})
    assert not result.is_error
    rows = [[None, 1, "ä", {"number": 3, "text": None}]]
    assert document(result) == {"who": "default/usr_1/client-1", "rows": rows}


@pytest.mark.parametrize(
    ("scopes", "names"),
    [
        (("schemas:read", "query"), ["echo", "fail", "crash"]),
        (("query",), ["echo", "fail"]),
        (("schemas:read",), ["crash"]),
        (("offline_access",), []),
        ((), []),
    ],
)
async def test_only_tools_within_the_tokens_scopes_are_listed_in_order(
    service: Service, mode: str, scopes: tuple[str, ...], names: list[str]
) -> None:
    async with service.client(mode, scopes) as client:
        assert [listed.name for listed in (await client.list_tools()).tools] == names
        assert [listed.name for listed in (await client.list_tools()).tools] == names


async def test_a_failure_says_what_to_do_and_fits_the_output_schema(service: Service, mode: str) -> None:
    async with service.client(mode) as client:
        result = await client.call_tool("fail", {})
        [schema] = [listed.output_schema for listed in (await client.list_tools()).tools if listed.name == "fail"]
    assert result.is_error
    failure = document(result)
    assert failure["request_id"]
    assert failure == {
        "request_id": failure["request_id"],
        "code": "invalid_argument",
        "message": "The statement is empty.",
        "next_action": "Send a SELECT statement.",
        "position": {"line": 2, "column": 7},
    }
    assert schema is not None
    jsonschema.validate(result.structured_content, schema)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({"who": 1}, schema)


async def test_a_crash_is_an_internal_error_that_gives_nothing_away(service: Service, mode: str) -> None:
    async with service.client(mode) as client:
        result = await client.call_tool("crash", {})
    assert result.is_error
    assert document(result)["code"] == "internal_error"
    assert "swordfish" not in str(result)


@pytest.mark.parametrize(("reading", "outcome"), [(crashing, "internal_error"), (refusing, "protocol_error")])
async def test_what_became_of_a_reading_is_logged(mode: str, reading: Any, outcome: str) -> None:
    offer = Offer(
        resources=(ServedResource(Resource(uri="x://y", name="y"), frozenset(), reading),),
        prompts=(ServedPrompt(Prompt(name="y"), frozenset(), reading),),
    )
    async with running_service(offer) as service, service.client(mode) as client:
        with capture_logs() as logs:
            with pytest.raises(MCPError) as read:
                await client.read_resource("x://y")
            with pytest.raises(MCPError) as got:
                await client.get_prompt("y")
    told = [(line["event"], line["outcome"]) for line in logs if "outcome" in line]
    assert told == [("resource_read", outcome), ("prompt_got", outcome)]
    assert "swordfish" not in f"{read.value} {got.value}"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"number": 11}, "number: input should be less than or equal to 10."),
        ({"number": "3"}, "number: input should be a valid integer."),
        ({"number": True}, "number: input should be a valid integer."),
        ({"txt": "x"}, "There is no argument txt. Did you mean text?"),
        ({"more": 1}, "There is no argument more. This tool takes number, text."),
        ({"text": "x" * 10_000}, "text: string should have at most 5 characters."),
    ],
    ids=lambda value: str(value)[:30],
)
async def test_arguments_outside_the_schema_are_a_failure_the_model_can_mend(
    service: Service, mode: str, arguments: dict[str, Any], message: str
) -> None:
    async with service.client(mode) as client:
        result = await client.call_tool("echo", arguments)
    assert result.is_error
    assert document(result)["code"] == "invalid_argument"
    assert document(result)["message"] == message


async def test_an_unknown_tool_is_a_protocol_error(service: Service, mode: str) -> None:
    async with service.client(mode) as client:
        with pytest.raises(MCPError) as refused:
            await client.call_tool("no_such_tool", {})
    assert refused.value.error.code == -32602


async def test_an_unknown_list_cursor_is_a_protocol_error(service: Service, mode: str) -> None:
    async with service.client(mode) as client:
        with pytest.raises(MCPError) as refused:
            await client.list_tools(cursor="more")
    assert refused.value.error.code == -32602


@pytest.mark.parametrize("mode", ["legacy", "auto"])
async def test_the_server_introduces_itself(service: Service, mode: str) -> None:
    async with service.client(mode) as client:
        assert client.server_info is not None
        assert client.server_info.name == "dynamosql"
        assert client.server_info.title == "DynamoSQL"
        assert client.server_info.version
        assert client.instructions
        assert "list_schemas" in client.instructions
        capabilities = client.server_capabilities
    assert capabilities is not None
    assert capabilities.tools is not None
    # The handshake revisions would need a stream of their own for it.
    assert capabilities.tools.list_changed is (mode == "auto")
    assert capabilities.logging is not None
    assert (capabilities.resources, capabilities.prompts, capabilities.completions) == (None, None, None)


async def test_twenty_callers_at_once_are_not_mixed_up(service: Service, mode: str) -> None:
    """The principal travels with its request, into whatever task runs the tool."""
    answers: dict[str, str] = {}

    async def ask(subject: str) -> None:
        async with service.client(mode, subject=subject) as client:
            for _ in range(3):
                answers[subject] = document(await client.call_tool("echo", {}))["who"]

    async with anyio.create_task_group() as tasks:
        for number in range(20):
            tasks.start_soon(ask, f"usr_{number}")
    assert answers == {f"usr_{number}": f"default/usr_{number}/client-1" for number in range(20)}


async def test_scopes_are_checked_again_behind_the_guard(mode: str) -> None:
    """One hole in the guard is not enough: here there is none at all."""
    offer = Offer(tools=(tool("echo", "query", echo),))
    surface = Surface(offer, Subscriptions(), title="T", version="1", state_key=b"k" * 32, clock=SystemClock())
    exchange = Exchange(surface.server, sessions=surface.sessions, entropy=SystemEntropy())

    async def unguarded(scope: Scope, receive: Receive, send: Send) -> None:
        nobody = Principal("default", "usr_1", "client-1", frozenset({"schemas:read"}), "gid")
        body = await read_body(receive, 1 << 20)
        scope["state"] = {PRINCIPAL_KEY: nobody, MESSAGE_KEY: json.loads(body)}
        await exchange(scope, receive, send)

    async with (
        httpx2.AsyncClient(transport=httpx2.ASGITransport(unguarded)) as http,
        Client(streamable_http_client("http://localhost/mcp", http_client=http), mode=mode) as client,
    ):
        assert (await client.list_tools()).tools == []
        result = await client.call_tool("echo", {})
    assert result.is_error
    assert document(result)["code"] == "access_denied"
