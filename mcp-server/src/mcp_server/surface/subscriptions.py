"""`subscriptions/listen`: clients of 2026-07-28 that want to know when a list has changed.

Lists depend on the scopes of the token that asks. So they change for a client when it comes back with a token of other
scopes, after a step-up for instance: then the streams that its sign-in has open are told.
"""

import asyncio
from dataclasses import dataclass, field
from typing import Any

from mcp import MCPError
from mcp.server.context import ServerRequestContext
from mcp.server.subscriptions import InMemorySubscriptionBus, ListenHandler
from mcp.shared.subscriptions import PromptsListChanged, ResourcesListChanged, ServerEvent, ToolsListChanged
from mcp.types import INTERNAL_ERROR, SubscriptionsListenRequestParams, SubscriptionsListenResult

from mcp_server.domain.principal import Principal

MOST_STREAMS = 64
"""How many streams one process keeps open; each takes a place among the requests in flight."""
MOST_STREAMS_OF_ONE = 4
STREAM_SECONDS = 600.0
"""How long a stream stays open: as long as a token lives. The client then listens again, with its next token."""

_Owner = tuple[str, str, str]
_LISTS: tuple[ServerEvent, ...] = (ToolsListChanged(), PromptsListChanged(), ResourcesListChanged())


@dataclass(slots=True)
class _Listener:
    """A person or program at one client, the scopes it was last seen with, and its open streams."""

    scopes: frozenset[str]
    bus: InMemorySubscriptionBus = field(default_factory=InMemorySubscriptionBus)
    streams: set[ListenHandler] = field(default_factory=set)


class Subscriptions:
    """The open streams of one process."""

    def __init__(self) -> None:
        self._listeners: dict[_Owner, _Listener] = {}

    async def listen(
        self, context: ServerRequestContext[Any], params: SubscriptionsListenRequestParams, principal: Principal
    ) -> SubscriptionsListenResult:
        """Serves one stream until its client goes away, or its time is over. Raises MCPError."""
        known = self._listeners.get(_owner(principal))
        streams = sum(len(one.streams) for one in self._listeners.values())
        if streams >= MOST_STREAMS or (known is not None and len(known.streams) >= MOST_STREAMS_OF_ONE):
            raise MCPError(code=INTERNAL_ERROR, message="Too many subscriptions are open")
        listener = self._listeners.setdefault(_owner(principal), _Listener(principal.scopes))
        stream = ListenHandler(listener.bus)
        listener.streams.add(stream)
        end = asyncio.get_running_loop().call_later(STREAM_SECONDS, stream.close)
        try:
            return await stream(context, params)
        finally:
            end.cancel()
            listener.streams.discard(stream)
            if not listener.streams:
                self._listeners.pop(_owner(principal), None)

    async def notice(self, principal: Principal) -> None:
        """Tells the principal's streams if it comes with other scopes than before."""
        listener = self._listeners.get(_owner(principal)) if self._listeners else None
        if listener is not None and listener.scopes != principal.scopes:
            listener.scopes = principal.scopes
            for event in _LISTS:
                await listener.bus.publish(event)

    async def publish(self, event: ServerEvent) -> None:
        """Tells every stream that asked for such events."""
        for listener in list(self._listeners.values()):
            await listener.bus.publish(event)

    def close(self) -> None:
        """Ends every stream, in good order."""
        for listener in self._listeners.values():
            for stream in listener.streams:
                stream.close()


def _owner(principal: Principal) -> _Owner:
    # Not the grant: a step-up may come with a new one.
    return principal.tenant, principal.subject, principal.client_id
