"""Chooses how a relation is read: by key, through an index, or by scanning."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import replace
from functools import partial

from mcp_server.domain.schema import Table
from mcp_server.planning.attribute_values import ScalarValue
from mcp_server.planning.counting import decided, exact_filters, is_countable
from mcp_server.planning.estimates import (
    NOTHING,
    first_estimate,
    keys_estimate,
    scan_estimate,
    table_bytes,
)
from mcp_server.planning.key_conditions import Cases, key_cases
from mcp_server.planning.key_paths import Path, Rank, by_path, exact_keys, on_keys, primary_keys, query_paths
from mcp_server.planning.path_estimates import Rejected, helpful, path_estimate, path_goal
from mcp_server.planning.plan import Alternative, Conjunct, Estimate, Goal, Read, Relation
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
from mcp_server.planning.restriction import as_restricted
from mcp_server.planning.unions import disjunctions, helpful_in_unions, united
from mcp_server.planning.virtual import as_virtual
from mcp_server.planning.way import Way

SEEN_WHOLE_ITEMS = 100
"""A table that is known to have fewer items was sampled whole: DescribeTable's figures alone are hours old."""

FULL_SCAN_ITEMS = 100_000
FULL_SCAN_BYTES = 64_000_000
"""Scans of larger tables have to be asked for."""

DEARER = 4.0
"""By this factor an index whose items are fetched by key may take more than a scan that has to be asked for."""

_FIRST: Rank = (-1.0, False, 0)
_UNITED: Rank = (1.5, True, 0)
_LAST: Rank = (2.0, True, 0)
"""How a read by primary keys, one by several keys, and a scan stand among Queries that take as many read units."""

_FIRST_PAGE = 100
"""Items that a scan looks at first for few rows that meet conditions."""

_COUNTED = " DynamoDB counts the items (Select=COUNT), so that none of them is sent."

_MAX_SEGMENTS = 8
_SEGMENT_BYTES = 4 * 1024 * 1024


def full_scan_of(read: Read) -> bool:
    """Whether a read scans a whole table so large (100,000 items or 64 MB) that it has to be asked for."""
    return read.enough is None and read.access == "Scan" and _is_large(read.relation.table)


def _is_large(table: Table) -> bool:
    return table.item_count > FULL_SCAN_ITEMS or table_bytes(table) > FULL_SCAN_BYTES


def may_be_scanned(table: Table, items: int) -> bool:
    """Whether so many of a table's items are no more than any scan may look at."""
    return items <= FULL_SCAN_ITEMS and items * table_bytes(table) <= FULL_SCAN_BYTES * max(1, table.item_count)


def shared_scan_of(read: Read) -> tuple[str, str] | None:
    """The table, by schema and name, whose scan may serve other references to it too; None of any other read."""
    table = read.relation.table
    scans = read.access == "Scan" and read.index is None and not full_scan_of(read)
    return (table.schema, table.name) if scans else None


def plan_read(relation: Relation, *, consistent: bool, dearer: float = DEARER) -> Read:
    """The cheapest read that is sure to yield every row the query can use. `consistent` asks for strong consistency.

    By the factor `dearer` a read by key may take more than a scan that has to be asked for: 1 where that is allowed,
    infinite where any read by key is wanted rather than a scan of any table.
    """
    return cheapest_way(relation, consistent=consistent, dearer=dearer).read()


def cheapest_way(relation: Relation, *, consistent: bool, dearer: float = DEARER) -> Way:
    """The way that `plan_read` takes."""
    relation = as_restricted(as_virtual(relation))
    never = next((conjunct.text for conjunct in relation.conjuncts if conjunct.never), None)
    if never is not None:
        return _nothing(relation, f"No row meets {never}, so nothing is read.", consistent)
    said = [conjunct.predicate for conjunct in relation.conjuncts if conjunct.predicate is not None]
    cases = key_cases(relation.table, said)
    if not cases:
        return _nothing(relation, "The conditions on the key contradict each other, so nothing is read.", consistent)
    return _cheapest(relation, said, cases, consistent, dearer)


def _nothing(relation: Relation, reason: str, consistent: bool) -> Way:
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


