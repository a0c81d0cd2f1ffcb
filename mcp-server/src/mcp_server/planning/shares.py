"""Which share of a table's items conditions leave, by what a sample tells of their columns. Pure."""

import math
import re
from collections.abc import Callable, Sequence
from decimal import Decimal

from mcp_server.domain.distribution import MOST_CHARACTERS, Distribution, End
from mcp_server.domain.schema import AttributeType, Column, Table
from mcp_server.planning.attribute_values import ScalarValue, attribute_value
from mcp_server.planning.predicate import (
    AllOf,
    AnyOf,
    Between,
    Comparison,
    Contains,
    IsNotNull,
    IsNull,
    OneOf,
    Operator,
    Predicate,
    StartsWith,
    TextPattern,
    Value,
)
from mcp_server.planning.pushdown import following_prefix

LEFT_BY_A_VALUE, LEFT_BY_A_CONDITION = 0.1, 0.3
"""The shares that one value, and another condition, are taken to leave, where nothing tells."""

Range = tuple[str, str, tuple[ScalarValue, ...]]
"""A condition on a sort key: its operator, the attribute, and its values."""


def share_of_values(column: Column | None, values: Sequence[ScalarValue]) -> float | None:
    """The share that one of the values leaves on average of the items with the attribute; None where nothing tells."""
    shares = [_equal(column, value) for value in values]
    known = [share for share in shares if share is not None]
    return sum(known) / len(known) if known and len(known) == len(shares) else None


def share_of_range(column: Column | None, condition: Range) -> float | None:
    """The share that a condition on a sort key leaves of the items with the attribute; None where nothing tells."""
    operator, _, values = condition
    if operator == "BETWEEN":
        return _between(column, values[0], values[1], low_inclusive=True, high_inclusive=True)
    if operator == "begins_with":
        return _prefix(column, str(values[0].get("S", "")))
    above, inclusive = operator.startswith(">"), operator.endswith("=")
    low, high = (values[0], None) if above else (None, values[0])
    return _between(column, low, high, low_inclusive=inclusive, high_inclusive=inclusive)


def share_left(predicate: Predicate | TextPattern, table: Table) -> float | None:
    """The share of all items for which a predicate is true; None where nothing tells. Columns count as independent."""
    match predicate:
        case AllOf(parts):
            shares = [share_left(part, table) for part in parts]
            known = [share for share in shares if share is not None]
            guessed = LEFT_BY_A_CONDITION ** (len(shares) - len(known))
            return math.prod(known) * guessed if known else None
        case AnyOf(parts):
            shares = [share_left(part, table) for part in parts]
            missed = [1 - (LEFT_BY_A_CONDITION if share is None else share) for share in shares]
            return 1 - math.prod(missed) if any(share is not None for share in shares) else None
    column = table.column(predicate.column)
    if column is None:
        return None
    if isinstance(predicate, IsNull):
        return 1 - column.presence
    share = _of_present(predicate, column)
    return None if share is None else share * column.presence


def _of_present(predicate: Predicate | TextPattern, column: Column) -> float | None:
    """The share of the items that have the attribute."""
    match predicate:
        case IsNotNull():
            return 1.0
        case Comparison(_, operator, value):
            return _compared(column, operator, value)
        case Between(_, low, high):
            ends = attribute_value(low, column), attribute_value(high, column)
            if ends[0] is None or ends[1] is None:
                return None
            return _between(column, *ends, low_inclusive=True, high_inclusive=True)
        case OneOf(_, values):
            shares = [_compared(column, "=", value) for value in values]
            known = [share for share in shares if share is not None]
            return min(1.0, sum(known)) if len(known) == len(shares) else None
        case StartsWith(_, prefix):
            return _prefix(column, prefix)
        case Contains(_, part):
            return _matching(column, lambda text: part in text)
        case TextPattern(_, regex, ignore_case):
            pattern = re.compile(regex, re.DOTALL | (re.IGNORECASE if ignore_case else 0))
            return _matching(column, lambda text: pattern.fullmatch(text) is not None)
    return None


def _compared(column: Column, operator: Operator, value: Value) -> float | None:
    content = attribute_value(value, column)
    if content is None:
        return None
    if operator in ("=", "<>"):
        share = _equal(column, content)
        return share if share is None or operator == "=" else 1 - share
    low, high = (content, None) if operator.startswith(">") else (None, content)
    inclusive = operator.endswith("=")
    return _between(column, low, high, low_inclusive=inclusive, high_inclusive=inclusive)


def _equal(column: Column | None, value: ScalarValue) -> float | None:
    numbers, texts = _numbers(column), _texts(column)
    if "N" in value and numbers is not None:
        return numbers.share_of(Decimal(str(value["N"])))
    return texts.share_of(str(value["S"])[:MOST_CHARACTERS]) if "S" in value and texts is not None else None


def _between(
    column: Column | None,
    low: ScalarValue | None,
    high: ScalarValue | None,
    *,
    low_inclusive: bool,
    high_inclusive: bool,
) -> float | None:
    ends = [end for end in (low, high) if end is not None]
    numbers, texts = _numbers(column), _texts(column)
    if numbers is not None and all("N" in end for end in ends):
        least = End(Decimal(str(low["N"])), low_inclusive) if low is not None else None
        most = End(Decimal(str(high["N"])), high_inclusive) if high is not None else None
        return numbers.between(least, most)
    if texts is not None and all("S" in end for end in ends):
        first = End(str(low["S"])[:MOST_CHARACTERS], low_inclusive) if low is not None else None
        last = End(str(high["S"])[:MOST_CHARACTERS], high_inclusive) if high is not None else None
        return texts.between(first, last)
    return None


def _prefix(column: Column | None, prefix: str) -> float | None:
    texts, after = _texts(column), following_prefix(prefix)
    if texts is None or len(prefix) >= MOST_CHARACTERS:
        return None
    return texts.between(End(prefix, True), End(after, False) if after is not None else None)


def _matching(column: Column, matches: Callable[[str], bool]) -> float | None:
    """By the texts that are kept, which are a sample of the sample."""
    texts = _texts(column)
    if texts is None or any(len(text) >= MOST_CHARACTERS for text in texts.points):
        return None
    found = sum(map(matches, texts.points))
    return max(found / len(texts.points), texts.floor)


def _numbers(column: Column | None) -> Distribution[Decimal] | None:
    """What is known of a column that holds numbers only."""
    if column is None or column.attribute_types - {AttributeType.NULL} != {AttributeType.NUMBER}:
        return None
    return column.spread  # type: ignore[return-value]  # a sample of numbers


def _texts(column: Column | None) -> Distribution[str] | None:
    """What is known of a column that holds texts only."""
    if column is None or column.attribute_types - {AttributeType.NULL} != {AttributeType.STRING}:
        return None
    return column.spread  # type: ignore[return-value]  # a sample of texts
