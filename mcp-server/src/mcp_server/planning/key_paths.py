"""What the conditions on keys allow: the primary keys that they name, and the ways to read by Query."""

import itertools
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from mcp_server.domain.names import quoted
from mcp_server.domain.rejected_index import RejectedIndex
from mcp_server.domain.schema import DOCUMENT_COLUMN, Index, KeyAttribute, Table
from mcp_server.planning.attribute_values import ScalarValue, natural_type
from mcp_server.planning.attributes import attributes_of
from mcp_server.planning.key_conditions import Cases, KeyConstraint, key_value, leaves, rejects_null
from mcp_server.planning.plan import Conjunct, Relation
from mcp_server.planning.predicate import (
    AllOf,
    AnyOf,
    Between,
    Comparison,
    IsNotNull,
    OneOf,
    Predicate,
    StartsWith,
    Value,
    columns_of,
)
from mcp_server.planning.requests import KeyCondition
from mcp_server.planning.shares import LEFT_BY_A_CONDITION, LEFT_BY_A_VALUE, share_of_range, share_of_values

MAX_KEYS = 1_000
"""Primary keys that are fetched one by one; more are read by Query or Scan."""

MAX_QUERIES = 100
"""Partitions that one relation is read from; more are read by Scan."""

UNKNOWN_PARTITIONS = "items are only fetched by its keys where the sample tells how many share one"


@dataclass(frozen=True, slots=True)
class Path:
    """A way to read by Query: the index (None for the table itself), its key and the conditions on it.

    `lookup` tells that the index lacks columns, so that it only yields the keys of the items. `share` is how much of
    each partition is read; `guessed` tells that nothing is known of it.
    """

    index: Index | None
    key: tuple[KeyAttribute, ...]
    conditions: tuple[KeyCondition, ...]
    attributes: frozenset[str]
    share: float
    lookup: bool = False
    guessed: bool = False

    @property
    def rank(self) -> "Rank":
        """Less is better: a smaller share of each partition, the table before an index, fewer queries."""
        return self.share, self.index is not None, len(self.conditions)

    def ordered_by(self, name: str, table: Table) -> bool:
        """Whether a Query yields its items in the order of that column: its first sort key without a value."""
        column = table.column(name)
        if len(self.conditions) != 1 or column is None:
            return False
        given = {attribute for attribute, _ in self.conditions[0].equals}
        hash_keys = 1 if self.index is None else len(self.index.hash_keys)
        rest = [key for key in self.key[hash_keys:] if key.name not in given]
        return bool(rest) and rest[0] == KeyAttribute(name, rest[0].type) and natural_type(column) == rest[0].type


Rank = tuple[float, bool, int]


def exact_keys(conjuncts: Iterable[Conjunct], table: Table, path: Path) -> bool:
    """Whether the path's conditions are true of exactly the items that meet all of the conjuncts, and no two of one."""
    predicates = [one.predicate for one in conjuncts if one.faithful and one.predicate is not None]
    if not path.conditions or len(predicates) < len(list(conjuncts)):
        return False
    said = leaves(predicates)
    lists = [leaf for leaf in said if isinstance(leaf, OneOf)]
    ranges = [leaf for leaf in said if leaf not in lists and (not isinstance(leaf, Comparison) or leaf.operator != "=")]
    present = {key.name for key in path.key}
    ranges = [leaf for leaf in ranges if not (isinstance(leaf, IsNotNull) and leaf.column in present)]
    equal = [leaf for leaf in said if isinstance(leaf, Comparison) and leaf.operator == "="]
    if len(lists) > 1 or len(ranges) > 1 or (not lists and len(path.conditions) > 1):
        return False
    if not all(_is_listed(one, path.conditions, table) for one in lists):
        return False
    return all(_is_said(leaf, condition, table) for leaf in (*equal, *ranges) for condition in path.conditions)


def _is_listed(leaf: OneOf, conditions: Sequence[KeyCondition], table: Table) -> bool:
    """Whether each of the values has one of the key conditions."""
    values = [_rendered(table, leaf.column, value) for value in leaf.values]
    named = [dict(condition.equals).get(leaf.column) for condition in conditions]
    return None not in values and {*map(repr, values)} == {*map(repr, named)} and len({*map(repr, named)}) == len(named)


def _is_said(leaf: Predicate, condition: KeyCondition, table: Table) -> bool:
    """Whether a key condition has the leaf among its own conditions, as it is."""
    expected: tuple[str, str, tuple[ScalarValue | None, ...]]
    match leaf:
        case Comparison(name, "=", value):
            return dict(condition.equals).get(name, {}) == _rendered(table, name, value)
        case Comparison(name, operator, value):
            expected = (operator, name, (_rendered(table, name, value),))
        case Between(name, low, high):
            expected = ("BETWEEN", name, (_rendered(table, name, low), _rendered(table, name, high)))
        case StartsWith(name, prefix):
            expected = ("begins_with", name, (_rendered(table, name, prefix),))
        case _:
            return False
    return condition.condition == expected