def _cheapest(relation: Relation, said: list[Predicate], cases: list[Cases], consistent: bool, dearer: float) -> Way:
    """The way that takes the fewest read units; of equal ones that in order, by key, then what names more of a key.

    What keys take is certain, and what a scan takes is not unless the table was seen whole; a Query of partitions whose
    size nobody knows is only weighed against other Queries.
    """
    one_key = primary_keys(relation.table, cases[0])
    if one_key is not None and len(one_key) == 1:
        return _get(relation, one_key, consistent)  # nothing takes less
    scan = scan_way(relation, consistent)
    rather_by_key = dearer == math.inf
    dearest = scan.estimate.read_units * (dearer if rather_by_key or _is_large(relation.table) else 1.0)
    found: list[Way] = []
    dear: list[Way] = []
    rejected: list[Rejected] = []
    for one in cases:
        keys = one_key if one is cases[0] else primary_keys(relation.table, one)
        if keys is not None:
            found.append(_get(relation, keys, consistent))
        ways, lacking = _queries(relation, said, one, consistent)
        # Keys are looked up one by one, so that an index of them alone may take more than the whole table.
        kept = [(path, way) for path, way in ways if not path.lookup or way.estimate.read_units < dearest]
        found += [way for _, way in kept]
        dear += [way for _, way in ways if way not in found]
        looked_up = {way.index for path, way in kept if path.lookup}
        rejected += [one for one in lacking if one[1].name not in looked_up]
    either = list(disjunctions(relation, said, partial(_ways_by_key, consistent)))
    for union in (united(relation, one, consistent=consistent) for one in either):
        if union is not None:
            way = Way("Union", None, _UNITED, union.estimate, partial(replace, union))
            (found if union.estimate.read_units < dearest else dear).append(way)
    by_key = [one for one in found if one.access == "GetItem"]
    weighed = by_key if by_key and relation.table.partition_items is None else found
    if not found or (relation.table.item_count < SEEN_WHOLE_ITEMS and not rather_by_key):
        weighed = [*weighed, scan]
    best = min(weighed, key=lambda one: (one.estimate.read_units, not one.ordered, one.rank))

    def read() -> Read:
        chosen = best.read()
        reason = chosen.reason
        if best is scan and found:
            why = "The table is so small that reading all of it costs less than reading by key."
            reason = why + (_COUNTED if chosen.counts else "")
        units = best.estimate.read_units
        of_parts = helpful_in_unions(either, units, consistent=consistent)
        of_all = helpful(relation, rejected, units, consistent=consistent)
        helping = tuple({one.name: one for one in (*of_parts, *of_all)}.values())
        alternatives = _alternatives(best, [*found, *dear, scan])
        if (reason, helping, alternatives) == (chosen.reason, chosen.rejected, chosen.alternatives):
            return chosen
        return replace(chosen, reason=reason, rejected=helping, alternatives=alternatives)

    return Way(best.access, best.index, best.rank, best.estimate, read, best.ordered, tuple(rejected))


def _queries(
    relation: Relation, said: list[Predicate], cases: Cases, consistent: bool, *, of_part: bool = False
) -> tuple[list[tuple[Path, Way]], list[Rejected]]:
    """The ways by Query that may be weighed, and those through indexes that are not open."""
    paths, rejected = query_paths(relation, said, cases, consistent, of_part=of_part)
    return [(path, query_way(relation, path, consistent)) for path in paths if _is_known(path)], rejected


def _ways_by_key(consistent: bool, branch: Relation, said: list[Predicate]) -> tuple[list[Way], list[Rejected]]:
    """The ways by a key to read what a part of a disjunction leaves, and those through indexes that are not open."""
    cases = key_cases(branch.table, said)
    if not cases:
        return [_nothing(branch, "No row meets this part.", consistent)], []
    found: list[Way] = []
    rejected: list[Rejected] = []
    for one in cases:
        keys = primary_keys(branch.table, one)
        if keys is not None:
            found.append(_get(branch, keys, consistent))
        ways, lacking = _queries(branch, said, one, consistent, of_part=True)
        found += [way for _, way in ways]
        looked_up = {way.index for path, way in ways if path.lookup}
        rejected += [one for one in lacking if one[1].name not in looked_up]
    return found, rejected


def _is_known(path: Path) -> bool:
    """Whether the path may be weighed: a look-up costs by the item, so the size of its partitions has to be known."""
    return not path.lookup or (path.index is not None and path.index.partition_items is not None)


def _alternatives(best: Way, ways: list[Way]) -> tuple[Alternative, ...]:
    """The ways that were weighed against the best, and why each is not taken."""
    # A way may be found twice: by what all alternatives of a disjunction say together, and by each of them.
    taken = best.access, best.index, best.estimate
    ways = [way for way in ways if (way.access, way.index, way.estimate) != taken]
    others = (Alternative(way.access, way.index, way.estimate, _drawback(way, best)) for way in ways)
    return tuple(dict.fromkeys(others))


def _drawback(way: Way, best: Way) -> str:
    units, least = way.estimate.read_units, best.estimate.read_units
    if units > least:
        return "it takes more read units"
    if units == least and best.ordered and not way.ordered:
        return "it takes as many read units, and the items come in another order"
    if units == least:
        return "it takes as many read units, and names less of a key"
    if way.access == "Scan":
        return "it reads the whole table, whose size statistics tell hours late"
    return "how large its partitions are is not known"


def _get(relation: Relation, keys: tuple[Mapping[str, ScalarValue], ...], consistent: bool) -> Way:
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
        + (_COUNTED if exact is not None else ""),
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
    keys = {key.name for key in relation.table.key}
    exact = None
    if is_countable(relation):
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
        else reason + (_COUNTED if exact is not None else ""),
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
    said = [conjunct for conjunct in conjuncts if conjunct.predicate is not None]
    predicates = tuple(conjunct.predicate for conjunct in said if conjunct.predicate is not None)
    kept, places = pushable(relation, Filters(predicates, without))
    pushed = [said[place] for place in places]
    residual = [conjunct.text for conjunct in conjuncts if conjunct not in pushed or not conjunct.faithful]
    return Filters(kept, without), tuple(conjunct.text for conjunct in pushed), tuple(residual)


def _text(conjuncts: Iterable[Conjunct], names: Iterable[str]) -> str | None:
    names = set(names)
    return _joined(conjunct for conjunct in conjuncts if on_keys(conjunct, names))


def _joined(conjuncts: Iterable[Conjunct]) -> str | None:
    return " AND ".join(conjunct.text for conjunct in conjuncts) or None
