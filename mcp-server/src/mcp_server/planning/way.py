"""The ways to read a relation, as they are weighed: by primary keys, by Query, by Scan, or not at all."""

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial

from mcp_server.domain.schema import Table
from mcp_server.planning.attribute_values import ScalarValue
from mcp_server.planning.counting import decided, exact_filters, is_countable
from mcp_server.planning.estimates import NOTHING, first_estimate, keys_estimate, scan_estimate, table_bytes
from mcp_server.planning.key_paths import Path, Rank, by_path, exact_keys, on_keys
from mcp_server.planning.path_estimates import Rejected, path_estimate, path_goal
from mcp_server.planning.plan import Access, Conjunct, Estimate, Goal, Read, Relation
from mcp_server.planning.predicate import Predicate
from mcp_server.planning.requests import (
    Filters,
    count_queries,
    count_scans,
    get_requests,
    lookup_arguments,
    pushable,
    query_requests,
    scan_requests,
)

COUNTED = " DynamoDB counts the items (Select=COUNT), so that none of them is sent."

_FIRST: Rank = (-1.0, False, 0)
_LAST: Rank = (2.0, True, 0)
"""How a read by primary keys and a scan stand among Queries that take as many read units."""

_FIRST_PAGE = 100
"""Items that a scan looks at first for few rows that meet conditions."""

_MAX_SEGMENTS = 8
_SEGMENT_BYTES = 4 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Way:
    """A way to read: only of the chosen one `read` makes requests. `ordered` ones suit pages.

    `rejected` are the ways through indexes that are not open to the relation.
    """

    access: Access
    index: str | None
    rank: Rank
    estimate: Estimate
    read: Callable[[], Read]
    ordered: bool = False
    rejected: tuple[Rejected, ...] = ()


def nothing_way(relation: Relation, reason: str, consistent: bool) -> Way:
    """The way to read no rows."""
    return Way("None", None, _FIRST, NOTHING, partial(read_nothing, relation, reason, consistent=consistent))


def read_nothing(relation: Relation, reason: str, *, consistent: bool) -> Read:
    """The read of a relation that the query wants no rows of."""
    return Read(
        relation=relation,
        access="None",
        index=None,
        reason=reason,
        requests=(),
        key_condition=_text(relation.conjuncts, {key.name for key in relation.table.key}),
        pushed_filters=(),
        residual_filters=(),
        estimate=NOTHING,
        consistent=consistent,
    )


def get_way(relation: Relation, keys: tuple[Mapping[str, ScalarValue], ...], consistent: bool) -> Way:
    """The way by GetItem, or BatchGetItem for several keys."""
    estimate = keys_estimate(relation.table, len(keys), consistent=consistent)
    return Way("GetItem", None, _FIRST, estimate, partial(_get_read, relation, keys, estimate, consistent))


def _get_read(
    relation: Relation, keys: tuple[Mapping[str, ScalarValue], ...], estimate: Estimate, consistent: bool
) -> Read:
    names = frozenset(key.name for key in relation.table.key)
    one = len(keys) == 1
    return Read(
        relation=relation,
        access="GetItem",
        index=None,
        reason=f"The conditions name {'one primary key' if one else f'{len(keys)} primary keys'}.",
        requests=tuple(get_requests(relation, keys, consistent=consistent)),
        key_condition=_text(relation.conjuncts, names),
        pushed_filters=(),
        residual_filters=tuple(one.text for one in relation.conjuncts if not on_keys(one, names)),
        estimate=estimate,
        consistent=consistent,
    )


def query_way(relation: Relation, path: Path, consistent: bool) -> Way:
    """The way by Query that a path is."""
    estimate = path_estimate(relation, path, consistent=consistent)
    index = path.index.name if path.index is not None else None
    read = partial(_query_read, relation, path, estimate, consistent)
    ordered = relation.order is not None and not path.lookup and path.ordered_by(relation.order, relation.table)
    return Way("Query", index, path.rank, estimate, read, ordered)


