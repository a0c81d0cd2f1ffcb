"""Finds the texts that a bound statement compares columns with, wherever in it: conditions, CASE, FILTER, functions.

It goes from each column up to what the column is compared in, so that it takes no walk of its own.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import islice
from typing import NamedTuple

from sqlglot import exp

from mcp_server.sql.binding.references import Reference
from mcp_server.sql.constants import constant
from mcp_server.sql.lowering.provenance import Provenance, case_of, inside
from mcp_server.sql.sought_texts import SoughtText, Way, in_case
from mcp_server.sql.sources import Block, Sources

LONGEST = 60
"""Characters of a text that is looked at."""
MOST = 20
"""Texts of one statement of which anything is told."""

_EQUALITIES = frozenset({exp.EQ, exp.NEQ, exp.NullSafeEQ, exp.NullSafeNEQ, exp.Nullif, exp.In})
_UNCOMPARED = frozenset({exp.Alias, exp.Select, exp.Group, exp.Ordered})
"""Where most columns stand, in which nothing is compared."""
_NEGATIONS = (exp.NEQ, exp.NullSafeNEQ, exp.Nullif)
_ACCESSES = (exp.Dot, exp.Bracket, exp.StructExtract, exp.JSONExtract, exp.JSONExtractScalar)
_PARTS: dict[type[exp.Expr], Way] = {
    exp.StartsWith: "starts with",
    exp.EndsWith: "ends with",
    exp.Contains: "contains",
}
_NAMED_PARTS: dict[str, Way] = {"prefix": "starts with", "suffix": "ends with"}
_AGGREGATES = (exp.AggFunc, exp.Anonymous)
# Of functions the parser does not know it cannot be said that they are not aggregates.


class _Compared(NamedTuple):
    """A comparison, how it compares, and with what."""

    node: exp.Expr
    way: Way
    others: Sequence[exp.Expr]
    escape: str = ""


def sought_texts(
    query: exp.Query, sources: Sources, references: Sequence[Reference], *, most: int = MOST
) -> tuple[SoughtText, ...]:
    """The texts that match no value of a sample, or no value that there could be; those of the first comparisons."""
    found: list[SoughtText] = []
    provenance = Provenance(sources, references)
    try:
        for column, block, _ in sources.columns:
            if block is not None and type(column.parent) not in _UNCOMPARED:
                found += islice(_sought(column, block, provenance, query), most)
            if len(found) >= most:
                break
    except RecursionError:  # the statement can be run; only nobody is warned
        return ()
    return tuple(found[:most])


def _sought(column: exp.Column, block: Block, provenance: Provenance, query: exp.Query) -> Iterator[SoughtText]:
    operand = _operand(column)
    compared = _compared(operand)
    if compared is None:
        return
    texts = [text for other in compared.others if (text := _text(other)) and len(text) <= LONGEST]
    if not texts:  # nor if they are empty: `<> ''` is no guess
        return
    places, case = provenance.of(operand, block) or (), case_of(operand)
    if places and case is None and len({place.case for place in places}) == 1:
        case = places[0].case
    filters = len(compared.others) == 1 and _filters(compared.node, query)
    of_first = SoughtText(places, column.name, case, compared.way, texts[0], compared.escape, filters)
    known = frozenset(of_first.known())
    hint = of_first.is_hint()
    if not known and case is None and not hint:
        return
    for text in texts:
        if compared.way == "equals" and text in known:
            continue
        one = replace(of_first, text=text)
        # Of a key that is written like those of the sample, too: a plan with a slot for it serves any other.
        if hint or one.wrong_case or one.unseen():
            yield one


def _text(node: exp.Expr) -> str | None:
    """The text that an expression without columns is; `lower('X')` only of letters of which the case is plain."""
    case, inner = case_of(node), node.unnest()
    found = constant(inner.this if case is not None and isinstance(inner, exp.Lower | exp.Upper) else node)
    if not isinstance(found, str) or (case is not None and not found.isascii()):
        return None
    return found if case is None else in_case(found, case)


def _operand(column: exp.Column) -> exp.Expr:
    """The largest expression whose texts are the column's, or a part's of it."""
    node: exp.Expr = column
    while (around := node.parent) is not None:
        if type(around) in _EQUALITIES:
            break
        of_document = isinstance(around, exp.Anonymous) and str(around.this).lower() == "to_json"
        part = isinstance(around, _ACCESSES) and around.this is node
        if not (part or of_document or inside(around) is node):
            break
        node = around
    return node


def _compared(operand: exp.Expr) -> _Compared | None:
    """The comparison that an operand is compared in."""
    around, place = operand.parent, None
    if isinstance(around, exp.Tuple):
        place = next((at for at, one in enumerate(around.expressions) if one is operand), None)
        operand, around = around, around.parent
    match around:
        case exp.EQ() | exp.NEQ() | exp.NullSafeEQ() | exp.NullSafeNEQ() | exp.Nullif():
            others = _members(around.expression if around.this is operand else around.this)
        case exp.LT() | exp.LTE() | exp.GT() | exp.GTE():
            first = around.this is operand
            up_to = isinstance(around, exp.LTE if first else exp.GTE)
            return _Compared(around, "up to" if up_to else "order", [around.expression if first else around.this])
        case exp.Between() if around.this is operand:
            return _Compared(around, "up to", [around.args["high"]])
        case exp.In() if around.this is operand:
            others = around.expressions
        case exp.Case() if around.this is operand:
            others = [branch.this for branch in around.args["ifs"]]
        case exp.Like() | exp.ILike() | exp.StartsWith() | exp.EndsWith() | exp.Contains() | exp.Anonymous():
            return _matched(operand, around)
        case _:
            return None
    if place is not None:
        rows = [one.expressions for one in others if isinstance(one, exp.Tuple)]
        others = [row[place] for row in rows if place < len(row)]
    return _Compared(around, "equals", others)


def _members(other: exp.Expr) -> list[exp.Expr]:
    """What an operand is compared with: itself, or the members of `ANY (['a', 'b'])`."""
    if not isinstance(other, exp.Any | exp.All):
        return [other]
    members = other.this.unnest()
    return list(members.expressions) if isinstance(members, exp.Array) else []


def _matched(operand: exp.Expr, around: exp.Expr) -> _Compared | None:
    if isinstance(around, exp.Anonymous):
        way = _NAMED_PARTS.get(str(around.this).lower())
        if way is None or len(around.expressions) != 2 or around.expressions[0] is not operand:
            return None
        return _Compared(around, way, [around.expressions[1]])
    if around.this is not operand or isinstance(around.expression, exp.Any | exp.All):
        return None
    if type(around) in _PARTS:
        return _Compared(around, _PARTS[type(around)], [around.expression])
    escaped = around.parent
    if isinstance(around, exp.ILike):  # DuckDB folds its escape character, too
        return _Compared(around, "ilike", [around.expression]) if not isinstance(escaped, exp.Escape) else None
    if not isinstance(escaped, exp.Escape):
        return _Compared(around, "like", [around.expression])
    escape = constant(escaped.expression)
    return _Compared(escaped, "like", [around.expression], escape) if isinstance(escape, str) else None


def _filters(comparison: exp.Expr, query: exp.Query) -> bool:
    """Whether every row of the result comes of rows that meet the comparison, or is the number of such rows."""
    like = comparison.this if isinstance(comparison, exp.Escape) else comparison
    if isinstance(like, (*_NEGATIONS, exp.Case)) or like.args.get("negate"):
        return False
    node = comparison.parent
    while isinstance(node, exp.And | exp.Paren):
        node = node.parent
    if not isinstance(node, exp.Where) or node.parent is not query or not isinstance(query, exp.Select):
        return False
    group = query.args.get("group")
    if group is not None:
        plain = not any(value for part, value in group.args.items() if part != "expressions")
        return plain and not any(isinstance(one, exp.Tuple) for one in group.expressions)  # `()` has a row in any case
    if [type(one.unalias()) for one in query.expressions] == [exp.Count]:
        return query.args.get("having") is None
    having = query.args.get("having")
    return having is None and all(one.find(*_AGGREGATES) is None for one in query.expressions)
