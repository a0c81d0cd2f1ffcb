"""Has parameters that are numerals compare with numbers as the numbers that they write.

DuckDB would convert the text to the type of the other side: among whole numbers `'7.5'` is 8, and `n > '7.5'` leaves
8 out. A constant in a statement is what its author wrote; but who can send texts alone says 7.5 in no other way.
"""

import re
from collections.abc import Iterable, Mapping
from decimal import Decimal

from sqlglot import exp

from mcp_server.domain.schema import Table
from mcp_server.sql.binding.mixed_values import COMPARISONS, operands_of
from mcp_server.sql.binding.numbers import Numbers
from mcp_server.sql.binding.spelling import Spelling
from mcp_server.sql.dialect import PLACE
from mcp_server.sql.trees import nodes_of

_NUMERAL = re.compile(r"\s*[+-]?(?=\.?[0-9])[0-9]{0,38}(?:\.[0-9]{0,38})?(?:[eE][+-]?[0-9]{1,3})?\s*", re.ASCII)
_WHOLE = re.compile(r"\s*[+-]?[0-9]{1,18}\s*", re.ASCII)
"""Numerals that are the same number whichever type of numbers they are converted to."""
_MOST_DIGITS = 38
"""DuckDB's decimal numbers have no more."""


def has_numerals(written: Iterable[exp.Expr]) -> bool:
    """Whether a parameter among these nodes is a numeral that is not converted to every type of numbers alike."""
    return any(isinstance(node, exp.Literal) and _is_inexact(node) for node in written)


def compare_as_numbers(query: exp.Query, internal: Mapping[str, Table], spelling: Spelling) -> None:
    """Puts numbers in the place of parameters that are compared with nothing but numbers, in place.

    Columns have their sources.
    """
    numbers = Numbers(query, internal, spelling)
    for comparison in nodes_of(query, *COMPARISONS):
        operands = [operand for operand in operands_of(comparison) if not isinstance(operand, exp.Null)]
        if not any(map(_is_inexact, operands)):
            continue
        written = [(operand, _number(operand)) for operand in operands]
        others = [operand for operand, number in written if number is None]
        if others and all(numbers.of(operand) is not None for operand in others):
            for operand, number in written:
                if number is not None:
                    operand.replace(_literal(number))


def _is_inexact(node: exp.Expr) -> bool:
    return _number(node) is not None and _WHOLE.fullmatch(node.name) is None


def _number(node: exp.Expr) -> Decimal | None:
    """The number that a parameter writes as a text; None of anything else."""
    if not (isinstance(node, exp.Literal) and node.is_string and PLACE in node.meta):
        return None
    if _NUMERAL.fullmatch(node.name) is None:
        return None
    number = Decimal(node.name.strip())
    _sign, digits, exponent = number.as_tuple()
    assert isinstance(exponent, int)  # it is no NaN
    return number if max(len(digits), len(digits) + exponent, -exponent) <= _MOST_DIGITS else None


def _literal(number: Decimal) -> exp.Expr:
    literal = exp.Literal.number(format(abs(number), "f"))
    return exp.Paren(this=exp.Neg(this=literal)) if number < 0 else literal
