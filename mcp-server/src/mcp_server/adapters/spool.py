"""Results kept in memory for later pages."""

from collections import OrderedDict
from dataclasses import dataclass, field

from mcp_server.domain.principal import Principal
from mcp_server.ports.relational import Result
from mcp_server.ports.spool import Part
from shared_kernel.clock import Clock
from shared_kernel.entropy import Entropy

RESULT_BYTES = 64 * 1024 * 1024
TOTAL_BYTES = 512 * 1024 * 1024

ENTRY_BYTES = 4096
"""What a result takes beyond its data: measured for one of a few rows, which is nearly all of it."""

_Owner = tuple[str, str, str]


@dataclass(frozen=True, slots=True)
class _Entry:
    owner: _Owner
    result: Result
    size: int


@dataclass(slots=True)
class _Shelf:
    """Results by id, the longest unused first, and the bytes that they take."""

    entries: OrderedDict[str, _Entry] = field(default_factory=OrderedDict)
    size: int = 0

    def add(self, spool_id: str, entry: _Entry) -> None:
        self.entries[spool_id] = entry
        self.size += entry.size

    def remove(self, spool_id: str) -> _Entry:
        entry = self.entries.pop(spool_id)
        self.size -= entry.size
        return entry


class MemorySpool:
    """A Spool in this process: for `lifetime_seconds`, limited in bytes, the longest unused result gives way first.

    One principal can hold at most half of it, so that nobody's results push out everyone else's. What a call costs does
    not depend on how many results are kept.
    """

    def __init__(
        self,
        *,
        clock: Clock,
        entropy: Entropy,
        lifetime_seconds: float,
        result_bytes: int = RESULT_BYTES,
        total_bytes: int = TOTAL_BYTES,
        entry_bytes: int = ENTRY_BYTES,
    ) -> None:
        self._clock, self._entropy, self._lifetime_seconds = clock, entropy, lifetime_seconds
        self._result_bytes, self._total_bytes, self._entry_bytes = result_bytes, total_bytes, entry_bytes
        self._all, self._of = _Shelf(), dict[_Owner, _Shelf]()
        self._by_age = dict[str, float]()  # when each was kept, oldest first

    async def put(self, principal: Principal, result: Result) -> str | None:
        """Keeps a result and gives its id; None when it is too large to keep."""
        size = result.table.get_total_buffer_size()  # unlike nbytes, what a slice keeps alive counts
        if size > self._result_bytes:
            return None
        now, owner, size = self._clock.monotonic(), _owner(principal), size + self._entry_bytes
        while self._by_age and self._is_over(oldest := next(iter(self._by_age)), now):
            self._drop(oldest)
        self._make_room(self._of.get(owner, _Shelf()), self._total_bytes // 2 - size)
        self._make_room(self._all, self._total_bytes - size)
        spool_id = self._entropy.token(128)
        entry = _Entry(owner=owner, result=result, size=size)
        self._all.add(spool_id, entry)
        self._of.setdefault(owner, _Shelf()).add(spool_id, entry)
        self._by_age[spool_id] = now
        return spool_id

    async def get(self, principal: Principal, spool_id: str, start: int, rows: int) -> Part | None:
        """See Spool."""
        entry = self._all.entries.get(spool_id)
        # The id is a name, not a capability: whoever else learns it gets nothing.
        if entry is None or entry.owner != _owner(principal):
            return None
        if self._is_over(spool_id, self._clock.monotonic()):
            self._drop(spool_id)
            return None
        for shelf in (self._all, self._of[entry.owner]):
            shelf.entries.move_to_end(spool_id)
        result = entry.result
        part = Result(result.columns, result.table.slice(start, rows), result.complete)
        return Part(part, result.table.num_rows)

    def _is_over(self, spool_id: str, now: float) -> bool:
        return now - self._by_age[spool_id] >= self._lifetime_seconds

    def _make_room(self, shelf: _Shelf, room: int) -> None:
        """Drops results of a shelf, the longest unused first, until the rest takes no more than `room` bytes."""
        while shelf.entries and shelf.size > room:
            self._drop(next(iter(shelf.entries)))

    def _drop(self, spool_id: str) -> None:
        owner = self._all.remove(spool_id).owner
        self._of[owner].remove(spool_id)
        if not self._of[owner].entries:
            del self._of[owner]
        del self._by_age[spool_id]


def _owner(principal: Principal) -> _Owner:
    return (principal.tenant, principal.subject, principal.client_id)
