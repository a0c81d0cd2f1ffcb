"""Chooses how a relation is read: by key, through an index, or by scanning."""

import itertools
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from mcp_server.domain.names import quoted
from mcp_server.domain.schema import DOCUMENT_COLUMN, Index, KeyAttribute, Table
from mcp_server.planning.attribute_values import ScalarValue
from mcp_server.planning.estimates import (
    NOTHING,
    keys_estimate,
    query_estimate,
    scan_estimate,
    table_bytes,
)
from mcp_server.planning.key_conditions import KeyConstraint, key_constraints, key_value, rejects_null
from mcp_server.planning.plan import Conjunct, Read, RejectedIndex, Relation
from mcp_server.planning.predicate import AllOf, AnyOf, Between, Comparison, OneOf, Predicate, StartsWith
from mcp_server.planning.requests import (
    Filters,
    KeyCondition,
    get_requests,
    pushable,
    query_requests,
    scan_requests,
)

MAX_KEYS = 1_000
"""Primary keys that are fetched one by one; more are read by Query or Scan."""

MAX_QUERIES = 100
"""Partitions that one relation is read from; more are read by Scan."""

SEEN_WHOLE_ITEMS = 100
"""A table that is known to have fewer items was sampled whole: DescribeTable's figures alone are hours old."""

FULL_SCAN_ITEMS = 100_000
FULL_SCAN_BYTES = 64_000_000
"""Scans of larger tables have to be asked for."""

_MAX_SEGMENTS = 8
_SEGMENT_BYTES = 4 * 1024 * 1024


def full_scan_of(read: Read) -> bool:
    """Whether a read scans a whole table so large (100,000 items or 64 MB) that it has to be asked for."""
    table = read.relation.table
    return read.access == "Scan" and (table.item_count > FULL_SCAN_ITEMS or table_bytes(table) > FULL_SCAN_BYTES)


def plan_read(relation: Relation, *, consistent: bool) -> Read:
    """The cheapest read that is sure to yield every row the query can use. `consistent` asks for strong consistency."""
    said = [conjunct.predicate for conjunct in relation.conjuncts if conjunct.predicate is not None]
    constraints = key_constraints(relation.table, said)
    if any(constraint.impossible for constraint in constraints.values()):
        return read_nothing(
            relation, "The conditions on the key contradict each other, so nothing is read.", consistent=consistent
        )
    read = _by_key(relation, said, constraints, consistent)
    if relation.table.item_count < SEEN_WHOLE_ITEMS and read.estimate.items > 1:
        scan = _scan(relation, consistent)
        if scan.estimate.read_units < read.estimate.read_units:
            return replace(scan, reason="The table is so small that reading all of it costs less than reading by key.")
    return read


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


def _by_key(
    relation: Relation, said: list[Predicate], constraints: Mapping[str, KeyConstraint], consistent: bool
) -> Read:
    """The read that the conditions on keys allow best; a scan if they allow none."""
    keys = _primary_keys(relation.table, constraints)
    if keys is not None:
        return _get(relation, keys, consistent)
    paths, rejected = _paths(relation, said, constraints, consistent)
    best = min(paths, key=lambda path: path.rank, default=None)
    read = _scan(relation, consistent) if best is None else _query(relation, best, consistent)
    better = tuple(index for path, index in rejected if best is None or path.rank < best.rank)
    return replace(read, rejected=better)


@dataclass(frozen=True, slots=True)
class _Path:
    """A way to read by Query: the index (None for the table itself), its key and the conditions on it."""

    index: Index | None
    key: tuple[KeyAttribute, ...]
    conditions: tuple[KeyCondition, ...]
    attributes: frozenset[str]
    share: float

    @property
    def rank(self) -> tuple[float, bool, int]:
        """Less is better: a smaller share of each partition, the table before an index, fewer queries."""
        return self.share, self.index is not None, len(self.conditions)


def _paths(
    relation: Relation, said: list[Predicate], constraints: Mapping[str, KeyConstraint], consistent: bool
) -> tuple[list[_Path], list[tuple[_Path, RejectedIndex]]]:
    """The ways to read by Query, and those through indexes that are not sure to hold every row needed."""
    table = relation.table
    range_keys = (table.range_key,) if table.range_key is not None else ()
    own = _path(table, None, (table.hash_key,), range_keys, constraints)
    found = [own] if own is not None else []
    rejected: list[tuple[_Path, RejectedIndex]] = []
    for index in table.indexes:
        path = _path(table, index, index.hash_keys, index.range_keys, constraints)
        if path is None:
            continue
        obstacle = _obstacle(index, relation, said, consistent)
        if obstacle is None:
            found.append(path)
        else:
            rejected.append((path, RejectedIndex(index.name, obstacle)))
    return found, rejected


