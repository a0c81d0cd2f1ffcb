"""The statement with casts around texts that are numerals and stand where DuckDB needs a number.

`to_days($1)` with the parameter '7', `current_date - '7'`: of a text without a type DuckDB cannot choose which function
is meant. `to_days(CAST($1 AS BIGINT))` says it.
"""

import re
from collections.abc import Sequence

from sqlglot import exp

from mcp_server.domain.failures import Position
from mcp_server.sql.dialect import PLACE
from mcp_server.sql.gate.parse import Statement
from mcp_server.sql.meant_casts import with_casts
from mcp_server.sql.positions import position_at
from mcp_server.sql.trees import children

_CALL = re.compile(r'best candidate function for the function call "([^"(]+)\(([^"]*)\)"')
_TEXT = "STRING_LITERAL"
_NUMBER = re.compile(r"U?(?:TINY|SMALL|BIG|HUGE)INT|U?INTEGER|INTEGER_LITERAL|DECIMAL\(\d+,\d+\)|FLOAT|DOUBLE")
_NODES: dict[str, tuple[type[exp.Expr], ...]] = {
    "+": (exp.Add,),
    "-": (exp.Sub, exp.Neg),
    "*": (exp.Mul,),
    "/": (exp.Div,),
    "%": (exp.Mod,),
    "epoch_ms": (exp.UnixToTime,),
}
"""What operators are parsed to, and the functions that are parsed to something of another name."""
_OPERATORS = _NODES.keys() - {"epoch_ms"}
_SCALE = "scale"
"""A part of `epoch_ms(x)` that is not written."""
_OF_NUMBERS = frozenset(
    {"abs", "avg", "ceil", "ceiling", "floor", "mean", "round", "sign", "sum", "trunc"}
    | {"stddev", "stddev_pop", "stddev_samp", "var_pop", "var_samp", "variance"}
)
_OF_WHOLE_NUMBERS = frozenset(
    {"bit_count", "epoch_ms", "to_centuries", "to_days", "to_decades", "to_hours", "to_millennia", "to_minutes"}
    | {"to_months", "to_quarters", "to_weeks", "to_years"}
)
_WHOLE = re.compile(r"[+-]?[0-9]{1,18}")
_DECIMAL = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]{1,3})?")
_MOST_DAYS = 10**9
"""So many fit an INTEGER, which is what is added to a DATE."""

Numeral = tuple[str, str]
"""A text as the statement writes it, be it a parameter, and the type of the number that it is."""


def with_numerals(statement: Statement, told: str) -> tuple[str, tuple[Numeral, ...], Position] | None:
    """The text with CAST around numerals, wherever they stand as in the call that DuckDB tells of; these, and a place.

    None where the call takes no numbers, or where one of its texts is no numeral or does not stand in the text.
    """
    call = _CALL.search(told)
    if call is None:
        return None
    name, types = call[1], tuple(call[2].split(", "))
    found: dict[tuple[int, int, str], None] = {}
    for node in statement.nodes:
        if _is_called(node, name):
            found.update(dict.fromkeys(_casts(node, name, types)))
    if not found:
        return None
    text = statement.text
    numerals = tuple(dict.fromkeys((text[start:end], type_) for start, end, type_ in sorted(found)))
    casts = [(start, end, f"CAST({{}} AS {type_})") for start, end, type_ in found]
    return with_casts(text, casts), numerals, position_at(text, min(found)[0])


def _is_called(node: exp.Expr, name: str) -> bool:
    if name in _NODES:
        return isinstance(node, _NODES[name])
    if isinstance(node, exp.Anonymous):
        return node.name.lower() == name
    return isinstance(node, exp.Func) and name.upper() in type(node).sql_names()


def _casts(node: exp.Expr, name: str, types: Sequence[str]) -> list[tuple[int, int, str]]:
    """Where the numerals in a call with operands of these types stand in the text, and the types of their numbers."""
    operands = [operand.unnest() for operand in children(node) if operand.arg_key != _SCALE]
    if [_is_text(operand) for operand in operands] != [type_ == _TEXT for type_ in types]:
        return []
    casts: list[tuple[int, int, str]] = []
    for operand in filter(_is_text, operands):
        type_, place = _type_of(operand.name, name, types), _place_of(operand)
        if type_ is None or place is None:
            return []
        casts.append((*place, type_))
    return casts


def _is_text(node: exp.Expr) -> bool:
    return isinstance(node, exp.Literal) and bool(node.is_string)


def _type_of(text: str, name: str, types: Sequence[str]) -> str | None:
    """The type of a number in a call, of which the text is the numeral; None where that takes no such number."""
    whole = _WHOLE.fullmatch(text) is not None
    others = [type_ for type_ in types if type_ != _TEXT]
    if others == ["DATE"] and name in ("+", "-"):
        return "INTEGER" if whole and abs(int(text)) < _MOST_DAYS else None
    if not (others == ["INTERVAL"] and name == "*") and not all(map(_NUMBER.fullmatch, others)):
        return None
    if name in _OF_WHOLE_NUMBERS:
        return "BIGINT" if whole else None
    if name not in _OPERATORS and name not in _OF_NUMBERS:
        return None
    return "BIGINT" if whole else "DOUBLE" if _DECIMAL.fullmatch(text) else None


def _place_of(text: exp.Expr) -> tuple[int, int] | None:
    """Where a text stands in the statement, or the parameter whose value it is."""
    place = text.meta.get(PLACE)
    if place is not None:
        return place[0], place[1]
    start, end = text.meta.get("start"), text.meta.get("end")
    return (start, end + 1) if isinstance(start, int) and isinstance(end, int) else None