def _rendered(table: Table, name: str, value: Value) -> ScalarValue | None:
    column = table.column(name)
    keys = [*table.key, *(key for index in table.indexes for key in (*index.hash_keys, *index.range_keys))]
    key = next((key for key in keys if key.name == name), None)
    return key_value(value, key, column) if key is not None and column is not None else None


def query_paths(
    relation: Relation, said: list[Predicate], cases: Cases, consistent: bool, *, of_part: bool = False
) -> tuple[list[Path], list[tuple[Path, RejectedIndex]]]:
    """The ways to read by Query, and those through indexes that are not sure to hold every row needed.

    `of_part` tells that the relation is what one part of a disjunction leaves.
    """
    table = relation.table
    range_keys = (table.range_key,) if table.range_key is not None else ()
    own = _path(table, None, (table.hash_key,), range_keys, cases)
    found = [own] if own is not None else []
    rejected: list[tuple[Path, RejectedIndex]] = []
    for index in table.indexes:
        path = _path(table, index, index.hash_keys, index.range_keys, cases)
        if path is None:
            continue
        reason = obstacle(index, table, said, consistent=consistent, of_part=of_part)
        lacking = _lacking(index, relation)
        if lacking is not None:
            path = replace(path, lookup=True)
        if reason is None:
            found.append(path)
        reason = reason or lacking
        if reason is not None:
            rejected.append((path, RejectedIndex(index.name, reason)))
    return found, rejected


def obstacle(
    index: Index, table: Table, said: list[Predicate], *, consistent: bool, of_part: bool = False
) -> str | None:
    """Why an index may lack rows that the query can use, or cannot serve it; None if it is sure to hold them all.

    It lacks the items that lack one of its keys, so each key must be there in every row the query can use. With
    `of_part` these are the rows of one part of a disjunction: others may lack it.
    """
    if not index.active:
        return "it is still being built"
    if consistent and index.kind == "GSI":
        return "a global index cannot be read consistently; leave out consistent_read to use it"
    base = {key.name for key in table.key}
    for key in (*index.hash_keys, *index.range_keys):
        column = table.column(key.name)
        if column is None or column.attribute_types - {key.type}:
            # Items that held the attribute in another type when the index was made are not in it either.
            return f'it lacks the items whose "{key.name}" has another type than {key.type.value}'
        if key.name not in base and column.nullable and not any(rejects_null(one, key.name) for one in said):
            names = (quoted(name) for key in index.hash_keys for name in columns_of_key(table, key))
            where = f" to each part of the OR that names {' and '.join(names)}" if of_part else ""
            return (
                f'it lacks the items without "{key.name}"; if they are not wanted, add {quoted(key.name)} IS NOT NULL'
                f"{where}, if there are none, the operator can declare not_null for the column in the schemas file"
            )
    return None


def columns_of_key(table: Table, key: KeyAttribute) -> tuple[str, ...]:
    """The columns by which a key is named: itself, or in a virtual table the parts of its text, which may be none."""
    template = None if table.virtual is None else dict(table.virtual.templates).get(key.name)
    if template is None or any(table.column(slot) is None for slot in template.slots):
        return (key.name,)
    return template.slots


def _lacking(index: Index, relation: Relation) -> str | None:
    """Which of the columns needed an index does not hold, in words."""
    if index.projected is None:
        return None
    base = {key.name for key in relation.table.key}
    held = index.projected | base | {key.name for key in (*index.hash_keys, *index.range_keys)}
    wanted = attributes_of(relation.table, (column.name for column in relation.columns))
    missing = [name for name in wanted if name not in held]
    if DOCUMENT_COLUMN in held:  # an attribute of that name is not the document
        missing.append(DOCUMENT_COLUMN)
    if not missing:
        return None
    reason = f"it does not hold {', '.join(map(quoted, missing))}"
    return reason if index.partition_items is not None else f"{reason}, and {UNKNOWN_PARTITIONS}"


def _path(
    table: Table,
    index: Index | None,
    hash_keys: tuple[KeyAttribute, ...],
    range_keys: tuple[KeyAttribute, ...],
    cases: Cases,
) -> Path | None:
    """The path that takes in all cases; None if one of them names no partition."""
    paths: list[Path] = []
    for one in cases:
        path = _path_of_case(table, index, hash_keys, range_keys, one)
        if path is None:
            return None
        paths.append(path)
    if len(paths) == 1:
        return paths[0]
    conditions = _apart(itertools.chain.from_iterable(path.conditions for path in paths), len(hash_keys))
    if len(conditions) > MAX_QUERIES:
        return None
    attributes = frozenset[str]().union(*(path.attributes for path in paths))
    narrowed = all(len(one.equals) > len(hash_keys) or one.condition is not None for one in conditions)
    narrowed = narrowed or not range_keys
    share = max(path.share for path in paths) if narrowed else 1.0
    guessed = narrowed and any(path.guessed for path in paths)
    return Path(index, (*hash_keys, *range_keys), conditions, attributes, share, guessed=guessed)