def _obstacle(index: Index, relation: Relation, said: list[Predicate], consistent: bool) -> str | None:
    """Why an index may lack rows that the query can use, or cannot serve it; None if it is sure to hold them all.

    It lacks the items that lack one of its keys, so each key must be there in every row the query can use.
    """
    if not index.active:
        return "it is still being built"
    if consistent and index.kind == "GSI":
        return "a global index cannot be read consistently; leave out consistent_read to use it"
    table = relation.table
    base = {key.name for key in table.key}
    for key in (*index.hash_keys, *index.range_keys):
        column = table.column(key.name)
        if column is None or column.attribute_types - {key.type}:
            # Items that held the attribute in another type when the index was made are not in it either.
            return f'it lacks the items whose "{key.name}" has another type than {key.type.value}'
        if key.name not in base and column.nullable and not any(rejects_null(one, key.name) for one in said):
            return (
                f'it lacks the items without "{key.name}"; if they are not wanted, add {quoted(key.name)} IS NOT NULL, '
                f"if there are none, the operator can declare not_null for the column in the schemas file"
            )
    if index.projected is None:
        return None
    held = index.projected | base | {key.name for key in (*index.hash_keys, *index.range_keys)}
    missing = [column.name for column in relation.columns if column.name not in held]
    if DOCUMENT_COLUMN in held:  # an attribute of that name is not the document
        missing.append(DOCUMENT_COLUMN)
    return f"it does not hold {', '.join(map(quoted, missing))}" if missing else None


def _path(
    table: Table,
    index: Index | None,
    hash_keys: tuple[KeyAttribute, ...],
    range_keys: tuple[KeyAttribute, ...],
    constraints: Mapping[str, KeyConstraint],
) -> _Path | None:
    """Every partition key needs values; sort keys are taken from the left, the last one may be a range."""
    enumerated: list[tuple[KeyAttribute, tuple[ScalarValue, ...]]] = []
    for key in hash_keys:
        values = _values(table, key, constraints)
        if values is None:
            return None
        enumerated.append((key, values))
    condition = None
    share = 1.0
    for key in range_keys:
        values = _values(table, key, constraints)
        if values is not None and math.prod(len(known) for _, known in enumerated) * len(values) <= MAX_QUERIES:
            enumerated.append((key, values))
            share *= 0.1
            continue
        condition = _range(table, key, constraints.get(key.name, KeyConstraint()))
        share *= 0.3 if condition is not None else 1.0
        break
    if math.prod(len(values) for _, values in enumerated) > MAX_QUERIES:
        return None
    names = [key.name for key, _ in enumerated]
    conditions = tuple(
        KeyCondition(tuple(zip(names, combination, strict=True)), condition)
        for combination in itertools.product(*(values for _, values in enumerated))
    )
    attributes = frozenset(names) | ({condition[1]} if condition is not None else set())
    return _Path(index, (*hash_keys, *range_keys), conditions, attributes, share)


def _values(
    table: Table, key: KeyAttribute, constraints: Mapping[str, KeyConstraint]
) -> tuple[ScalarValue, ...] | None:
    constraint = constraints.get(key.name)
    column = table.column(key.name)
    if constraint is None or constraint.values is None or column is None:
        return None
    rendered = [key_value(value, key, column) for value in constraint.values]
    unique = {str(value): value for value in rendered if value is not None}
    return tuple(unique.values())


def _range(
    table: Table, key: KeyAttribute, constraint: KeyConstraint
) -> tuple[str, str, tuple[ScalarValue, ...]] | None:
    """One condition that holds whenever the bounds do: DynamoDB takes no two on one key."""
    column = table.column(key.name)
    if column is None:
        return None
    if constraint.values:
        ordered = sorted(constraint.values)
        low, high = (key_value(value, key, column) for value in (ordered[0], ordered[-1]))
        return ("BETWEEN", key.name, (low, high)) if low is not None and high is not None else None
    if constraint.prefix is not None:
        prefix = key_value(constraint.prefix, key, column)
        return ("begins_with", key.name, (prefix,)) if prefix is not None else None
    low = key_value(constraint.low.value, key, column) if constraint.low is not None else None
    high = key_value(constraint.high.value, key, column) if constraint.high is not None else None
    if low is not None and high is not None:
        return "BETWEEN", key.name, (low, high)
    if low is not None and constraint.low is not None:
        return ">=" if constraint.low.inclusive else ">", key.name, (low,)
    if high is not None and constraint.high is not None:
        return "<=" if constraint.high.inclusive else "<", key.name, (high,)
    return None


