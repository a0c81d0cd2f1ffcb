"""Reads parameters that are numerals as the numbers that they write, where they stand among numbers.

DuckDB would convert the text to the type of the others: among whole numbers `'7.5'` is 8, so that `n > '7.5'` leaves 8
out. A constant in a statement is what its author wrote; but who can send texts alone says 7.5 in no other way.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal

from sqlglot import exp

from mcp_server.domain.schema import Table
from mcp_server.sql.binding.mixed_values import COMPARISONS, operands_of
from mcp_server.sql.binding.numbers import Numbers, branches_of
from mcp_server.sql.binding.spelling import Spelling
from mcp_server.sql.dialect import PLACE
from mcp_server.sql.trees import nodes_of

_OF_ONE_TYPE = (
    *(*COMPARISONS, exp.Add, exp.Sub, exp.Mod, exp.IntDiv, exp.Nullif),
    *(exp.Coalesce, exp.Greatest, exp.Least, exp.Array, exp.If),
)
_NUMERAL = re.compile(r"\s*[+-]?(?=\.?[0-9])[0-9]{0,38}(?:\.[0-9]{0,38})?(?:[eE][+-]?[0-9]{1,3})?\s*", re.ASCII)
_WHOLE = re.compile(r"\s*[+-]?[0-9]{1,18}\s*", re.ASCII)
"""Numerals that are the same number whichever type of numbers they are converted to."""
_MOST_DIGITS = 38
"""DuckDB's decimal numbers have no more."""
_MOST_BESIDE_WHOLE = 19
"""So many decimal places leave room for all of a BIGINT; a number with more is a DOUBLE, as 1e-30 is in SQL."""


def has_numerals(written: Iterable[exp.Expr]) -> bool:
    """Whether a parameter among these nodes is a numeral that is not converted to every type of numbers alike."""
    return any(isinstance(node, exp.Literal) and _is_inexact(node) for node in written)


def read_as_numbers(query: exp.Query, internal: Mapping[str, Table], spelling: Spelling) -> None:
    """Puts numbers in the place of parameters that are brought to one type with nothing but numbers, in place.

    Columns have their sources.
    """
    numbers = Numbers(query, internal, spelling)
    for node in nodes_of(query, *_OF_ONE_TYPE):
        for group in _of_one_type(node):
            values = [value.unnest() for value in group if not isinstance(value, exp.Null)]
            if not any(map(_is_inexact, values)):
                continue
            written = [(value, _number(value)) for value in values]
            others = [value for value, number in written if number is None]
            if others and all(numbers.of(value) is not None for value in others):
                for value, number in written:
                    if number is not None:
                        value.replace(_literal(number))


def _of_one_type(node: exp.Expr) -> Iterator[list[exp.Expr]]:
    """The parts of an expression that DuckDB brings to one type, by groups."""
    match node:
        case exp.Array():
            yield node.expressions
        case exp.If() if not isinstance(node.parent, exp.Case):
            yield [one for one in (node.args["true"], node.args.get("false")) if one is not None]
        case exp.Coalesce() | exp.Greatest() | exp.Least():
            yield [node.this, *node.expressions]
        case exp.Add() | exp.Sub() | exp.Mod() | exp.IntDiv() | exp.Nullif():
            yield [node.this, node.expression]
        case exp.Case():
            yield branches_of(node)
            yield operands_of(node)
        case _ if isinstance(node, COMPARISONS):
            yield operands_of(node)


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
    exponent = number.as_tuple().exponent
    is_exact = isinstance(exponent, int) and -exponent <= _MOST_BESIDE_WHOLE
    literal = exp.Literal.number(format(abs(number), "f" if is_exact else "E"))
    return exp.Paren(this=exp.Neg(this=literal)) if number < 0 else literal
