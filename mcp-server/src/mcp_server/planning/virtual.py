"""What a virtual table means for how it is read: conditions on its columns become conditions on keys and attributes."""

import itertools
import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import date

from mcp_server.domain.names import quoted
from mcp_server.domain.virtual_table import Template, VirtualTable
from mcp_server.planning.key_conditions import leaves
from mcp_server.planning.key_paths import MAX_KEYS
from mcp_server.planning.plan import Conjunct, Relation
from mcp_server.planning.predicate import (
    AllOf,
    AnyOf,
    Between,
    Comparison,
    OneOf,
    Operator,
    Predicate,
    StartsWith,
    Value,
    columns_of,
)
from mcp_server.planning.pushdown import following_prefix

ITEMS_TEXT = "(the items of this table)"

_MOST_CHARACTERS = 1024
"""Of a value for which an upper bound is looked for; no key is longer."""


def as_virtual(relation: Relation) -> Relation:
    """The relation without predicates on columns that no item has, and with what follows from them for those it has.

    So does of each part of a disjunction: `(customer_id, order_id) IN (('7', '5'), …)` names keys.
    """
    table = relation.table.virtual
    if table is None:
        return relation
    said = leaves(conjunct.predicate for conjunct in relation.conjuncts if conjunct.predicate is not None)
    real = (_real(one, table, said) for one in relation.conjuncts)
    derived = [
        conjunct for attribute, template in table.templates for conjunct in _conjuncts(attribute, template, said)
    ]
    # Several templates may say the same; a read that waits for others has them already.
    added = (one for one in dict.fromkeys(derived) if one not in relation.conjuncts)
    return replace(relation, conjuncts=(*real, *added))


def met_by_all(table: VirtualTable) -> frozenset[Predicate]:
    """What all items of a virtual table meet, as far as predicates say it."""
    return frozenset(one for attribute, template in table.templates for one in _derived(attribute, template, []))


def _real(conjunct: Conjunct, table: VirtualTable, said: Sequence[Predicate]) -> Conjunct:
    """The conjunct, which says less where it speaks of columns that no item has."""
    if conjunct.predicate is None or columns_of(conjunct.predicate).isdisjoint(table.slots):
        return conjunct
    met = (_met(leaf, table, said) for leaf in leaves([conjunct.predicate]))
    narrowed = tuple(predicate for predicate in met if predicate is not None)
    return replace(conjunct, predicate=AllOf(narrowed) if narrowed else None, faithful=False)


def _met(leaf: Predicate, table: VirtualTable, said: Sequence[Predicate]) -> Predicate | None:
    """What an item's attributes meet where a row meets the leaf, and all else that is said; None if that is unknown."""
    if columns_of(leaf).isdisjoint(table.slots):
        return leaf
    cases = tuple(_case(part, table, said) for part in leaf.parts) if isinstance(leaf, AnyOf) else ()
    return AnyOf(cases) if cases and all(case.parts for case in cases) else None


def _case(part: Predicate, table: VirtualTable, said: Sequence[Predicate]) -> AllOf:
    """What the items meet that meet one part of a disjunction."""
    of_part = leaves([part])
    kept = (leaf for leaf in of_part if columns_of(leaf).isdisjoint(table.slots))
    derived = (_derived(attribute, template, [*of_part, *said]) for attribute, template in table.templates)
    return AllOf((*kept, *itertools.chain.from_iterable(derived)))


def _conjuncts(attribute: str, template: Template, said: list[Predicate]) -> list[Conjunct]:
    """What every useful item meets for a template: where no predicate can say that, no more than that there is one."""
    derived = [
        Conjunct(_text(predicate), predicate, faithful=True) for predicate in _derived(attribute, template, said)
    ]
    return derived or [Conjunct(ITEMS_TEXT, None, faithful=False)]


def _derived(attribute: str, template: Template, said: list[Predicate]) -> Iterator[Predicate]:
    """What every useful item meets: its attribute has the form, with the values that are asked for."""
    known: list[tuple[str, ...]] = []
    for slot in template.slots:
        values = _values(slot, said)
        if values is None or math.prod(len(one) for one in (*known, values)) > MAX_KEYS:
            break
        known.append(values)
    texts = tuple(sorted(template.beginning(values) for values in itertools.product(*known)))
    if len(known) == len(template.slots):
        yield Comparison(attribute, "=", texts[0]) if len(texts) == 1 else OneOf(attribute, texts)
    elif len(texts) == 1:
        yield from _narrowed(attribute, template, len(known), texts[0], said)
    elif template.pieces[0]:
        yield StartsWith(attribute, template.pieces[0])


def _narrowed(
    attribute: str, template: Template, place: int, beginning: str, said: Iterable[Predicate]
) -> Iterator[Predicate]:
    """The beginning, and a range within it: of texts that begin alike, the rest decides the order."""
    if beginning:
        yield StartsWith(attribute, beginning)
    slot, following = template.slots[place], template.pieces[place + 1]
    for predicate in said:
        match predicate:
            case Comparison(column, operator, str(value)) if column == slot and operator not in ("=", "<>"):
                yield from _compared(attribute, operator, beginning, value, following)
            case Between(column, str(low), str(high)) if column == slot and not following:
                yield Between(attribute, beginning + low, beginning + high)
            case Between(column, str(low), str(high)) if column == slot:
                yield from _compared(attribute, ">=", beginning, low, following)
                yield from _compared(attribute, "<=", beginning, high, following)
            case StartsWith(column, prefix) if column == slot:
                yield StartsWith(attribute, beginning + prefix)


def _compared(attribute: str, operator: Operator, beginning: str, value: str, following: str) -> Iterator[Comparison]:
    """What is true of every text whose slot compares so with the value; `following` is the piece behind the slot."""
    if operator.startswith(">") or not following:
        yield Comparison(attribute, operator, beginning + value)
    elif len(value) <= _MOST_CHARACTERS:
        # Of less than the value are also the texts that it begins with. They go on with the piece behind the slot,
        # which may be greater than what the value goes on with: with a slot before `-`, "a-…" comes after "a#".
        ends = len(value) + (operator == "<=")
        within = [following_prefix(beginning + value[:end] + following) for end in range(1, ends)]
        known = [text for text in within if text is not None]
        if len(known) == len(within):
            yield Comparison(attribute, "<", max([beginning + value, *known]))


def _values(slot: str, said: Iterable[Predicate]) -> tuple[str, ...] | None:
    """The values that a column may have; None if the conditions do not tell."""
    for predicate in said:
        match predicate:
            case Comparison(column, "=", str(value)) if column == slot:
                return (value,)
            case OneOf(column, values) if column == slot and all(isinstance(value, str) for value in values):
                return tuple(dict.fromkeys(str(value) for value in values))
    return None


def _text(predicate: Predicate) -> str:
    """The predicate as SQL, for people."""
    match predicate:
        case Comparison(column, operator, value):
            return f"{quoted(column)} {operator} {_literal(value)}"
        case Between(column, low, high):
            return f"{quoted(column)} BETWEEN {_literal(low)} AND {_literal(high)}"
        case OneOf(column, values):
            return f"{quoted(column)} IN ({', '.join(map(_literal, values))})"
        case StartsWith(column, prefix):
            return f"starts_with({quoted(column)}, {_literal(prefix)})"
    raise AssertionError(predicate)


def _literal(value: Value | date) -> str:
    return "'" + str(value).replace("'", "''") + "'"