def _primary_keys(
    table: Table, constraints: Mapping[str, KeyConstraint]
) -> tuple[Mapping[str, ScalarValue], ...] | None:
    """Every primary key the query can mean, if they are few enough to be named."""
    values = [_values(table, key, constraints) for key in table.key]
    known = [one for one in values if one is not None]
    if len(known) != len(values) or math.prod(len(one) for one in known) > MAX_KEYS:
        return None
    names = [key.name for key in table.key]
    return tuple(dict(zip(names, combination, strict=True)) for combination in itertools.product(*known))


def _get(relation: Relation, keys: tuple[Mapping[str, ScalarValue], ...], consistent: bool) -> Read:
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
        residual_filters=tuple(one.text for one in relation.conjuncts if not _on_keys(one, names)),
        estimate=keys_estimate(relation.table, len(keys), consistent=consistent),
        consistent=consistent,
    )


def _query(relation: Relation, path: _Path, consistent: bool) -> Read:
    table = relation.table
    # API reference, Query: "A FilterExpression does not allow key attributes."
    without = {key.name for key in path.key} | {key.name for key in table.key}
    if path.index is not None and path.index.projected is not None:
        held = path.index.projected | without
        without |= {column.name for column in table.columns if column.name not in held}
    conjuncts = [conjunct for conjunct in relation.conjuncts if not _on_keys(conjunct, path.attributes)]
    filters, pushed, residual = _filters(relation, conjuncts, frozenset(without))
    index = path.index.name if path.index is not None else None
    partitions = "one partition" if len(path.conditions) == 1 else f"{len(path.conditions)} partitions or sort keys"
    where = f'of index "{index}"' if index is not None else "of the table"
    return Read(
        relation=relation,
        access="Query",
        index=index,
        reason=f"The conditions name {partitions} {where}.",
        requests=tuple(query_requests(relation, path.conditions, filters, index, consistent=consistent)),
        key_condition=_text(relation.conjuncts, path.attributes),
        pushed_filters=pushed,
        residual_filters=residual,
        estimate=query_estimate(
            table, len(path.conditions), partition=_partition(path, table), share=path.share, consistent=consistent
        ),
        consistent=consistent,
    )


def _partition(path: _Path, table: Table) -> float | None:
    """How many items a partition of the path has; a key that is whole names one item."""
    if path.index is not None:
        return path.index.partition_items
    return 1 if table.range_key is None else table.partition_items


def _scan(relation: Relation, consistent: bool) -> Read:
    segments = _segments(relation.table)
    filters, pushed, residual = _filters(relation, list(relation.conjuncts), frozenset())
    return Read(
        relation=relation,
        access="Scan",
        index=None,
        reason="No condition names the partition key of the table or of an index that holds every row needed.",
        requests=tuple(scan_requests(relation, filters, segments, consistent=consistent)),
        key_condition=None,
        pushed_filters=pushed,
        residual_filters=residual,
        estimate=scan_estimate(relation.table, segments, consistent=consistent),
        consistent=consistent,
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


def _columns(predicate: Predicate) -> frozenset[str]:
    match predicate:
        case AllOf(parts) | AnyOf(parts):
            return frozenset(itertools.chain.from_iterable(_columns(part) for part in parts))
        case _:
            return frozenset({predicate.column})


def _on_keys(conjunct: Conjunct, names: Iterable[str]) -> bool:
    """Whether a condition is only on the given key attributes, and of a kind that narrows a key."""
    predicate = conjunct.predicate
    return predicate is not None and _narrows(predicate) and _columns(predicate) <= set(names)


def _narrows(predicate: Predicate) -> bool:
    match predicate:
        case AllOf(parts) | AnyOf(parts):
            return all(_narrows(part) for part in parts)
        case Comparison(_, operator, _):
            return operator != "<>"
        case Between() | OneOf() | StartsWith():
            return True
    return False


def _text(conjuncts: Iterable[Conjunct], names: Iterable[str]) -> str | None:
    names = set(names)
    return " AND ".join(conjunct.text for conjunct in conjuncts if _on_keys(conjunct, names)) or None
