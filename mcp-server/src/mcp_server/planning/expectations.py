"""What reads are expected to take once they know how many keys other tables' rows name. Pure.

A stage is planned by the most keys that pay; which way it goes is only seen when the rows are there. Of the rows of its
source so many are taken to be left as its sample tells, or else as people's conditions usually leave.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from mcp_server.domain.rejected_index import that_save
from mcp_server.domain.schema import Table
from mcp_server.planning.access_path import full_scan_of, may_be_scanned
from mcp_server.planning.estimates import first_estimate
from mcp_server.planning.plan import Confidence, Conjunct, Estimate, Read
from mcp_server.planning.predicate import Predicate
from mcp_server.planning.shares import LEFT_BY_A_CONDITION, share_left
from mcp_server.planning.streaming import FEW_ITEMS, PARALLEL_REQUESTS, next_limit
from mcp_server.planning.virtual import ITEMS_TEXT, met_by_all

_LEAST = 0.01
"""The least that guesses make of the rows."""


Observed = Callable[[Read], Estimate | None]
"""What a read took when it was made before; None where it was not."""


def expected(
    reads: Sequence[Read], by_relation: Mapping[str, Read], observed: Observed = lambda _read: None
) -> tuple[Read, ...]:
    """The reads with what they are expected to take; `by_relation` has the read that yields a relation's rows."""
    return tuple(_with(read, _estimate(read, by_relation, observed)) for read in reads)


def stopping(read: Read) -> Read:
    """A read that ends with the first rows that meet its conditions, with what it is expected to look at until then.

    That is no more than likely: `at_most` keeps what it takes where too few rows meet them. A scan of a large table
    that is likely to look at more than may be scanned unasked is told with all that it may take.
    """
    goal, first = read.relation.goal, read.requests[0].arguments.get("Limit") if read.requests else None
    if read.access != "Scan" or goal is None or goal.conditions is None or read.enough is not None:
        return read
    share, guessed = _share_of_rows(read)
    needed = goal.rows / share if share else math.inf
    if needed >= read.estimate.items:
        return read
    segments = len(read.requests)
    if first is None:  # each page is as large as it can be
        ahead = math.ceil(read.estimate.items / max(1, read.estimate.pages))
        pages = math.ceil(needed / (ahead * segments))
        items = ahead * segments * pages + ahead
    else:  # each page is twice as large as the one before
        pages = math.ceil(math.log2(needed / (first * segments) + 1))
        ahead = first * 2**pages
        items = first * segments * (2**pages - 1) + ahead
    # The segments are read side by side, and the first to answer asks for another page ahead.
    if items >= read.estimate.items:
        return read
    table, whole = read.relation.table, read.estimate
    one_page = first_estimate(table, items, whole, consistent=read.consistent)
    confidence: Confidence = "guessed" if guessed or whole.confidence == "guessed" else "estimated"
    seconds = round(one_page.seconds * pages, 3)
    return _likely(read, replace(one_page, pages=pages * segments + 1, seconds=seconds, confidence=confidence))


def filling(read: Read, rows: int) -> Read:
    """A read that ends with so many rows, each of its responses as large as those before leave to be looked for.

    That is no more than likely, as of `stopping`.
    """
    whole = read.estimate
    share, guessed = _share_of_rows(read)
    of_one_page = math.ceil(whole.items / max(1, whole.pages))
    limit: int | None = max(rows + 1, FEW_ITEMS)
    items, found, pages, width = 0, 0.0, 0, 1
    while found < rows and items < whole.items:
        looked_at = (of_one_page if limit is None else limit) * width
        items, pages, found = items + looked_at, pages + width, found + looked_at * share
        if limit is not None:
            limit = next_limit(limit, looked_at, looked_at * share, rows + 1 - found)
        if limit is None:
            width = min(2 * width, PARALLEL_REQUESTS, len(read.requests))
    if items >= whole.items:
        return read
    part = first_estimate(read.relation.table, items, whole, consistent=read.consistent)
    confidence: Confidence = "guessed" if guessed or whole.confidence == "guessed" else "estimated"
    return _likely(read, replace(part, pages=pages, seconds=round(part.seconds * pages, 3), confidence=confidence))


def _likely(read: Read, estimate: Estimate) -> Read:
    if full_scan_of(read) and not may_be_scanned(read.relation.table, estimate.items):
        return read
    return replace(_with(read, estimate), at_most=read.estimate)


def _with(read: Read, estimate: Estimate) -> Read:
    return replace(read, estimate=estimate, rejected=that_save(read.rejected, estimate.read_units))


def _estimate(read: Read, by_relation: Mapping[str, Read], observed: Observed) -> Estimate:
    took = observed(read)
    if took is not None:
        return took
    stage = read.stage
    sources = [by_relation.get(source.relation) for source in stage.link.sources] if stage is not None else []
    known = [source for source in sources if source is not None]
    if stage is None or len(known) < len(sources):
        return read.estimate
    rows = sum(_rows(source, by_relation, observed) for source in known)
    if rows > stage.most:
        return replace(stage.otherwise.estimate, confidence="guessed")
    planned = max(1, min(sum(source.estimate.items for source in known), stage.most))
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
    share, _ = _share_of_rows(read)
    return math.ceil(_estimate(read, by_relation, observed).items * share)


def _share_of_rows(read: Read) -> tuple[float, bool]:
    """Which share of the items that it looks at a read is expected to leave, and whether that is only guessed."""
    # Conditions in DynamoDB and here may be the same one.
    conditions = {*read.pushed_filters, *read.residual_filters} - {ITEMS_TEXT}
    table, own = read.relation.table, frozenset[Predicate]()
    known, guesses, guessed = 1.0, 0, False
    if table.virtual is not None:
        own = met_by_all(table.virtual)
        if read.access == "Scan":  # a key that is named has hardly any other items
            guessed = table.own_share is None
            known, guesses = (1.0, 1) if table.own_share is None else (table.own_share, 0)
    said = {one.text: one for one in read.relation.conjuncts}
    for text in conditions:
        conjunct = said.get(text)
        if conjunct is not None and conjunct.predicate in own:
            continue
        matched = share_left(conjunct.matched, table) if conjunct is not None and conjunct.matched is not None else None
        if matched is not None:
            known *= matched
            continue
        share = _share_of(conjunct, table) if conjunct is not None else None
        if conjunct is None or share is None:
            guesses, guessed = guesses + 1, True
            continue
        known *= share
        guesses += not conjunct.faithful and conjunct.left_out is None
        guessed |= not conjunct.faithful
    return known * max(_LEAST, LEFT_BY_A_CONDITION**guesses), guessed


def _share_of(conjunct: Conjunct, table: Table) -> float | None:
    """The share of a table's items that a condition leaves, or what it implies; None where nothing tells.

    A negated one leaves most: what is left out of it is what the one that it negates would leave.
    """
    if conjunct.predicate is None:
        return None
    share = share_left(conjunct.predicate, table)
    if conjunct.left_out is None:
        return share
    left_out = share_left(conjunct.left_out, table)
    whole = 1.0 if share is None else share
    return max(0.0, whole - (LEFT_BY_A_CONDITION * whole if left_out is None else left_out))
