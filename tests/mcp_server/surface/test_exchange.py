"""The endpoint's transport, message by message, over ASGI."""

import asyncio
import json
from dataclasses import dataclass, field
from typing import Any

import anyio
import pytest
from structlog.testing import capture_logs

from mcp_server.access.bearer import MESSAGE_KEY, PRINCIPAL_KEY
from mcp_server.domain.principal import Principal
from mcp_server.surface.call import Call
from mcp_server.surface.exchange import Exchange
from mcp_server.surface.offer import Offer
from mcp_server.surface.server import Surface
from mcp_server.surface.subscriptions import Subscriptions
from mcp_server.surface.tools.served_tool import Arguments
from shared_kernel.asgi import Message
from shared_kernel.clock import SystemClock
from shared_kernel.entropy import SystemEntropy
from tests.mcp_server.surface.service import Done, waiting_tool
from tests.support.mcp_wire import ERAS, MODERN, Era, message

pytestmark = pytest.mark.anyio

PRINCIPAL = Principal("default", "usr_1", "client-1", frozenset({"query"}), "gid")


@dataclass
class Served:
    """One tool that ends when it may, and one exchange with it."""

    silence_seconds: float = 60
    begun: anyio.Event = field(default_factory=anyio.Event)
    finish: anyio.Event = field(default_factory=anyio.Event)
    cancelled: bool = False
    gone: anyio.Event = field(default_factory=anyio.Event)
    sent: list[Message] = field(default_factory=list)
    pinged: anyio.Event = field(default_factory=anyio.Event)

    async def wait(self, _call: Call, _arguments: Arguments) -> Done:
        """The tool."""
        self.begun.set()
        try:
            await self.finish.wait()
        except asyncio.CancelledError:
            self.cancelled = True
            raise
        return {"done": True}

    async def exchange(self, document: dict[str, Any], headers: dict[str, str]) -> None:
        """Serves one message."""
        offer = Offer(tools=(waiting_tool(self.wait),))
        surface = Surface(offer, Subscriptions(), title="T", version="1", state_key=b"k" * 32, clock=SystemClock())
        scope = {
            "type": "http",
            "method": "POST",
            "path": "/mcp",
            "query_string": b"",
            "headers": [(name.lower().encode(), value.encode()) for name, value in headers.items()],
            "state": {PRINCIPAL_KEY: PRINCIPAL, MESSAGE_KEY: document},
        }
        exchange = Exchange(
            surface.server,
            sessions=surface.sessions,
            entropy=SystemEntropy(),
            silence_seconds=self.silence_seconds,
        )
        await exchange(scope, self._receive, self._send)

    async def _receive(self) -> Message:
        await self.gone.wait()
        return {"type": "http.disconnect"}

    async def _send(self, event: Message) -> None:
        self.sent.append(event)
        if event.get("more_body"):
            self.pinged.set()

    @property
    def status(self) -> int:
        """The response's status."""
        return int(self.sent[0]["status"])

    @property
    def content_type(self) -> str:
        """Its content type."""
        return str(dict(self.sent[0]["headers"]).get(b"content-type", b""), "ascii")

    @property
    def body(self) -> str:
        """Its body, complete."""
        assert self.sent[-1]["type"] == "http.response.body"
        assert not self.sent[-1].get("more_body")
        return b"".join(event["body"] for event in self.sent[1:]).decode()


def call(era: Era, **headers: str) -> tuple[dict[str, Any], dict[str, str]]:
    document, fixed = message(era, 7, "tools/call", {"name": "wait", "arguments": {}})
    return document, fixed | headers


@pytest.mark.parametrize("era", ERAS)
async def test_a_reply_is_plain_json_of_a_known_length(era: Era) -> None:
    served = Served()
    served.finish.set()
    await served.exchange(*call(era))
    assert (served.status, served.content_type) == (200, "application/json")
    assert dict(served.sent[0]["headers"])[b"content-length"] == str(len(served.body)).encode()
    reply = json.loads(served.body)
    assert (reply["jsonrpc"], reply["id"], reply["result"]["structuredContent"]) == ("2.0", 7, {"done": True})
    assert ("resultType" in reply["result"]) is (era == MODERN)


@pytest.mark.parametrize(("finished", "outcome"), [(True, "ok"), (False, "cancelled")])
async def test_a_call_is_logged_with_its_principal_and_grant_whatever_comes_of_it(finished: bool, outcome: str) -> None:
    served = Served()
    with capture_logs() as logs, anyio.fail_after(30):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(served.exchange, *call(MODERN))
            await served.begun.wait()
            (served.finish if finished else served.gone).set()
    [line] = [line for line in logs if line["event"] == "tool_call"]
    assert line["ms"] >= 0
    assert line.get("cancelled_by") == (None if finished else "disconnect")
    assert "statement" not in line
    assert {name: line[name] for name in ("tool", "outcome", "tenant", "user_id", "client_id", "grant")} == {
        "tool": "wait",
        "outcome": outcome,
        "tenant": "default",
        "user_id": "usr_1",
        "client_id": "client-1",
        "grant": "gid",
    }