def _query_read(relation: Relation, path: Path, estimate: Estimate, consistent: bool) -> Read:
    table, goal = relation.table, path_goal(relation, path, consistent=consistent)
    # API reference, Query: "A FilterExpression does not allow key attributes."
    without = {key.name for key in path.key} | {key.name for key in table.key}
    if path.index is not None and path.index.projected is not None:
        held = path.index.projected | without
        without |= {column.name for column in table.columns if column.name not in held}
    conjuncts = [conjunct for conjunct in relation.conjuncts if not by_path(conjunct, path)]
    filters, pushed, residual = _filters(relation, conjuncts, frozenset(without))
    index = path.index.name if path.index is not None else None
    exact = _exact_filters_of(relation, path, conjuncts, without)
    if exact is not None:
        pushed, residual = tuple(one.text for one in conjuncts), ()
    partitions = "one partition" if len(path.conditions) == 1 else f"{len(path.conditions)} partitions or sort keys"
    where = f'of index "{index}"' if index is not None else "of the table"
    return Read(
        relation=relation,
        access="Query",
        index=index,
        reason=f"The conditions name {partitions} {where}."
        + (" It holds not all columns, so the items are fetched by their keys." if path.lookup else "")
        + (COUNTED if exact is not None else ""),
        requests=tuple(
            query_requests(
                relation, path.conditions, filters, index, consistent=consistent, goal=goal, only_keys=path.lookup
            )
            if exact is None
            else count_queries(relation, path.conditions, exact, index, consistent=consistent)
        ),
        key_condition=_joined(conjunct for conjunct in relation.conjuncts if by_path(conjunct, path)),
        pushed_filters=pushed,
        residual_filters=residual,
        estimate=estimate,
        consistent=consistent,
        enough=goal.rows if goal is not None and not path.lookup else None,
        of_each=goal is not None and goal.both_ends,
        lookup=lookup_arguments(relation, consistent=consistent) if path.lookup else None,
        counts=exact is not None,
    )


def _exact_filters_of(
    relation: Relation, path: Path, conjuncts: list[Conjunct], without: set[str]
) -> tuple[Predicate, ...] | None:
    """The filters by which Queries find exactly the items whose number is wanted; None where they do not."""
    table = relation.table
    if not is_countable(relation) or path.lookup:
        return None
    by_key = [conjunct for conjunct in relation.conjuncts if conjunct not in conjuncts]
    keys = {key.name for key in path.key}
    enforced = keys | {key.name for key in table.key}
    if not exact_keys(by_key, table, path) or not all(decided(one.predicate, table, enforced) for one in by_key):
        return None
    return exact_filters(conjuncts, table, enforced=enforced, without=without, there=keys)


def scan_way(relation: Relation, consistent: bool) -> Way:
    """The way by Scan."""
    goal = relation.goal if relation.goal is not None and relation.goal.order is None else None
    enough = goal.rows if goal is not None and not relation.conjuncts else None
    if goal is not None and enough is None:
        goal = Goal(max(goal.rows, _FIRST_PAGE))
    segments = 1 if enough is not None else _segments(relation.table)
    estimate = scan_estimate(relation.table, segments, consistent=consistent)
    if enough is not None:
        estimate = first_estimate(relation.table, enough, estimate, consistent=consistent)
    read = partial(_scan_read, relation, goal, enough, segments, estimate, consistent)
    return Way("Scan", None, _LAST, estimate, read)


def _scan_read(
    relation: Relation, goal: Goal | None, enough: int | None, segments: int, estimate: Estimate, consistent: bool
) -> Read:
    filters, pushed, residual = _filters(relation, list(relation.conjuncts), frozenset())
    exact = None
    if is_countable(relation):
        keys = {key.name for key in relation.table.key}
        exact = exact_filters(relation.conjuncts, relation.table, enforced=keys, without=(), there=keys)
    if exact is not None:
        pushed, residual = tuple(one.text for one in relation.conjuncts), ()
    reason = "No condition names the partition key of the table or of an index that holds every row needed."
    return Read(
        relation=relation,
        access="Scan",
        index=None,
        reason=f"Any {enough} items are enough."
        if enough is not None
        else reason + (COUNTED if exact is not None else ""),
        requests=tuple(
            scan_requests(relation, filters, segments, consistent=consistent, goal=goal)
            if exact is None
            else count_scans(relation, exact, segments, consistent=consistent)
        ),
        key_condition=None,
        pushed_filters=pushed,
        residual_filters=residual,
        estimate=estimate,
        consistent=consistent,
        enough=enough,
        counts=exact is not None,
    )


def _segments(table: Table) -> int:
    return min(_MAX_SEGMENTS, max(1, math.ceil(table_bytes(table) / _SEGMENT_BYTES)))


def _filters(
    relation: Relation, conjuncts: list[Conjunct], without: frozenset[str]
) -> tuple[Filters, tuple[str, ...], tuple[str, ...]]:
    """The filter, the conditions that are in it at least in part, and those that are not in it as a whole."""
    if not conjuncts:
        return Filters((), without), (), ()
    said = [conjunct for conjunct in conjuncts if conjunct.predicate is not None]
    predicates = tuple(conjunct.predicate for conjunct in said if conjunct.predicate is not None)
    kept, places = pushable(relation, Filters(predicates, without))
    pushed = [said[place] for place in places]
    residual = [conjunct.text for conjunct in conjuncts if conjunct not in pushed or not conjunct.faithful]
    return kept, tuple(conjunct.text for conjunct in pushed), tuple(residual)


def _text(conjuncts: Iterable[Conjunct], names: Iterable[str]) -> str | None:
    names = set(names)
    return _joined(conjunct for conjunct in conjuncts if on_keys(conjunct, names))


def _joined(conjuncts: Iterable[Conjunct]) -> str | None:
    return " AND ".join(conjunct.text for conjunct in conjuncts) or None
