"""How far the run of a statement has come, and what it took until then."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field

from mcp_server.domain.schema import Schema
from mcp_server.engine.meter import Meter
from mcp_server.engine.parsed import Parsed
from mcp_server.engine.payers import PayingCaller
from mcp_server.engine.plan_cache import Plan
from mcp_server.planning.plan import Read
from mcp_server.ports.usage import Usage


@dataclass(slots=True)
class Course:
    """How far a run has come, whatever becomes of it; `payer` pays for the samples that it needs."""

    meter: Meter
    payer: PayingCaller
    plans: list[Plan] = field(default_factory=list)
    reads: Sequence[Read] = ()
    """Those of the last plan, with what they are expected to take."""
    planning_seconds: float = 0.0
    rows: int = 0

    def usage(self, schema: Schema, parsed: Parsed, seconds: float | None) -> Usage:
        """What it took, and how long all of it took; None when it ended with the plan."""
        reads = [read.relation.table for plan in self.plans for read in plan.reads]
        planned = {f"{table.schema}.{table.name}" for table in reads}
        tables = planned or {f"{name.schema or schema.name}.{name.name}" for name in parsed.tables}
        meter = self.meter
        return Usage(
            statement=statement_digest(parsed.text),
            tables=tuple(sorted(tables)),
            items=meter.items,
            pages=meter.pages,
            bytes=meter.bytes,
            read_units=meter.read_units,
            planning_seconds=self.planning_seconds,
            running_seconds=None if seconds is None else seconds - self.planning_seconds,
            reads=tuple(meter.reads.values()),
            rows=self.rows,
        )


def statement_digest(text: str) -> str:
    """By which lines about one statement are found, without its text."""
    return hashlib.sha256(text.encode(errors="replace")).hexdigest()[:16]
