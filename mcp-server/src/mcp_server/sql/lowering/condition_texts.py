"""Conditions as SQL for people. The most frequent forms are written at once, just as the generator writes them."""

import re
from collections.abc import Mapping
from functools import lru_cache

from sqlglot import exp

from mcp_server.sql.dialect import to_sql
from mcp_server.sql.lowering.predicates import OPERATORS
from mcp_server.sql.trees import copied, nodes, parts

_PLAIN_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_MOST_NAMES = 10_000
_COMPARISONS: dict[type[exp.Expr], str] = {**OPERATORS, exp.Like: "LIKE"}
_SUMS: dict[type[exp.Expr], str] = {exp.Add: "+", exp.Sub: "-"}
_UNITS = {"YEAR", "MONTH", "DAY", "HOUR", "MINUTE", "SECOND"}


def condition_text(condition: exp.Expr, spelt: Mapping[str, str]) -> str:
    """A condition on one table with the catalogue's names of columns, by their spellings, and without the table's."""
    return _simple(condition, spelt) or generated_text(condition, spelt)


def generated_text(condition: exp.Expr, spelt: Mapping[str, str]) -> str:
    """The same text, which the generator makes of any condition."""
    shown = copied(condition)
    for column in nodes(shown):
        if not isinstance(column, exp.Column):
            continue
        column.set("this", _identifier(spelt.get(column.name, column.name)))
        column.set("table", None)
    return to_sql(shown, quoted=False)


def _simple(node: exp.Expr, spelt: Mapping[str, str]) -> str | None:
    """A comparison, LIKE, BETWEEN or IN of simple operands; None of any other condition."""
    operator = _COMPARISONS.get(type(node))
    if operator is not None:
        return _of_two(node, operator, spelt)
    if type(node) is exp.Between and parts(node) == {"this", "low", "high"}:
        this, low, high = (_operand(node.args[part], spelt) for part in ("this", "low", "high"))
        return f"{this} BETWEEN {low} AND {high}" if None not in (this, low, high) else None
    if type(node) is exp.In and parts(node) == {"this", "expressions"}:
        this, members = _operand(node.this, spelt), [_operand(member, spelt) for member in node.expressions]
        known = [member for member in members if member is not None]
        return f"{this} IN ({', '.join(known)})" if this is not None and len(known) == len(members) else None
    return None


def _of_two(node: exp.Expr, operator: str, spelt: Mapping[str, str]) -> str | None:
    if parts(node) != {"this", "expression"}:
        return None
    left, right = _operand(node.args["this"], spelt), _operand(node.args["expression"], spelt)
    return f"{left} {operator} {right}" if left is not None and right is not None else None


def _operand(node: exp.Expr, spelt: Mapping[str, str]) -> str | None:
    """A column, a literal, a literal that is cast to a type without parameters, an interval, and sums of these."""
    kind = type(node)
    if kind is exp.Column:
        name = node.name
        plain = type(node.this) is exp.Identifier and not node.args.get("db")
        return _name(spelt.get(name, name)) if plain else None
    if kind is exp.Literal:
        text: str = node.args["this"]
        return "'" + text.replace("'", "''") + "'" if node.is_string else text
    if kind is exp.Cast and parts(node) == {"this", "to"}:
        to = node.args["to"]
        type_ = to.this if parts(to) == {"this"} else None
        is_literal = type(node.this) is exp.Literal and isinstance(type_, exp.DType)
        return f"CAST({_operand(node.this, spelt)} AS {_type(type_)})" if is_literal else None
    if kind is exp.Interval and parts(node) == {"this", "unit"}:
        unit = node.text("unit")
        return f"INTERVAL {_operand(node.this, spelt)} {unit}" if node.this.is_string and unit in _UNITS else None
    return _of_two(node, _SUMS[kind], spelt) if kind in _SUMS else None


def _identifier(name: str) -> exp.Identifier:
    return exp.Identifier(this=name, quoted=_PLAIN_NAME.fullmatch(name) is None)


@lru_cache(_MOST_NAMES)
def _name(name: str) -> str:
    """A column's name; the generator knows which words need quotes."""
    return to_sql(exp.Column(this=_identifier(name)), quoted=False)


@lru_cache
def _type(type_: exp.DType) -> str:
    return to_sql(exp.DataType(this=type_), quoted=False)