def _apart(conditions: Iterable[KeyCondition], hash_keys: int) -> tuple[KeyCondition, ...]:
    """The conditions such that no item meets two of them; where two might overlap, their whole partition."""
    partitions: dict[str, dict[str, KeyCondition]] = {}
    for one in conditions:
        partitions.setdefault(repr(one.equals[:hash_keys]), {})[repr(one)] = one
    found: list[KeyCondition] = []
    for partition in partitions.values():
        several = list(partition.values())
        # Different values of the same sort keys are different items.
        distinct = len({tuple(name for name, _ in one.equals) for one in several}) == 1 and len(several) == len(
            {repr(one.equals) for one in several}
        )
        found += several if distinct else [KeyCondition(several[0].equals[:hash_keys])]
    return tuple(found)


def _path_of_case(
    table: Table,
    index: Index | None,
    hash_keys: tuple[KeyAttribute, ...],
    range_keys: tuple[KeyAttribute, ...],
    constraints: Mapping[str, KeyConstraint],
) -> Path | None:
    """Every partition key needs values; sort keys are taken from the left, the last one may be a range."""
    enumerated: list[tuple[KeyAttribute, tuple[ScalarValue, ...]]] = []
    for key in hash_keys:
        values = _values(table, key, constraints)
        if values is None:
            return None
        enumerated.append((key, values))
    condition = None
    share, guessed = 1.0, False
    for key in range_keys:
        values = _values(table, key, constraints)
        if values is not None and math.prod(len(known) for _, known in enumerated) * len(values) <= MAX_QUERIES:
            enumerated.append((key, values))
            known = share_of_values(table.column(key.name), values)
            share, guessed = share * (LEFT_BY_A_VALUE if known is None else known), guessed or known is None
            continue
        condition = _range(table, key, constraints.get(key.name, KeyConstraint()))
        if condition is not None:
            known = share_of_range(table.column(key.name), condition)
            share, guessed = share * (LEFT_BY_A_CONDITION if known is None else known), guessed or known is None
        break
    if math.prod(len(values) for _, values in enumerated) > MAX_QUERIES:
        return None
    names = [key.name for key, _ in enumerated]
    conditions = tuple(
        KeyCondition(tuple(zip(names, combination, strict=True)), condition)
        for combination in itertools.product(*(values for _, values in enumerated))
    )
    attributes = frozenset(names) | ({condition[1]} if condition is not None else set())
    return Path(index, (*hash_keys, *range_keys), conditions, attributes, share, guessed=guessed)


def _values(
    table: Table, key: KeyAttribute, constraints: Mapping[str, KeyConstraint]
) -> tuple[ScalarValue, ...] | None:
    constraint = constraints.get(key.name)
    if constraint is None or constraint.values is None:
        return None
    column = table.column(key.name)
    if column is None:
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


def primary_keys(table: Table, cases: Cases) -> tuple[Mapping[str, ScalarValue], ...] | None:
    """Every primary key the query can mean, once each, if they are few enough to be named one by one."""
    names = [key.name for key in table.key]
    found: dict[str, Mapping[str, ScalarValue]] = {}
    for constraints in cases:
        if not constraints.keys() >= {key.name for key in table.key}:
            return None
        values = [_values(table, key, constraints) for key in table.key]
        known = [one for one in values if one is not None]
        if len(known) != len(values) or math.prod(len(one) for one in known) > MAX_KEYS:
            return None
        for combination in itertools.product(*known):
            found[repr(combination)] = dict(zip(names, combination, strict=True))
        if len(found) > MAX_KEYS:
            return None
    return tuple(found.values())


def by_path(conjunct: Conjunct, path: Path) -> bool:
    """Whether a condition is only on the path's key attributes, or only wants some of them to be there: they are."""
    there = {key.name for key in path.key}
    return on_keys(conjunct, path.attributes) or (
        conjunct.faithful and isinstance(conjunct.predicate, IsNotNull) and conjunct.predicate.column in there
    )


def on_keys(conjunct: Conjunct, names: Iterable[str]) -> bool:
    """Whether a condition is only on the given key attributes, and of a kind that narrows a key."""
    predicate = conjunct.predicate
    return predicate is not None and _narrows(predicate) and columns_of(predicate) <= set(names)


def _narrows(predicate: Predicate) -> bool:
    match predicate:
        case AllOf(parts) | AnyOf(parts):
            return all(_narrows(part) for part in parts)
        case Comparison(_, operator, _):
            return operator != "<>"
        case Between() | OneOf() | StartsWith():
            return True
    return False
