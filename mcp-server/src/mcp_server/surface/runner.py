"""The SDK's kernel for one message, without what it does again for every call of a tool."""

from collections.abc import Awaitable, Mapping
from contextlib import AsyncExitStack
from functools import lru_cache
from typing import Any

import msgspec
from mcp.server.connection import Connection
from mcp.server.context import HandlerResult
from mcp.server.runner import ServerRunner
from mcp.shared.dispatcher import DispatchContext
from mcp.shared.transport_context import TransportContext
from mcp_types.version import MODERN_PROTOCOL_VERSIONS

from mcp_server.surface.reply import Written

_CLIENT_LENGTH = 4096
"""Longest description of a client that is remembered, in bytes of JSON."""


class Runner(ServerRunner[Any]):
    """Takes a written result as it is; the SDK checks, copies and completes every other."""

    def answer(
        self, dispatch: DispatchContext[TransportContext], method: str, params: Mapping[str, Any] | None
    ) -> Awaitable[dict[str, Any]]:
        """The result of a request. Raises MCPError, ValidationError, and what a handler raises."""
        return self._on_request(dispatch, method, params)  # `on_request` is the same, kept for a second request

    def _serialize(self, method: str, version: str, result: HandlerResult) -> dict[str, Any]:
        if not isinstance(result, Written):
            return super()._serialize(method, version, result)
        wire: dict[str, Any] = dict(result)
        if version in MODERN_PROTOCOL_VERSIONS:
            wire["resultType"] = "complete"  # required since 2026-07-28, unknown to the revisions before
        return self._stamp_server_info(version, wire)


def connection(version: str, client: Any = None, capabilities: Any = None) -> Connection:
    """A connection for one exchange, of a client that describes itself as the envelope of its request does."""
    try:
        described = msgspec.json.encode((client, capabilities))
    except RecursionError:  # one level deeper than the request could be read
        return Connection.from_envelope(version, client, capabilities)
    read = _described if len(described) <= _CLIENT_LENGTH else _described.__wrapped__
    known = read(version, described)
    fresh = Connection.__new__(Connection)
    vars(fresh).update(vars(known))
    fresh.state, fresh.exit_stack = {}, AsyncExitStack()  # all of it that can change
    return fresh


@lru_cache(maxsize=256)
def _described(version: str, described: bytes) -> Connection:
    """A connection that is never used, with what the SDK makes of a description: clients repeat theirs every time."""
    client, capabilities = msgspec.json.decode(described)
    return Connection.from_envelope(version, client, capabilities)