@pytest.mark.parametrize("era", ERAS)
async def test_a_slow_reply_becomes_an_event_stream(era: Era) -> None:
    served = Served(silence_seconds=0.01)
    with anyio.fail_after(30):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(served.exchange, *call(era))
            await served.pinged.wait()
            served.finish.set()
    assert (served.status, served.content_type) == (200, "text/event-stream")
    *pings, event = served.body.split("\r\n\r\n")[:-1]
    assert pings
    assert set(pings) == {": ping"}
    name, data = event.split("\r\n")
    assert name == "event: message"
    assert json.loads(data.removeprefix("data: "))["result"]["structuredContent"] == {"done": True}


async def test_a_client_that_reads_no_event_streams_gets_none() -> None:
    served = Served(silence_seconds=0.001)
    with anyio.fail_after(30):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(lambda: served.exchange(*call(MODERN, Accept="application/json")))
            await served.begun.wait()
            with anyio.move_on_after(0.05):
                await served.pinged.wait()
            served.finish.set()
    assert served.content_type == "application/json"
    assert json.loads(served.body)["result"]["structuredContent"] == {"done": True}


@pytest.mark.parametrize("era", ERAS)
async def test_a_client_that_goes_away_cancels_its_call(era: Era) -> None:
    served = Served()
    with anyio.fail_after(30):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(served.exchange, *call(era))
            await served.begun.wait()
            served.gone.set()
    assert served.cancelled
    assert served.sent == []


@pytest.mark.parametrize("era", ERAS)
async def test_the_end_of_the_service_is_a_json_rpc_error(era: Era) -> None:
    served = Served()
    with anyio.fail_after(30):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(served.exchange, *call(era))
            await served.begun.wait()
            tasks.cancel_scope.cancel()
    assert served.cancelled
    assert (served.status, served.content_type) == (503, "application/json")
    reply = json.loads(served.body)
    assert (reply["id"], reply["error"]["code"]) == (7, -32603)
    assert "Call again" in reply["error"]["message"]


@pytest.mark.parametrize("era", ERAS)
async def test_the_end_of_the_service_is_a_json_rpc_error_in_a_stream_that_has_begun_too(era: Era) -> None:
    served = Served(silence_seconds=0.01)
    with anyio.fail_after(30):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(served.exchange, *call(era))
            await served.pinged.wait()
            tasks.cancel_scope.cancel()
    assert (served.status, served.content_type) == (200, "text/event-stream")
    *_, event = served.body.split("\r\n\r\n")[:-1]
    reply = json.loads(event.partition("data: ")[2])
    assert (reply["id"], reply["error"]["code"]) == (7, -32603)


@pytest.mark.parametrize(("era", "method"), [(MODERN, "server/discover"), ("2025-11-25", "initialize")])
async def test_instructions_say_which_tools_need_which_scope(era: Era, method: str) -> None:
    served = Served()
    client = {"protocolVersion": era, "capabilities": {}, "clientInfo": {"name": "c", "version": "1"}}
    await served.exchange(*message(era, 1, method, client if method == "initialize" else {}))
    instructions = json.loads(served.body)["result"]["instructions"]
    assert "\nScope query: wait." in instructions
    assert "sign in again" in instructions
    assert "untrusted" in instructions


async def test_a_notification_is_acknowledged() -> None:
    served = Served()
    document = {"jsonrpc": "2.0", "method": "notifications/initialized"}
    await served.exchange(document, {"Accept": "application/json", "MCP-Protocol-Version": "2025-11-25"})
    assert (served.status, served.body) == (202, "")


@pytest.mark.parametrize("document", [call(MODERN)[0], {"jsonrpc": "2.0", "method": "notifications/initialized"}])
async def test_an_unknown_revision_is_refused(document: dict[str, Any]) -> None:
    served = Served()
    await served.exchange(document, {"Accept": "application/json", "MCP-Protocol-Version": "2001-01-01"})
    assert served.status == 400
    assert json.loads(served.body)["error"]["code"] < 0


async def test_a_client_that_reads_no_json_is_refused() -> None:
    served = Served()
    await served.exchange(*call(MODERN, Accept="text/html"))
    assert served.status == 406
    assert not served.begun.is_set()


async def test_params_must_be_an_object() -> None:
    served = Served()
    document, headers = call("2025-11-25")
    await served.exchange({**document, "params": ["wait"]}, headers)
    assert (served.status, json.loads(served.body)["error"]["code"]) == (400, -32600)
