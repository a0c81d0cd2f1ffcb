"""What a relation's necessary conditions say about single attributes: the values they may have, within which bounds."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import reduce

from mcp_server.domain.schema import AttributeType, Column, KeyAttribute, Table, TypeKind
from mcp_server.planning.attribute_values import ScalarValue, attribute_value, stored_type
from mcp_server.planning.predicate import (
    AllOf,
    AnyOf,
    Between,
    Comparison,
    Contains,
    IsNotNull,
    IsNull,
    OneOf,
    Predicate,
    StartsWith,
    Value,
    Within,
)
from mcp_server.planning.pushdown import following_prefix

_MAX_KEY_BYTES = 1024
"""Of a sort key; a partition key may have 2,048. Longer texts are left to the relational engine."""


_WITHOUT_VALUES = (AllOf, IsNull, IsNotNull, Contains, Within)
"""Predicates that tell no values of a key attribute, and no bounds."""


@dataclass(frozen=True, slots=True)
class Bound:
    """One end of a range."""

    value: Value
    inclusive: bool


@dataclass(frozen=True, slots=True)
class KeyConstraint:
    """What is known of one attribute. `values` is None where they are not enumerated; empty when none can be.

    `prefix` is set while the range is exactly that of a prefix.
    """

    values: tuple[Value, ...] | None = None
    low: Bound | None = None
    high: Bound | None = None
    prefix: str | None = None

    @property
    def impossible(self) -> bool:
        """Whether no value can meet it."""
        if self.values is not None:
            return not self.values
        if self.low is None or self.high is None:
            return False
        if self.low.value == self.high.value:
            return not (self.low.inclusive and self.high.inclusive)
        return self.low.value > self.high.value  # type: ignore[operator]  # both are of the column's one kind


def leaves(predicates: Iterable[Predicate]) -> list[Predicate]:
    """The predicates, with conjunctions taken apart."""
    found: list[Predicate] = []
    for predicate in predicates:
        found += leaves(predicate.parts) if isinstance(predicate, AllOf) else [predicate]
    return found


def rejects_null(predicate: Predicate, column: str) -> bool:
    """Whether a row whose column is missing or NULL cannot meet the predicate."""
    match predicate:
        case AllOf(parts):
            return any(rejects_null(part, column) for part in parts)
        case AnyOf(parts):
            return all(rejects_null(part, column) for part in parts)
        case IsNull() | Within(condition=IsNull()):
            return False
        case _:
            return predicate.column == column


def key_constraints(table: Table, predicates: Iterable[Predicate]) -> Mapping[str, KeyConstraint]:
    """What conjoined predicates say about every attribute that is part of some key."""
    return _constraints(table, leaves(predicates))


def _constraints(table: Table, said: Iterable[Predicate]) -> Mapping[str, KeyConstraint]:
    keys = {key.name: key for key in _all_keys(table)}
    constraints: dict[str, KeyConstraint] = {}
    for leaf in said:
        name, constraint = _constraint(leaf, table, keys)
        if constraint is not None:
            constraints[name] = _both(constraints[name], constraint) if name in constraints else constraint
    return constraints


Cases = tuple[Mapping[str, KeyConstraint], ...]
"""What is said about key attributes, one mapping for each case of a disjunction; every row needed is in one of them."""

MAX_CASES = 1_000


def key_cases(table: Table, predicates: Sequence[Predicate]) -> list[Cases]:
    """The ways to see the conjoined predicates as cases: as one, and by the parts of each disjunction among them.

    Cases that no row can meet are left out.
    """
    if not predicates:
        return [({},)]
    said = leaves(predicates)
    base = _constraints(table, said)
    if _impossible(base):
        return []
    found: list[Cases] = [(base,)]
    for leaf in said:
        if isinstance(leaf, AnyOf) and len(leaf.parts) <= MAX_CASES:
            cases = [_conjoined(base, key_constraints(table, [part])) for part in leaf.parts]
            cases = [one for one in cases if not _impossible(one)]
            if not cases:
                return []
            if any(one != base for one in cases):
                found.append(tuple(cases))
    return found


def _impossible(constraints: Mapping[str, KeyConstraint]) -> bool:
    return any(constraint.impossible for constraint in constraints.values())


def _conjoined(first: Mapping[str, KeyConstraint], second: Mapping[str, KeyConstraint]) -> Mapping[str, KeyConstraint]:
    return {
        name: _both(first.get(name, KeyConstraint()), second.get(name, KeyConstraint()))
        for name in first.keys() | second.keys()
    }


def _all_keys(table: Table) -> Iterable[KeyAttribute]:
    yield from table.key
    for index in table.indexes:
        yield from index.hash_keys
        yield from index.range_keys


def key_value(value: Value, key: KeyAttribute, column: Column) -> ScalarValue | None:
    """The value in a key's notation, or None when it cannot be told: empty or long texts, numbers out of range."""
    rendered = attribute_value(value, column)
    if rendered is None:
        return None
    ((descriptor, content),) = rendered.items()
    if descriptor != key.type.value:
        return None
    if key.type is AttributeType.STRING and not 0 < len(str(content).encode()) <= _MAX_KEY_BYTES:
        return None
    return rendered


