"""Estimates of what reads take. DescribeTable's figures are hours old, and zero on some implementations."""

import math
from collections.abc import Iterable
from dataclasses import replace

from mcp_server.domain.schema import Table
from mcp_server.planning.plan import Confidence, Estimate

_ITEM_BYTES = 400
"""Taken for an item's size where it is not known."""

_PAGE_BYTES = 1024 * 1024
UNIT_BYTES = 4096
"""Bytes that one read unit covers: of one item, or of all items of one request."""
_SECONDS_A_PAGE = 0.02
_BYTES_A_SECOND = 20_000_000

NOTHING = Estimate(items=0, pages=0, read_units=0.0, seconds=0.0, confidence="exact")

_CONFIDENCE: tuple[Confidence, ...] = ("exact", "observed", "estimated", "guessed")


def least_sure(confidences: Iterable[Confidence]) -> Confidence:
    """How far a sum can be trusted."""
    return max(confidences, key=_CONFIDENCE.index, default="exact")


def table_bytes(table: Table) -> int:
    """The table's size, from its items' number where the size itself is not known."""
    return table.size_bytes or table.item_count * _ITEM_BYTES


def keys_estimate(table: Table, keys: int, *, consistent: bool) -> Estimate:
    """Single items: each is rounded up to a read unit of its own."""
    units = keys * read_units(_item_bytes(table), consistent=consistent)
    return _estimate(keys, keys * _item_bytes(table), units, pages=max(1, math.ceil(keys / 100)), parallel=1)


def query_estimate(
    table: Table, queries: int, *, partition: float | None, share: float, guessed: bool, consistent: bool
) -> Estimate:
    """Queries that read `share` of a partition each; one of unknown size is as large as there are partitions.

    `guessed` tells that the share is no more than that.
    """
    confidence: Confidence = "guessed" if guessed or partition is None or not _is_measured(table) else "estimated"
    partition = math.isqrt(table.item_count) if partition is None else partition
    items = max(1, math.ceil(partition * share)) * queries
    size = items * _item_bytes(table)
    units = read_units(size, requests=queries, consistent=consistent)
    pages = max(queries, math.ceil(size / _PAGE_BYTES))
    return _estimate(items, size, units, pages=pages, parallel=1, confidence=confidence)


def scan_estimate(table: Table, segments: int, *, consistent: bool) -> Estimate:
    """Everything; a filter saves no read units."""
    size = table_bytes(table)
    pages = max(segments, math.ceil(size / _PAGE_BYTES))
    units = read_units(size, requests=pages, consistent=consistent)
    confidence: Confidence = "estimated" if _is_measured(table) else "guessed"
    return _estimate(table.item_count, size, units, pages=pages, parallel=segments, confidence=confidence)


def first_estimate(table: Table, rows: int, whole: Estimate, *, consistent: bool) -> Estimate:
    """The first rows of what would take `whole`."""
    rows = min(rows, whole.items)
    size = rows * _item_bytes(table)
    return _estimate(rows, size, read_units(size, consistent=consistent), pages=1, parallel=1)


def both_estimates(keys: Estimate, items: Estimate) -> Estimate:
    """Keys first, then the items that they name."""
    return Estimate(
        items=items.items,
        pages=keys.pages + items.pages,
        read_units=keys.read_units + items.read_units,
        seconds=round(keys.seconds + items.seconds, 3),
        confidence=least_sure((keys.confidence, items.confidence)),
    )


def united_estimate(branches: Iterable[Estimate]) -> Estimate:
    """Several reads of one table, side by side."""
    several = list(branches)
    return Estimate(
        items=sum(one.items for one in several),
        pages=sum(one.pages for one in several),
        read_units=sum(one.read_units for one in several),
        seconds=max((one.seconds for one in several), default=0.0),
        confidence=least_sure(one.confidence for one in several),
    )


def observed_estimate(items: int, pages: int, units: float, *, consistent: bool, parallel: int) -> Estimate:
    """What was read before, in read units as if it had been eventually consistent."""
    whole = _estimate(items, round(units * 2 * UNIT_BYTES), units, pages=pages, parallel=parallel)
    return replace(whole, read_units=math.ceil(2 * units) / 2 * (2.0 if consistent else 1.0), confidence="observed")


def read_units(size: float, *, requests: int = 1, consistent: bool) -> float:
    """Read units for that many bytes: whole units, at least one per request; eventually consistent reads cost half."""
    return max(requests, math.ceil(size / UNIT_BYTES)) * (1.0 if consistent else 0.5)


def _is_measured(table: Table) -> bool:
    """Whether anything is known of its size."""
    return bool(table.size_bytes and table.item_count)


def _item_bytes(table: Table) -> int:
    return max(1, table.size_bytes // table.item_count) if table.size_bytes and table.item_count else _ITEM_BYTES


def _estimate(
    items: int, size: int, units: float, *, pages: int, parallel: int, confidence: Confidence = "estimated"
) -> Estimate:
    seconds = pages * _SECONDS_A_PAGE / parallel + size / _BYTES_A_SECOND
    return Estimate(items=items, pages=pages, read_units=units, seconds=round(seconds, 3), confidence=confidence)
