"""What reads are expected to take once they know how many keys other tables' rows name. Pure.

A stage is planned by the most keys that pay; which way it goes is only seen when the rows are there. Of the rows of its
source so many are taken to be left as its sample tells, or else as people's conditions usually leave.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from mcp_server.domain.rejected_index import that_save
from mcp_server.planning.plan import Estimate, Read
from mcp_server.planning.shares import LEFT_BY_A_CONDITION, share_left

_LEAST = 0.01
"""The least that guesses make of the rows."""


Observed = Callable[[Read], Estimate | None]
"""What a read took when it was made before; None where it was not."""


def expected(
    reads: Sequence[Read], by_relation: Mapping[str, Read], observed: Observed = lambda _read: None
) -> tuple[Read, ...]:
    """The reads with what they are expected to take; `by_relation` has the read that yields a relation's rows."""
    return tuple(_with(read, _estimate(read, by_relation, observed)) for read in reads)


def _with(read: Read, estimate: Estimate) -> Read:
    return replace(read, estimate=estimate, rejected=that_save(read.rejected, estimate.read_units))


def _estimate(read: Read, by_relation: Mapping[str, Read], observed: Observed) -> Estimate:
    took = observed(read)
    if took is not None:
        return took
    stage = read.stage
    source = by_relation.get(stage.link.source) if stage is not None else None
    if stage is None or source is None:
        return read.estimate
    rows = _rows(source, by_relation, observed)
    if rows > stage.most:
        return replace(stage.otherwise.estimate, confidence="guessed")
    planned = max(1, min(source.estimate.items, stage.most))
    share, one = max(1, rows) / planned, read.estimate
    scaled = Estimate(
        items=math.ceil(one.items * share),
        pages=math.ceil(one.pages * share),
        read_units=math.ceil(2 * one.read_units * share) / 2,
        seconds=round(one.seconds * share, 3),
        confidence="guessed",
    )
    otherwise = stage.otherwise.estimate
    return replace(otherwise, confidence="guessed") if scaled.read_units > otherwise.read_units else scaled


def _rows(read: Read, by_relation: Mapping[str, Read], observed: Observed) -> int:
    """How many rows a read is expected to leave of the items that it looks at."""
    looked_at = _estimate(read, by_relation, observed).items
    # Conditions in DynamoDB and here may be the same one.
    conditions = {*read.pushed_filters, *read.residual_filters}
    known, guesses = 1.0, 0
    said = {one.text: one for one in read.relation.conjuncts}
    for text in conditions:
        conjunct = said.get(text)
        predicate = conjunct.predicate if conjunct is not None else None
        share = share_left(predicate, read.relation.table) if predicate is not None else None
        known *= 1.0 if share is None else share
        guesses += share is None or conjunct is None or not conjunct.faithful
    return math.ceil(looked_at * known * max(_LEAST, LEFT_BY_A_CONDITION**guesses))
