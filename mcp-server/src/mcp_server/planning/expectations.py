"""What reads are expected to take once they know how many keys other tables' rows name. Pure.

A stage is planned by the most keys that pay; which way it goes is only seen when the rows are there. Of the rows of its
source so many are taken to be left as people's conditions usually leave.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from mcp_server.planning.plan import Estimate, Read

LEFT_BY_A_CONDITION = 0.3
"""The share of rows that one condition is taken to leave, where nothing tells."""
_LEAST = 0.01


Observed = Callable[[Read], Estimate | None]
"""What a read took when it was made before; None where it was not."""


def expected(
    reads: Sequence[Read], by_relation: Mapping[str, Read], observed: Observed = lambda _read: None
) -> tuple[Read, ...]:
    """The reads with what they are expected to take; `by_relation` has the read that yields a relation's rows."""
    return tuple(replace(read, estimate=_estimate(read, by_relation, observed)) for read in reads)


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
    conditions = len({*read.pushed_filters, *read.residual_filters})
    return math.ceil(looked_at * max(_LEAST, LEFT_BY_A_CONDITION**conditions))
