"""What a restriction of a table means for how it is read."""

from dataclasses import replace

from mcp_server.domain.restriction import AllowedValues
from mcp_server.domain.schema import AttributeType, Table, TypeKind
from mcp_server.planning.plan import Conjunct, Relation
from mcp_server.planning.predicate import OneOf, Predicate, Value, columns_of

ROWS_TEXT = "(the rows that you may see)"
_NUMBERS = frozenset({TypeKind.BIGINT, TypeKind.DECIMAL})


def as_restricted(relation: Relation) -> Relation:
    """The relation without predicates on masked columns, and with the condition that hides rows.

    A mask is put on when items are read, so DynamoDB would compare what is behind it. The rows are left out then, too:
    their condition is here for the keys that it may name.
    """
    kept = relation.table.restriction
    if kept is None:
        return relation
    conjuncts = tuple(_unmasked(conjunct, kept.masked) for conjunct in relation.conjuncts)
    return replace(relation, conjuncts=(*conjuncts, *(_rows(relation.table, rule) for rule in kept.rows)))


def _unmasked(conjunct: Conjunct, masked: frozenset[str]) -> Conjunct:
    if conjunct.predicate is None or masked.isdisjoint(columns_of(conjunct.predicate)):
        return conjunct
    return replace(conjunct, predicate=None, faithful=False)


def _rows(table: Table, rule: AllowedValues) -> Conjunct:
    predicate = _predicate(table, rule)
    # Of a key every item has the attribute, in the type that it is declared with.
    exact = predicate is not None and rule.attribute in {key.name for key in table.key}
    return Conjunct(ROWS_TEXT, predicate, faithful=exact, never=not (rule.texts or rule.numbers))


def _predicate(table: Table, rule: AllowedValues) -> Predicate | None:
    """The rule, where the attribute has been seen in one type only."""
    column = table.column(rule.attribute)
    if column is None or (table.restriction is not None and rule.attribute in table.restriction.masked):
        return None
    values: tuple[Value, ...] = ()
    if column.attribute_types == {AttributeType.STRING} and column.type.kind is TypeKind.VARCHAR:
        values = tuple(sorted(rule.texts))
    elif column.attribute_types == {AttributeType.NUMBER} and column.type.kind in _NUMBERS:
        values = tuple(int(one) if one == one.to_integral_value() else one for one in sorted(rule.numbers))
    return OneOf(rule.attribute, values) if values else None
