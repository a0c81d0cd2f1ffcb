"""A client that goes away stops its call, in both protocol eras, over real sockets."""

import json
import socket
from typing import Any

import anyio
import pytest
from anyio.abc import SocketAttribute, SocketStream
from typing_extensions import TypedDict

from mcp_server.surface.call import Call
from mcp_server.surface.offer import Offer
from mcp_server.surface.tools.served_tool import Arguments, ServedTool, serve
from tests.mcp_server.surface.service import running_service

pytestmark = [pytest.mark.anyio, pytest.mark.slow]


class Nothing(TypedDict):
    pass


class SlowTool:
    """A tool that never ends by itself, and tells when it begins and when it is cancelled."""

    def __init__(self) -> None:
        self.begun, self.cancelled = anyio.Event(), anyio.Event()

    async def call(self, _call: Call, _arguments: Arguments) -> Nothing:
        self.begun.set()
        try:
            await anyio.sleep_forever()
        finally:
            self.cancelled.set()
        raise AssertionError

    def served(self) -> ServedTool:
        return serve(
            self.call,
            name="slow",
            title="Slow",
            description="Never ends.",
            scopes=frozenset({"query"}),
            arguments=Arguments,
            result=Nothing,
        )


def modern_call() -> tuple[dict[str, str], dict[str, Any]]:
    meta = {
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientCapabilities": {},
    }
    headers = {"MCP-Protocol-Version": "2026-07-28", "Mcp-Method": "tools/call", "Mcp-Name": "slow"}
    return headers, {"name": "slow", "arguments": {}, "_meta": meta}


def handshake_call() -> tuple[dict[str, str], dict[str, Any]]:
    return {"MCP-Protocol-Version": "2025-11-25"}, {"name": "slow", "arguments": {}}


def versionless_call() -> tuple[dict[str, str], dict[str, Any]]:
    return {}, {"name": "slow", "arguments": {}}


@pytest.mark.parametrize("call", [modern_call, handshake_call, versionless_call])
@pytest.mark.parametrize("abrupt", [False, True], ids=["closed", "reset"])
async def test_a_disconnected_client_cancels_its_call(call: Any, abrupt: bool) -> None:
    slow = SlowTool()
    async with running_service(Offer(tools=(slow.served(),))) as service:
        connection = await anyio.connect_tcp(*service.address)
        await _send_call(connection, service.issuer.token(), *call())
        with anyio.fail_after(30):
            await slow.begun.wait()
        assert not slow.cancelled.is_set()
        if abrupt:
            raw = connection.extra_attributes[SocketAttribute.raw_socket]()
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        await connection.aclose()
        with anyio.fail_after(30):
            await slow.cancelled.wait()


async def _send_call(connection: SocketStream, token: str, headers: dict[str, str], params: dict[str, Any]) -> None:
    body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params})
    lines = {
        "Host": "127.0.0.1:1",
        "Authorization": f"Bearer {token}",
        "Content-Type": "application/json",
        "Accept": "application/json, text/event-stream",
        "Content-Length": str(len(body)),
        **headers,
    }
    head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
    await connection.send(f"POST /mcp HTTP/1.1\r\n{head}\r\n{body}".encode())
