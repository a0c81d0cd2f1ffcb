"""Which log messages a client takes."""

from typing import Any, get_args

from mcp.server.connection import allowed_log_levels
from mcp.server.context import ServerRequestContext
from mcp.types import LoggingLevel
from mcp_types.version import MODERN_PROTOCOL_VERSIONS

from mcp_server.domain.principal import Principal

_LEVELS: tuple[LoggingLevel, ...] = get_args(LoggingLevel)
_DEFAULT: LoggingLevel = "info"
_REMEMBERED = 10_000


class LogLevels:
    """What `logging/setLevel` has set, per sign-in and on this process; since 2026-07-28 each request says it.

    A client that set none gets `info` and above.
    """

    def __init__(self) -> None:
        self._set: dict[tuple[str, str, str, str], LoggingLevel] = {}

    def remember(self, principal: Principal, level: LoggingLevel) -> None:
        """Sets the lowest level for a principal's client. Of too many, the one that was set first is forgotten."""
        key = _key(principal)
        self._set.pop(key, None)
        self._set[key] = level
        if len(self._set) > _REMEMBERED:
            del self._set[next(iter(self._set))]

    def takes(self, context: ServerRequestContext[Any], principal: Principal, level: LoggingLevel) -> bool:
        """Whether the client of this request takes messages of that level."""
        if context.protocol_version in MODERN_PROTOCOL_VERSIONS:
            return level in allowed_log_levels(context.protocol_version, context.meta)
        return _LEVELS.index(level) >= _LEVELS.index(self._set.get(_key(principal), _DEFAULT))


def _key(principal: Principal) -> tuple[str, str, str, str]:
    return principal.tenant, principal.subject, principal.client_id, principal.grant
