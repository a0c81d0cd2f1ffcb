"""Chooses how a relation is read: by key, through an index, or by scanning."""

import math
from dataclasses import replace
from functools import partial

from mcp_server.domain.schema import Table
from mcp_server.planning.estimates import table_bytes
from mcp_server.planning.key_conditions import Cases, key_cases, leaves
from mcp_server.planning.key_paths import Path, Rank, primary_keys, query_paths
from mcp_server.planning.path_estimates import Rejected, helpful
from mcp_server.planning.plan import Alternative, Read, Relation
from mcp_server.planning.predicate import AnyOf, Predicate
from mcp_server.planning.restriction import as_restricted
from mcp_server.planning.unions import disjunctions, helpful_in_unions, united
from mcp_server.planning.virtual import as_virtual
from mcp_server.planning.way import COUNTED, Way, get_way, nothing_way, query_way, scan_way

SEEN_WHOLE_ITEMS = 100
"""A table that is known to have fewer items was sampled whole: DescribeTable's figures alone are hours old."""

FULL_SCAN_ITEMS = 100_000
FULL_SCAN_BYTES = 64_000_000
"""Scans of larger tables have to be asked for."""

DEARER = 4.0
"""By this factor an index whose items are fetched by key may take more than a scan that has to be asked for."""

_UNITED: Rank = (1.5, True, 0)
"""How a read by several keys stands among Queries that take as many read units."""


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
        return nothing_way(relation, f"No row meets {never}, so nothing is read.", consistent)
    said = [conjunct.predicate for conjunct in relation.conjuncts if conjunct.predicate is not None]
    cases = key_cases(relation.table, said)
    if not cases:
        return nothing_way(relation, "The conditions on the key contradict each other, so nothing is read.", consistent)
    return _cheapest(relation, said, cases, consistent, dearer)


def _cheapest(relation: Relation, said: list[Predicate], cases: list[Cases], consistent: bool, dearer: float) -> Way:
    """The way that takes the fewest read units; of equal ones that in order, by key, then what names more of a key.

    What keys take is certain, and what a scan takes is not unless the table was seen whole; a Query of partitions whose
    size nobody knows is only weighed against other Queries.
    """
    one_key = primary_keys(relation.table, cases[0])
    if one_key is not None and len(one_key) == 1:
        return get_way(relation, one_key, consistent)  # nothing takes less
    scan = scan_way(relation, consistent)
    if cases == [({},)] and not any(isinstance(leaf, AnyOf) for leaf in leaves(said)):
        return scan  # no condition names a key
    rather_by_key = dearer == math.inf
    dearest = scan.estimate.read_units * (dearer if rather_by_key or _is_large(relation.table) else 1.0)
    found: list[Way] = []
    dear: list[Way] = []
    rejected: list[Rejected] = []
    for one in cases:
        keys = one_key if one is cases[0] else primary_keys(relation.table, one)
        if keys is not None:
            found.append(get_way(relation, keys, consistent))
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
            reason = why + (COUNTED if chosen.counts else "")
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
        return [nothing_way(branch, "No row meets this part.", consistent)], []
    found: list[Way] = []
    rejected: list[Rejected] = []
    for one in cases:
        keys = primary_keys(branch.table, one)
        if keys is not None:
            found.append(get_way(branch, keys, consistent))
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
