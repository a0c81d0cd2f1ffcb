"""SQL values in DynamoDB's notation, typed after the column that they are compared with.

Limits: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Constraints.html
"""

import math
from datetime import date
from decimal import Context, Decimal, localcontext
from typing import Literal

from mcp_server.domain.schema import AttributeType, Column, TypeKind
from mcp_server.planning.predicate import Value

ScalarValue = dict[str, str | bool | bytes]
"""An AttributeValue that a condition or a key may hold: one descriptor with its content. Only conditions hold bytes."""

_SMALLEST = Decimal("1E-130")
_LARGEST = Decimal("9.9999999999999999999999999999999999999E+125")
_DIGITS = 38
_WHOLE = 10**_DIGITS
_EXACT, _KEPT = Context(prec=200), Context(prec=_DIGITS)

_NATURAL = {
    TypeKind.VARCHAR: AttributeType.STRING,
    TypeKind.DATE: AttributeType.STRING,
    TypeKind.BIGINT: AttributeType.NUMBER,
    TypeKind.DECIMAL: AttributeType.NUMBER,
    TypeKind.DOUBLE: AttributeType.NUMBER,
    TypeKind.BOOLEAN: AttributeType.BOOLEAN,
}

_COUNTED = frozenset({TypeKind.BIGINT, TypeKind.DECIMAL, TypeKind.TIMESTAMPTZ})


def natural_type(column: Column) -> AttributeType | None:
    """The descriptor under which values of the column's SQL type compare like the SQL values; None if there is none.

    Texts of instants do not, for their zones differ.
    """
    if column.type.kind is TypeKind.TIMESTAMPTZ:
        return AttributeType.NUMBER if column.type.unit is not None else None
    return _NATURAL.get(column.type.kind)


def stored_type(column: Column) -> AttributeType | None:
    """The descriptor that conditions on the column are about."""
    return AttributeType.STRING if is_text_of_instants(column) else natural_type(column)


def is_text_of_instants(column: Column) -> bool:
    """Whether it is a TIMESTAMPTZ whose items hold texts."""
    return column.type.kind is TypeKind.TIMESTAMPTZ and column.type.unit is None


def attribute_value(value: Value, column: Column) -> ScalarValue | None:
    """A value to compare the column's attribute with, or None where DynamoDB cannot hold exactly that value.

    A TIMESTAMPTZ is compared with what its items hold, numbers or texts.
    """
    kind = column.type.kind
    if (kind is TypeKind.VARCHAR or is_text_of_instants(column)) and isinstance(value, str):
        return {"S": value}
    if kind is TypeKind.DATE and isinstance(value, date):
        return {"S": value.isoformat()}
    if kind is TypeKind.BOOLEAN and isinstance(value, bool):
        return {"BOOL": value}
    if kind in _COUNTED and isinstance(value, int | Decimal) and not isinstance(value, bool):
        return {"N": str(value)} if type(value) is int and abs(value) < _WHOLE else _number(Decimal(value))
    return None


def _number(value: Decimal) -> ScalarValue | None:
    """API reference, Numbers: up to 38 digits of precision, magnitude 1E-130 to 9.99…E+125."""
    if not value.is_finite() or len(value.normalize(_EXACT).as_tuple().digits) > _DIGITS:
        return None
    if value and not _SMALLEST <= abs(value) <= _LARGEST:
        return None
    return {"N": _plain(value)}


def _plain(value: Decimal) -> str:
    """One text per number, so that equal keys are seen to be equal."""
    if not value:
        return "0"
    return f"{value.normalize(_KEPT):f}" if abs(value.adjusted()) < 40 else str(value.normalize())


def widened(value: Value, direction: Literal["down", "up"]) -> ScalarValue | None:
    """A number safely below or above all that DuckDB may take for the same DOUBLE as `value`.

    A DOUBLE column holds the nearest double of each stored number, so a comparison with a double is true of stored
    numbers up to half a step away; the conversion of a DECIMAL literal may be off by one more.
    """
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    towards = -math.inf if direction == "down" else math.inf
    bound = math.nextafter(math.nextafter(number, towards), towards)
    if not math.isfinite(bound):
        return None
    with localcontext() as context:
        context.prec = _DIGITS
        context.rounding = "ROUND_FLOOR" if direction == "down" else "ROUND_CEILING"
        return _number(+Decimal(bound))