def _constraint(leaf: Predicate, table: Table, keys: Mapping[str, KeyAttribute]) -> tuple[str, KeyConstraint | None]:
    if isinstance(leaf, AnyOf):
        return _alternatives(leaf, table, keys)
    if isinstance(leaf, _WITHOUT_VALUES):
        return "", None
    key, column = keys.get(leaf.column), table.column(leaf.column)
    # A key compares like the SQL value only where the column has the key's own type; DOUBLE holds rounded numbers.
    if key is None or column is None or stored_type(column) != key.type or column.type.kind is TypeKind.DOUBLE:
        return "", None
    match leaf:
        case OneOf(name, values):
            return name, _enumerated(values, key, column, primary=key in table.key)
        case Comparison(name, "=", value):
            return name, _enumerated((value,), key, column, primary=key in table.key)
        case Between(name, low, high):
            return name, _ranged(key, column, Bound(low, True), Bound(high, True))
        case Comparison(name, operator, value) if operator != "<>":
            bound = Bound(value, operator.endswith("="))
            above = operator.startswith(">")
            return name, _ranged(key, column, bound if above else None, None if above else bound)
        case StartsWith(name, prefix) if prefix:
            after = following_prefix(prefix)
            end = Bound(after, False) if after is not None else None
            constraint = _ranged(key, column, Bound(prefix, True), end)
            return name, replace(constraint, prefix=prefix) if constraint is not None else None
    return "", None


def _alternatives(leaf: AnyOf, table: Table, keys: Mapping[str, KeyAttribute]) -> tuple[str, KeyConstraint | None]:
    """`a = 1 OR a = 2` enumerates the values of a."""
    values: list[Value] = []
    names = set()
    for part in leaf.parts:
        name, constraint = _constraint(part, table, keys)
        if constraint is None or constraint.values is None:
            return "", None
        names.add(name)
        values += constraint.values
    return (names.pop(), KeyConstraint(values=tuple(dict.fromkeys(values)))) if len(names) == 1 else ("", None)


def _enumerated(values: tuple[Value, ...], key: KeyAttribute, column: Column, *, primary: bool) -> KeyConstraint | None:
    """Only a primary key is sure not to be an empty text; a value that cannot be told says nothing."""
    told = tuple(dict.fromkeys([value for value in values if not (primary and value == "")]))
    if None in [key_value(value, key, column) for value in told]:
        return None
    return KeyConstraint(values=told)


def _ranged(key: KeyAttribute, column: Column, low: Bound | None, high: Bound | None) -> KeyConstraint | None:
    """Bounds that DynamoDB cannot be told are left out."""
    low, high = (
        bound if bound is not None and key_value(bound.value, key, column) is not None else None
        for bound in (low, high)
    )
    return KeyConstraint(low=low, high=high) if low is not None or high is not None else None


def _both(first: KeyConstraint, second: KeyConstraint) -> KeyConstraint:
    """The conjunction of two constraints."""
    low = _tighter(first.low, second.low, above=True)
    high = _tighter(first.high, second.high, above=False)
    prefix = next((one.prefix for one in (first, second) if one.prefix and (one.low, one.high) == (low, high)), None)
    enumerated = [set(one.values) for one in (first, second) if one.values is not None]
    if not enumerated:
        return KeyConstraint(None, low, high, prefix)
    common = reduce(set.intersection, enumerated)
    order = first.values if first.values is not None else second.values or ()
    within = KeyConstraint(None, low, high)
    kept = tuple(value for value in order if value in common and _inside(value, within))
    return KeyConstraint(kept, low, high)


def _tighter(first: Bound | None, second: Bound | None, *, above: bool) -> Bound | None:
    if first is None or second is None:
        return first or second
    if first.value == second.value:
        return first if not first.inclusive else second
    first_is_less = first.value < second.value  # type: ignore[operator]  # both are of the column's one kind
    return second if first_is_less == above else first


def _inside(value: Value, bounds: KeyConstraint) -> bool:
    point = Bound(value, True)
    low = bounds.low is None or not KeyConstraint(low=bounds.low, high=point).impossible
    high = bounds.high is None or not KeyConstraint(low=point, high=bounds.high).impossible
    return low and high
