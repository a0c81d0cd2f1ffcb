"""Which log messages a client takes."""

from collections import OrderedDict
from typing import Any, get_args

from mcp.server.connection import allowed_log_levels
from mcp.server.context import ServerRequestContext
from mcp.types import LoggingLevel
from mcp_types.version import MODERN_PROTOCOL_VERSIONS

from mcp_server.domain.principal import Principal
from mcp_server.ports.log_levels import LIFETIME_SECONDS, MOST_LEVELS, LogLevelStore, SetLevel
from mcp_server.ports.relay import Kind, Relay, Relayed
from mcp_server.surface.sign_in import digest, sign_in
from shared_kernel.clock import Clock

_LEVELS: tuple[LoggingLevel, ...] = get_args(LoggingLevel)
_DEFAULT: LoggingLevel = "info"


class LogLevels:
    """What `logging/setLevel` has set, per sign-in, for a day; since 2026-07-28 each request says it.

    A client that set none gets `info` and above. Every replica knows every level: it hears of those that are set, and
    reads those that were set before from `store`. So no call has to wait for what replicas share. Where there is no
    `relay`, the levels are this process's own.
    """

    def __init__(self, clock: Clock, *, store: LogLevelStore | None = None, relay: Relay | None = None) -> None:
        self._clock, self._store, self._relay = clock, store, relay
        self._known: OrderedDict[str, SetLevel] = OrderedDict()

    async def set(self, principal: Principal, level: LoggingLevel) -> None:
        """Sets the lowest level for a principal's client."""
        fresh = SetLevel(digest(sign_in(principal)), level, self._clock.now())
        self._learn(fresh)
        if self._store is not None:
            await self._store.put(fresh)
        if self._relay is not None:
            await self._relay.send(Relayed(Kind.LOG_LEVEL, fresh.sign_in, f"{fresh.at!r} {level}"))

    def hear(self, message: Relayed) -> None:
        """Takes a level that was set on another replica."""
        at, level = message.body.split(" ")
        self._learn(SetLevel(message.subject, level, float(at)))

    async def catch_up(self) -> None:
        """Learns the levels that were set before this replica could hear of them."""
        for level in await self._store.all() if self._store is not None else ():
            self._learn(level)

    def takes(self, context: ServerRequestContext[Any], principal: Principal, level: LoggingLevel) -> bool:
        """Whether the client of this request takes messages of that level."""
        if context.protocol_version in MODERN_PROTOCOL_VERSIONS:
            return level in allowed_log_levels(context.protocol_version, context.meta)
        return _LEVELS.index(level) >= _LEVELS.index(self._lowest(principal))

    def _lowest(self, principal: Principal) -> LoggingLevel:
        known = self._known.get(digest(sign_in(principal))) if self._known else None
        if known is None or known.at + LIFETIME_SECONDS <= self._clock.now():
            return _DEFAULT
        return next((level for level in _LEVELS if level == known.level), _DEFAULT)

    def _learn(self, level: SetLevel) -> None:
        """Keeps a level unless a later one of its sign-in is known."""
        known = self._known.get(level.sign_in)
        if known is not None and known.at > level.at:
            return
        self._known[level.sign_in] = level
        self._known.move_to_end(level.sign_in)
        if len(self._known) > MOST_LEVELS:
            self._known.popitem(last=False)
