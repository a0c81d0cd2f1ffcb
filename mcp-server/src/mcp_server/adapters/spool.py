"""Results kept in memory for later pages."""

from collections import OrderedDict
from dataclasses import dataclass

from mcp_server.domain.principal import Principal
from mcp_server.ports.relational import Result
from mcp_server.ports.spool import Part
from shared_kernel.clock import Clock
from shared_kernel.entropy import Entropy

RESULT_BYTES = 64 * 1024 * 1024
TOTAL_BYTES = 512 * 1024 * 1024

_Owner = tuple[str, str, str]


@dataclass(frozen=True, slots=True)
class _Entry:
    owner: _Owner
    result: Result
    kept_at: float
    size: int


class MemorySpool:
    """A Spool in this process: for `lifetime_seconds`, limited in bytes, the longest unused result gives way first.

    One principal can hold at most half of it, so that nobody's results push out everyone else's.
    """

    def __init__(
        self,
        *,
        clock: Clock,
        entropy: Entropy,
        lifetime_seconds: float,
        result_bytes: int = RESULT_BYTES,
        total_bytes: int = TOTAL_BYTES,
    ) -> None:
        self._clock, self._entropy, self._lifetime_seconds = clock, entropy, lifetime_seconds
        self._result_bytes, self._total_bytes = result_bytes, total_bytes
        self._entries: OrderedDict[str, _Entry] = OrderedDict()

    async def put(self, principal: Principal, result: Result) -> str | None:
        """Keeps a result and gives its id; None when it is too large to keep."""
        size = result.table.get_total_buffer_size()  # unlike nbytes, what a slice keeps alive counts
        if size > self._result_bytes:
            return None
        self._drop([key for key, entry in self._entries.items() if self._expired(entry)])
        owner = _owner(principal)
        self._make_room(
            [key for key, entry in self._entries.items() if entry.owner == owner], self._total_bytes // 2 - size
        )
        self._make_room(list(self._entries), self._total_bytes - size)
        spool_id = self._entropy.token(128)
        self._entries[spool_id] = _Entry(owner=owner, result=result, kept_at=self._clock.monotonic(), size=size)
        return spool_id

    async def get(self, principal: Principal, spool_id: str, start: int, rows: int) -> Part | None:
        """See Spool."""
        entry = self._entries.get(spool_id)
        # The id is a name, not a capability: whoever else learns it gets nothing.
        if entry is None or entry.owner != _owner(principal):
            return None
        if self._expired(entry):
            self._drop([spool_id])
            return None
        self._entries.move_to_end(spool_id)
        result = entry.result
        part = Result(result.columns, result.table.slice(start, rows), result.complete)
        return Part(part, result.table.num_rows)

    def _expired(self, entry: _Entry) -> bool:
        return self._clock.monotonic() - entry.kept_at >= self._lifetime_seconds

    def _make_room(self, keys: list[str], room: int) -> None:
        """Drops of these entries, oldest first, until the rest takes no more than `room` bytes."""
        taken = sum(self._entries[key].size for key in keys)
        for key in keys:
            if taken <= room:
                return
            taken -= self._entries[key].size
            self._drop([key])

    def _drop(self, keys: list[str]) -> None:
        for key in keys:
            del self._entries[key]


def _owner(principal: Principal) -> _Owner:
    return (principal.tenant, principal.subject, principal.client_id)
