"""What a call's line in the log says beyond who made it: noted by whoever knows, while the call is under way.

The surface opens notes around a call and writes its line. The engine and its adapters find them in the context, as
they find the request's id; work that no call asked for finds none.
"""

from collections.abc import Iterable
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

from mcp_server.ports.usage import Usage

KEPT, INTERRUPTED, LOST = "kept", "interrupted", "lost"
"""What becomes of a query process: it awaits the next statement, its statement was interrupted, it died."""
_ALIVE = frozenset({KEPT, INTERRUPTED})


@dataclass(slots=True)
class CallNotes:
    """Of the statements of one call: the digest of the text, what they read, and what became of the child processes.

    `tables` are those of the statements, and those whose description the call shows, as `schema.table`.
    `child` is what became of the query process that was lent last, or of one that ended; None where none was lent. Of
    one that ended, `child_end` has the signal or the exit code, and the most memory that it held, in MiB.
    """

    statement: str | None = None
    tables: tuple[str, ...] = ()
    items: int = 0
    pages: int = 0
    bytes: int = 0
    read_units: float = 0.0
    planning_seconds: float | None = None
    running_seconds: float | None = None
    child: str | None = None
    child_end: tuple[str | None, int | None, int] | None = None
    planning_child: str | None = None
    sample_requests: int = 0
    """Responses to samples of tables that this call was the first to need."""
    sample_items: int = 0
    sample_read_units: float = 0.0
    asked_seconds: float | None = None
    """How long the client, and the person before it, took over questions; None where nothing was asked."""

    def take(self, usage: Usage) -> None:
        """Adds what a statement took. A call that has to ask first plans its statement a second time."""
        self.names(usage.tables)
        self.items += usage.items
        self.pages += usage.pages
        self.bytes += usage.bytes
        self.read_units += usage.read_units
        self.planning_seconds = (self.planning_seconds or 0.0) + usage.planning_seconds
        if usage.running_seconds is not None:
            self.running_seconds = (self.running_seconds or 0.0) + usage.running_seconds

    def sampled(self, items: int, read_units: float) -> None:
        """Adds what a response to a sample of a table took."""
        self.sample_requests += 1
        self.sample_items += items
        self.sample_read_units += read_units

    def names(self, tables: Iterable[str]) -> None:
        """Adds tables that the call is about."""
        self.tables = tuple(sorted({*self.tables, *tables}))

    def child_became(self, what: str) -> None:
        """Takes note of a query process; what the next one did does not hide that one has ended."""
        if what not in _ALIVE or self.child is None or self.child in _ALIVE:
            self.child = what

    def child_ended(self, signal: str | None, exit_code: int | None, peak_mib: int) -> None:
        """Takes note of how a process ended that `child_became` anything but fit for the next statement."""
        self.child_end = signal, exit_code, peak_mib

    def fields(self) -> dict[str, Any]:
        """The fields of the line; for a call without a statement its tables and samples, if there are any."""
        samples: dict[str, Any] = {}
        if self.sample_requests:
            samples["sample_requests"], samples["sample_items"] = self.sample_requests, self.sample_items
            samples["sample_read_units"] = round(self.sample_read_units, 1)
        if self.statement is None:
            return {"tables": self.tables, **samples} if self.tables else samples
        fields: dict[str, Any] = {
            "statement": self.statement,
            "tables": self.tables,
            "items_read": self.items,
            "pages_read": self.pages,
            "bytes_read": self.bytes,
            "read_units": round(self.read_units, 1),
            "plan_ms": _milliseconds(self.planning_seconds),
            "exec_ms": _milliseconds(self.running_seconds),
            "child": self.child,
            **samples,
        }
        if self.child_end is not None:
            fields["child_signal"], fields["child_exit_code"], fields["child_peak_mib"] = self.child_end
        if self.asked_seconds is not None:
            fields["asked_ms"] = _milliseconds(self.asked_seconds)
        if self.planning_child is not None:
            fields["planning_child"] = self.planning_child
        return fields


NOTES: ContextVar[CallNotes | None] = ContextVar("call_notes", default=None)
"""Those of the call that is being served; None where none is."""


def current() -> CallNotes:
    """The notes of the call that is being served; where none is, some that nobody reads."""
    return NOTES.get() or CallNotes()


def _milliseconds(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds * 1000, 1)
