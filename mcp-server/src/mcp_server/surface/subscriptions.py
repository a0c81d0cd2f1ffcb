"""`subscriptions/listen`: clients of 2026-07-28 that want to know when a list has changed.

Lists depend on the scopes of the token that asks. So they change for a client when it comes back with a token of other
scopes, after a step-up for instance: then the streams that it has open are told, on whichever replica they are.
Nobody is told of single resources, so a stream does not acknowledge those that are asked for.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Coroutine
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from mcp import MCPError
from mcp.server.context import ServerRequestContext
from mcp.server.subscriptions import InMemorySubscriptionBus, ListenHandler
from mcp.shared.subscriptions import PromptsListChanged, ResourcesListChanged, ServerEvent, ToolsListChanged
from mcp.types import INTERNAL_ERROR, SubscriptionsListenRequestParams, SubscriptionsListenResult

from mcp_server.domain.principal import Principal
from mcp_server.ports.relay import Kind, Relay, Relayed
from mcp_server.surface.sign_in import digest_of

MOST_STREAMS = 64
"""How many streams one process keeps open; each takes a place among the requests in flight."""
MOST_STREAMS_OF_ONE = 4
STREAM_SECONDS = 600.0
"""How long a stream stays open: as long as a token lives. The client then listens again, with its next token."""
MOST_SEEN = 10_000
"""Of how many clients of persons and programs it is known which scopes other replicas were told."""

_Owner = tuple[str, str, str]
_LISTS: tuple[ServerEvent, ...] = (ToolsListChanged(), PromptsListChanged(), ResourcesListChanged())


@dataclass(slots=True)
class _Listener:
    """A person or program at one client, the digest of the scopes it was last seen with, and its open streams."""

    scopes: str
    bus: InMemorySubscriptionBus = field(default_factory=InMemorySubscriptionBus)
    streams: set[ListenHandler] = field(default_factory=set)


class Subscriptions:
    """The open streams of one process.

    Where there is a `relay`, other replicas are told of whoever comes for the first time or with other scopes, since
    nobody else knows who has a stream there. No call waits for that. Of one owner they are told in turn: on another
    connection, what was sent last might come first.
    """

    def __init__(self, relay: Relay | None = None) -> None:
        self._relay = relay
        self._listeners: dict[_Owner, _Listener] = {}
        self._seen: OrderedDict[_Owner, frozenset[str]] = OrderedDict()
        self._telling: set[asyncio.Task[None]] = set()
        self._sending: dict[_Owner, asyncio.Task[None]] = {}
        """What the relay is given last of each owner, until it has taken it."""

    async def listen(
        self, context: ServerRequestContext[Any], params: SubscriptionsListenRequestParams, principal: Principal
    ) -> SubscriptionsListenResult:
        """Serves one stream until its client goes away, or its time is over. Raises MCPError."""
        known = self._listeners.get(_owner(principal))
        streams = sum(len(one.streams) for one in self._listeners.values())
        if streams >= MOST_STREAMS or (known is not None and len(known.streams) >= MOST_STREAMS_OF_ONE):
            raise MCPError(code=INTERNAL_ERROR, message="Too many subscriptions are open")
        listener = self._listeners.setdefault(_owner(principal), _Listener(_scopes(principal)))
        stream = ListenHandler(listener.bus)
        listener.streams.add(stream)
        end = asyncio.get_running_loop().call_later(STREAM_SECONDS, stream.close)
        try:
            return await stream(context, _of_lists(params))
        finally:
            end.cancel()
            listener.streams.discard(stream)
            if not listener.streams:
                self._listeners.pop(_owner(principal), None)

    async def notice(self, principal: Principal) -> None:
        """Tells the principal's streams if it comes with other scopes than before."""
        owner = _owner(principal)
        if self._relay is not None and self._seen.get(owner) != principal.scopes:
            self._seen[owner] = principal.scopes
            self._seen.move_to_end(owner)
            if len(self._seen) > MOST_SEEN:
                self._seen.popitem(last=False)
            message = Relayed(Kind.SCOPES, digest_of(owner), _scopes(principal))
            sending = self._start(_send(self._relay, message, self._sending.get(owner)))
            self._sending[owner] = sending
            sending.add_done_callback(partial(self._sent, owner))
        listener = self._listeners.get(owner) if self._listeners else None
        if listener is not None:
            await _tell(listener, _scopes(principal))

    def hear(self, message: Relayed) -> None:
        """Takes note of who has come to another replica, with which scopes."""
        for owner, listener in self._listeners.items():
            if digest_of(owner) == message.subject:
                self._start(_tell(listener, message.body))

    async def publish(self, event: ServerEvent) -> None:
        """Tells every stream that asked for such events."""
        for listener in list(self._listeners.values()):
            await listener.bus.publish(event)

    def close(self) -> None:
        """Ends every stream, in good order."""
        for listener in self._listeners.values():
            for stream in listener.streams:
                stream.close()

    def _start(self, telling: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(telling)
        self._telling.add(task)
        task.add_done_callback(self._telling.discard)
        return task

    def _sent(self, owner: _Owner, sending: asyncio.Task[None]) -> None:
        if self._sending.get(owner) is sending:
            del self._sending[owner]


def _of_lists(params: SubscriptionsListenRequestParams) -> SubscriptionsListenRequestParams:
    asked = params.notifications.model_copy(update={"resource_subscriptions": None})
    return params.model_copy(update={"notifications": asked})


async def _send(relay: Relay, message: Relayed, before: asyncio.Task[None] | None) -> None:
    if before is not None:
        await asyncio.wait([before])
    await relay.send(message)


async def _tell(listener: _Listener, scopes: str) -> None:
    if listener.scopes != scopes:
        listener.scopes = scopes
        for event in _LISTS:
            await listener.bus.publish(event)


def _scopes(principal: Principal) -> str:
    return digest_of(sorted(principal.scopes))


def _owner(principal: Principal) -> _Owner:
    # Not the grant: a step-up may come with a new one.
    return principal.tenant, principal.subject, principal.client_id
