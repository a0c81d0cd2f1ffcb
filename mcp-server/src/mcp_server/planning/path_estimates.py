"""What ways to read by Query are expected to take, and which of those that are not open would take less. Pure."""

from collections.abc import Iterable
from dataclasses import replace

from mcp_server.domain.rejected_index import RejectedIndex
from mcp_server.domain.schema import Table
from mcp_server.planning.estimates import both_estimates, first_estimate, keys_estimate, query_estimate, united_estimate
from mcp_server.planning.key_paths import Path, exact_keys
from mcp_server.planning.plan import Estimate, Goal, Relation
from mcp_server.planning.requests import LARGEST_SMALL_PAGE

Rejected = tuple[Path, RejectedIndex]
"""A way through an index that is not open, and the index with the reason."""


def path_estimate(relation: Relation, path: Path, *, consistent: bool) -> Estimate:
    """What reading by a path takes, to its end or until the goal is reached."""
    table = relation.table
    whole = _whole(path, table, consistent=consistent)
    goal = path_goal(relation, path, consistent=consistent)
    if goal is None:
        return whole
    first = _toward(goal, table, whole, consistent=consistent)
    return first if not path.lookup else _with_items(first, table, consistent=consistent)


def path_goal(relation: Relation, path: Path, *, consistent: bool) -> Goal | None:
    """The relation's goal, where the first items that a path yields are exactly the rows that it wants.

    A partition whose ends take as much as the whole is read at once. Items that are fetched by key may have changed
    since the index was told: they are asked for by as many as are wanted, until there are enough, and in no order.
    """
    goal, table = relation.goal, relation.table
    if goal is None or len(path.conditions) != 1:
        return None
    if path.lookup and (goal.order is not None or goal.rows > LARGEST_SMALL_PAGE):
        return None
    ordered = goal.order is None or path.ordered_by(goal.order, table)
    if not ordered or not exact_keys(relation.conjuncts, table, path):
        return None
    if goal.both_ends:
        whole = _whole(path, table, consistent=consistent)
        pays = _toward(goal, table, whole, consistent=consistent).read_units < whole.read_units
        return goal if pays else None
    return goal


def _toward(goal: Goal, table: Table, whole: Estimate, *, consistent: bool) -> Estimate:
    """What the rows of a goal take of what would take `whole`."""
    first = first_estimate(table, goal.rows, whole, consistent=consistent)
    return united_estimate([first, first]) if goal.both_ends else first


def helpful(
    relation: Relation, rejected: Iterable[Rejected], instead_of: float, *, consistent: bool, times: int = 1
) -> tuple[RejectedIndex, ...]:
    """The indexes that cannot be read but would take fewer units than `instead_of`, if read so many times."""
    found: dict[str, RejectedIndex] = {}
    for path, index in rejected:
        units = path_estimate(relation, path, consistent=consistent).read_units * times
        if units < instead_of and index.name not in found:
            found[index.name] = replace(index, read_units=units, instead_of=instead_of)
    return tuple(found.values())


def _whole(path: Path, table: Table, *, consistent: bool) -> Estimate:
    keys = query_estimate(
        table,
        len(path.conditions),
        partition=_partition(path, table),
        share=path.share,
        guessed=path.guessed,
        consistent=consistent,
    )
    return keys if not path.lookup else _with_items(keys, table, consistent=consistent)


def _with_items(keys: Estimate, table: Table, *, consistent: bool) -> Estimate:
    """What a read of keys takes together with that of the items that they name."""
    return both_estimates(keys, keys_estimate(table, keys.items, consistent=consistent))


def _partition(path: Path, table: Table) -> float | None:
    """How many items a partition of the path has; a key that is whole names one item."""
    if path.index is not None:
        return path.index.partition_items
    return 1 if table.range_key is None else table.partition_items
