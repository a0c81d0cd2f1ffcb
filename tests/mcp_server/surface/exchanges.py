"""Single exchanges with a surface, over ASGI, without a guard in front."""

import json
from dataclasses import dataclass, field
from typing import Any

import anyio

from mcp_server.access.bearer import MESSAGE_KEY, PRINCIPAL_KEY
from mcp_server.domain.principal import Principal
from mcp_server.ports.relay import Relay
from mcp_server.surface.exchange import Exchange
from mcp_server.surface.log_levels import LogLevels
from mcp_server.surface.offer import Offer
from mcp_server.surface.relaying import keep_hearing
from mcp_server.surface.server import Surface
from mcp_server.surface.subscriptions import Subscriptions
from shared_kernel.asgi import Message, answer_headers
from shared_kernel.clock import SystemClock
from shared_kernel.entropy import SystemEntropy
from tests.support.mcp_wire import Era, message

PRINCIPAL = Principal("default", "usr_1", "client-1", frozenset({"query"}), "gid")


@dataclass
class Answer:
    """The response to one POST, as it comes."""

    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    complete: bool = False
    changed: anyio.Event = field(default_factory=anyio.Event)

    async def send(self, event: Message) -> None:
        """Takes an ASGI event."""
        if event["type"] == "http.response.start":
            self.status = event["status"]
            self.headers = {name.decode(): value.decode() for name, value in event["headers"]}
        else:
            self.body += event["body"]
            self.complete = not event.get("more_body", False)
        self.changed.set()
        self.changed = anyio.Event()

    @property
    def content_type(self) -> str:
        """What the body is."""
        return self.headers.get("content-type", "")

    @property
    def messages(self) -> list[dict[str, Any]]:
        """The JSON-RPC messages so far."""
        if self.content_type != "text/event-stream":
            return [json.loads(self.body)] if self.complete and self.body else []
        lines = self.body.decode().split("\r\n")
        return [json.loads(line.removeprefix("data: ")) for line in lines if line.startswith("data: ")]

    async def of_method(self, method: str) -> dict[str, Any]:
        """The first message of that method, once it has come."""
        with anyio.fail_after(30):
            while True:
                found = [one for one in self.messages if one.get("method") == method]
                if found:
                    return found[0]
                await self.changed.wait()


class Exchanges:
    """An offer, served message by message."""

    def __init__(self, offer: Offer, *, relay: Relay | None = None, log_levels: LogLevels | None = None) -> None:
        self.subscriptions = Subscriptions(relay)
        surface = Surface(
            offer,
            self.subscriptions,
            title="T",
            version="1",
            state_key=b"k" * 32,
            clock=SystemClock(),
            log_levels=log_levels,
        )
        self._exchange = Exchange(surface.server, sessions=surface.sessions, entropy=SystemEntropy(), relay=relay)
        self._relay, self._log_levels = relay, surface.log_levels

    async def keep_hearing(self) -> None:
        """Hears what other replicas relay, until it is cancelled."""
        assert self._relay is not None
        await keep_hearing(self._relay, self._exchange.back_channel, self._log_levels, self.subscriptions)

    async def post(
        self,
        document: dict[str, Any],
        headers: dict[str, str],
        *,
        principal: Principal = PRINCIPAL,
        answer: Answer | None = None,
        gone: anyio.Event | None = None,
    ) -> Answer:
        """Serves one POST to its end."""
        answer, gone = answer or Answer(), gone or anyio.Event()

        async def receive() -> Message:
            await gone.wait()
            return {"type": "http.disconnect"}

        scope = {
            "type": "http",
            "method": "POST",
            "path": "/mcp",
            "query_string": b"",
            "headers": [(name.lower().encode(), value.encode()) for name, value in headers.items()],
            "state": {PRINCIPAL_KEY: principal, MESSAGE_KEY: document},
        }
        await self._exchange(scope, receive, answer.send)
        answer.headers |= {name.decode(): value.decode() for name, value in answer_headers(scope)}
        return answer

    async def reply(
        self, era: Era, method: str, params: dict[str, Any], principal: Principal = PRINCIPAL
    ) -> dict[str, Any]:
        """The reply to one request."""
        document, headers = message(era, 1, method, params)
        [reply] = (await self.post(document, headers, principal=principal)).messages
        return reply

    async def result(
        self, era: Era, method: str, params: dict[str, Any], principal: Principal = PRINCIPAL
    ) -> dict[str, Any]:
        """The result of one request."""
        reply = await self.reply(era, method, params, principal)
        assert "result" in reply, reply
        result: dict[str, Any] = reply["result"]
        return result
