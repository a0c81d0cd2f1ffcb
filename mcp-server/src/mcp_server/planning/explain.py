"""A plan as text for people and models."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from mcp_server.planning.plan import Read


@dataclass(frozen=True, slots=True)
class WithoutDuckDb:
    """Up to how many items and bytes rows are selected without DuckDB: of all that is read, or of each response."""

    items: int
    size: int
    of_each_response: bool


def render_plan(reads: Sequence[Read], without: WithoutDuckDb | None = None) -> str:
    """The reads of a query as a text tree; `without` tells where DuckDB is left out, None where it is not."""
    if not reads:
        return "DuckDB runs the statement; no table is read."
    lines = [f"{_who(reads, without)}:"]
    for number, read in enumerate(reads):
        last = number == len(reads) - 1
        first, *rest = _lines(read)
        lines.append(f"{'└─' if last else '├─'} {first}")
        lines += [f"{'  ' if last else '│ '}    {line}" for line in rest]
    return "\n".join(lines)


def _who(reads: Sequence[Read], without: WithoutDuckDb | None) -> str:
    if any(read.counts for read in reads):
        return "DynamoDB counts the rows of"
    if without is None:
        return "DuckDB runs the whole statement over"
    most = f"more than {without.items:,} items or {without.size:,} bytes"
    unless = f"a response has {most}" if without.of_each_response else f"{most} are read"
    return f"Rows are selected without DuckDB, unless {unless}, from"


def _lines(read: Read) -> Iterator[str]:
    table = read.relation.table
    through = f" through {read.index}" if read.index is not None else ""
    made = sum(len(one.requests) for one in read.branches or (read,))
    requests = f" ({made} requests)" if made > 1 else ""
    yield f"{read.relation.name}: {read.access} {table.schema}.{table.name}{through}{requests}"
    yield f"reason: {read.reason}"
    for index in read.rejected:
        yield f"index {index.name} is not used ({index.saving}): {index.reason}"
    if read.key_condition is not None:
        yield f"key condition: {read.key_condition}"
    for condition in read.pushed_filters:
        yield f"filter in DynamoDB: {condition}"
    for condition in read.residual_filters:
        yield f"filter after reading: {condition}"
    if not read.counts:
        yield f"columns: {', '.join(column.name for column in read.relation.columns)}"
    estimate = read.estimate
    yield f"estimate: {estimate.items} items, {estimate.pages} pages, {estimate.read_units:g} read units"
    if read.at_most is not None:
        most = read.at_most
        yield f"at most: {most.items} items, {most.read_units:g} read units, where few items meet the conditions"
    if read.enough is not None:
        yield f"stops after: {read.enough} items{' of each request' if read.of_each else ''}"
    for other in read.alternatives:
        way = f"{other.access} through {other.index}" if other.index is not None else other.access
        takes = f"{other.estimate.items} items, {other.estimate.read_units:g} read units"
        yield f"instead of: {way}, {takes}: {other.reason}"
