"""Which conditions DynamoDB decides exactly as SQL does, whatever items hold, so that it can count rows itself. Pure.

What was sampled proves nothing of the items that were not: there an attribute may have another type, and its column
would turn out to be text when it is read. Such conditions count on neither type nor sample:

- any comparison of a key attribute, whose type DynamoDB enforces, with a value that is not converted;
- `IS NULL` and `IS NOT NULL`: an attribute of any type is there or is not;
- `=`, `<>` and `IN` of an attribute with texts that are the text of no number, boolean, list, map or set. Binary values
  read as text are base64, so those that would be equal are among what is compared.

A DATE may turn out to be a text, even in a key. A number of more digits than DECIMAL(38) carries is compared exactly
here, and as DOUBLE where it is read.
"""

import binascii
from base64 import b64decode, b64encode
from collections.abc import Container, Sequence
from decimal import Decimal, InvalidOperation

from mcp_server.domain.schema import AttributeType, Column, Table, TypeKind
from mcp_server.planning.attribute_values import ScalarValue, natural_type
from mcp_server.planning.direct import simple
from mcp_server.planning.expressions import MAX_OPERANDS, Placeholders, fits
from mcp_server.planning.plan import Conjunct, Relation
from mcp_server.planning.predicate import AllOf, AnyOf, Comparison, IsNotNull, IsNull, OneOf, Predicate, columns_of
from mcp_server.planning.pushdown import render_filter

_NULL: ScalarValue = {"S": "NULL"}
_KEY_KINDS = frozenset({TypeKind.VARCHAR, TypeKind.BIGINT, TypeKind.DECIMAL})
_OTHER_TEXTS = ("[", "{", '"')
_WORDS = frozenset({"true", "false", "null"})


def is_countable(relation: Relation) -> bool:
    """Whether nothing but conditions decides which items are rows of the relation."""
    table = relation.table
    kept = table.restriction.rows if table.restriction is not None else ()
    return relation.only_number and table.virtual is None and not kept


def decided(predicate: Predicate | None, table: Table, enforced: Container[str]) -> bool:
    """Whether DynamoDB decides a condition exactly. Of the attributes in `enforced`, it enforces the types."""
    match predicate:
        case None:
            return False
        case AllOf(parts) | AnyOf(parts):
            return bool(parts) and all(decided(part, table, enforced) for part in parts)
    column = table.column(predicate.column)
    if column is None:
        return False
    if predicate.column in enforced:
        held = column.attribute_types == {natural_type(column)}
        return held and column.type.kind in _KEY_KINDS and simple(predicate, {column.name: column})
    match predicate:
        case IsNull() | IsNotNull():
            return True
        case Comparison(_, "=" | "<>", str(value)):
            return _is_text(column) and _is_no_other(value)
        case OneOf(_, values):
            return _is_text(column) and all(isinstance(value, str) and _is_no_other(value) for value in values)
    return False


def _is_text(column: Column) -> bool:
    return column.type.kind is TypeKind.VARCHAR and column.attribute_types - {AttributeType.NULL} == {
        AttributeType.STRING
    }


def _is_no_other(text: str) -> bool:
    """Whether nothing but a string, or a binary value, has that text."""
    if text in _WORDS or text.startswith(_OTHER_TEXTS):
        return False
    try:
        Decimal(text)
    except InvalidOperation:
        return True
    return False


def exact_filters(
    conjuncts: Sequence[Conjunct],
    table: Table,
    *,
    enforced: Container[str],
    without: Container[str],
    there: Container[str],
) -> tuple[Predicate, ...] | None:
    """The conditions, if one filter can say them all, and exactly; None otherwise.

    Columns in `without` cannot be filtered on; those of `there` are in every item that is looked at.
    """
    found: list[Predicate] = []
    for one in conjuncts:
        if not one.faithful or one.predicate is None or not decided(one.predicate, table, enforced):
            return None
        if isinstance(one.predicate, IsNotNull) and one.predicate.column in there:
            continue
        if any(name in without for name in columns_of(one.predicate)):
            return None
        found.append(one.predicate)
    said = render_exactly(found, table, Placeholders())
    return None if said is None or not fits(said) else tuple(found)


def render_exactly(predicates: Sequence[Predicate], table: Table, placeholders: Placeholders) -> str | None:
    """The filter that is true of exactly the items of which all predicates are; empty for none.

    None where DynamoDB would refuse it.
    """
    said = [_rendered(predicate, table, placeholders) for predicate in predicates]
    known = [part for part in said if part is not None]
    return " AND ".join(known) if len(known) == len(said) else None


def _rendered(predicate: Predicate, table: Table, placeholders: Placeholders) -> str | None:
    match predicate:
        case AllOf(parts):
            return render_exactly(parts, table, placeholders)
        case AnyOf(parts):
            said = [_rendered(part, table, placeholders) for part in parts]
            known = [part for part in said if part is not None]
            return f"({' OR '.join(known)})" if len(known) == len(said) else None
    column = table.column(predicate.column)
    if column is None:
        return None
    if predicate.column in {key.name for key in table.key}:
        return render_filter(predicate, table, placeholders)
    path = placeholders.name(column.name)
    null = placeholders.value(_NULL)
    match predicate:
        case IsNull():
            return f"(attribute_not_exists({path}) OR attribute_type({path}, {null}))"
        case IsNotNull():
            return f"attribute_exists({path}) AND NOT attribute_type({path}, {null})"
        case Comparison(_, "=", str(value)):
            return _one_of(path, [value], placeholders)
        case Comparison(_, "<>", str(value)):
            unequal = " AND ".join(f"{path} <> {placeholders.value(one)}" for one in _with_that_text(value))
            return f"attribute_exists({path}) AND NOT attribute_type({path}, {null}) AND {unequal}"
        case OneOf(_, values):
            return _one_of(path, [value for value in values if isinstance(value, str)], placeholders)
    return None


def _one_of(path: str, texts: Sequence[str], placeholders: Placeholders) -> str | None:
    said = list(dict.fromkeys(placeholders.value(one) for text in texts for one in _with_that_text(text)))
    return f"{path} IN ({', '.join(said)})" if len(said) <= MAX_OPERANDS else None


def _with_that_text(text: str) -> list[ScalarValue]:
    """The values of which a column of texts holds that text."""
    try:
        content = b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return [{"S": text}]
    return [{"S": text}, {"B": content}] if b64encode(content).decode() == text else [{"S": text}]
