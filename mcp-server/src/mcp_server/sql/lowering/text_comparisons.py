"""Finds the texts that a bound statement compares columns with, wherever in it: conditions, CASE, FILTER, functions.

It goes from each column up to what the column is compared in, so that it takes no walk of its own.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import islice
from typing import NamedTuple

from sqlglot import exp

from mcp_server.domain.schema import TypeKind
from mcp_server.sql.constants import constant
from mcp_server.sql.lowering.constant_relations import ConstantRelations
from mcp_server.sql.lowering.provenance import AROUND, Place, Provenance, case_of, elements_of, inside
from mcp_server.sql.sought_texts import SoughtText, Way, in_case
from mcp_server.sql.sources import Block, Sources
from mcp_server.sql.trees import holds

LONGEST = 60
"""Characters of a text that is looked at."""
MOST = 20
"""Texts of one statement of which anything is told."""

_EQUALITIES = frozenset({exp.EQ, exp.NEQ, exp.NullSafeEQ, exp.NullSafeNEQ, exp.Nullif, exp.In})
_UNCOMPARED = frozenset({exp.Alias, exp.Select, exp.Group, exp.Ordered})
"""Where most columns stand, in which nothing is compared."""
_NEGATIONS = (exp.NEQ, exp.NullSafeNEQ, exp.Nullif)
_ACCESSES = (exp.Dot, exp.Bracket, exp.StructExtract, exp.JSONExtract, exp.JSONExtractScalar)
_TAKEN_FROM = (*AROUND, *_ACCESSES, exp.Anonymous)
_PARTS: dict[type[exp.Expr], Way] = {
    exp.StartsWith: "starts with",
    exp.EndsWith: "ends with",
    exp.Contains: "contains",
}
_NAMED_PARTS: dict[str, Way] = {"prefix": "starts with", "suffix": "ends with"}
_PLAIN = re.compile(r"(?P<begin>\^|\.\*)?(?P<text>(?:[^\\^$.|?*+()\[\]{}]|\\[^A-Za-z0-9])+)(?P<end>\$|\.\*)?")
"""A regular expression without anything but a text, and what may stand around it."""
_GROUP = re.compile(r"(\^|\.\*)?\((?:\?:)?([^()]*)\)(\$|\.\*)?")
_BAR = re.compile(r"(?<!\\)\|")
"""What is between the alternatives of one."""
_AGGREGATES = (exp.AggFunc, exp.Anonymous)
# Of functions the parser does not know it cannot be said that they are not aggregates.


class _Compared(NamedTuple):
    """A comparison, how it compares, and with what; `of_elements` is whether the operand is a list that has it."""

    node: exp.Expr
    way: Way
    others: Sequence[exp.Expr]
    escape: str = ""
    of_elements: bool = False


def sought_texts(
    query: exp.Query, sources: Sources, provenance: Provenance, *, most: int = MOST
) -> tuple[SoughtText, ...]:
    """The texts that match no value of a sample, or no value that there could be; those of the first comparisons."""
    found: list[SoughtText] = []
    relations = ConstantRelations(sources)
    try:
        for column, block, _ in sources.columns:
            around = column.parent
            if block is None or type(around) in _UNCOMPARED or _is_joined(column, block, relations):
                continue
            found += islice(_sought(column, block, provenance, relations, query), most)
            if len(found) >= most:
                break
    except RecursionError:  # the statement can be run; only nobody is warned
        return ()
    return tuple(found[:most])


def _is_joined(column: exp.Column, block: Block, relations: ConstantRelations) -> bool:
    """Whether a column is compared with one of a stored table."""
    around = column.parent
    if type(around) is not exp.EQ or not type(around.this) is type(around.expression) is exp.Column:
        return False
    return relations.is_read(around.expression if around.this is column else around.this, block)


def _sought(
    column: exp.Column, block: Block, provenance: Provenance, relations: ConstantRelations, query: exp.Query
) -> Iterator[SoughtText]:
    operand = operand_of(column)
    in_json = _json(operand)
    if in_json is not None:
        yield from _no_json(in_json, column.name)
        return
    length = _beginning(operand)
    compared = _compared(operand.parent if length is not None and operand.parent is not None else operand)
    if compared is None or (length is not None and compared.way != "equals"):
        return
    compared = compared._replace(others=[one for other in compared.others for one in relations.of(other, block)])
    defaults = _defaults(column, operand)
    texts = [text for other in compared.others if (text := _text(other)) and len(text) <= LONGEST]
    texts = [text for text in texts if text not in defaults and (length is None or len(text) == length)]
    if not texts:  # nor if they are empty: `<> ''` is no guess
        return
    if length is not None:
        compared = compared._replace(way="starts with")
    places, case = provenance.of(operand, block) or (), case_of(operand)
    if compared.of_elements or (compared.way == "contains" and _are_lists(places)):
        places, compared = elements_of(places) or (), compared._replace(way="equals")
    if places and case is None and len({place.case for place in places}) == 1:
        case = places[0].case
    of_first = SoughtText(places, column.name, case, compared.way, texts[0], compared.escape)
    known = frozenset(of_first.known())
    hint = of_first.is_hint()
    if not known and case is None and not hint:
        return
    filters = len(compared.others) == 1 and _filters(compared.node, query)
    for text in texts:
        if compared.way == "equals" and text in known:
            continue
        one = replace(of_first, text=text, filters=filters)
        # Of a text that is written as it should be, too: a plan with a slot for it serves any other.
        if hint or case is not None or one.unseen():
            yield one


def _json(operand: exp.Expr) -> _Compared | None:
    """The comparison of `json_value(column, …)` and `CAST(column->… AS VARCHAR)`, which are JSON."""
    around = operand.parent
    if isinstance(around, exp.Anonymous) and around.name.lower() == "json_value" and around.expressions[0] is operand:
        return _compared(around)
    inner = operand.unnest()
    is_json = isinstance(inner, exp.Cast) and isinstance(inner.this.unnest(), exp.JSONExtract)
    return _compared(operand) if is_json else None


def _no_json(compared: _Compared, column: str) -> Iterator[SoughtText]:
    for other in compared.others if compared.way == "equals" else ():
        text = _text(other)
        if text is not None and len(text) <= LONGEST:
            one = SoughtText((), column, None, "equals", text, as_json=True)
            if one.is_no_json:
                yield one


def _beginning(operand: exp.Expr) -> int | None:
    """The number n of `left(operand, n)` and `substring(operand, 1, n)` around an operand."""
    around = operand.parent
    if around is None or around.this is not operand:
        return None
    if isinstance(around, exp.Left):
        length = around.expression
    elif isinstance(around, exp.Substring) and around.args.get("start") == exp.Literal.number(1):
        length = around.args.get("length")
    else:
        return None
    return int(length.name) if isinstance(length, exp.Literal) and length.is_int else None


def _defaults(column: exp.Column, operand: exp.Expr) -> frozenset[str]:
    """The constants that stand in the place of NULL: `coalesce(status, 'none') = 'none'` looks for no value."""
    found, node = set[str](), column.parent
    while node is not None and node is not operand.parent:
        if isinstance(node, exp.Coalesce):
            found |= {one.name for one in node.expressions if isinstance(one, exp.Literal)}
        node = node.parent
    return frozenset(found)


def _are_lists(places: Sequence[Place]) -> bool:
    return any(place.part.type.kind is TypeKind.LIST for place in places)


def _text(node: exp.Expr) -> str | None:
    """The text that an expression without columns is; `lower('X')` only of letters of which the case is plain."""
    case, inner = case_of(node), node.unnest()
    found = constant(inner.this if case is not None and isinstance(inner, exp.Lower | exp.Upper) else node)
    if not isinstance(found, str) or (case is not None and not found.isascii()):
        return None
    return found if case is None else in_case(found, case)


def operand_of(column: exp.Column) -> exp.Expr:
    """The largest expression whose texts are the column's, or a part's of it."""
    node: exp.Expr = column
    while (around := node.parent) is not None:
        if type(around) in _EQUALITIES or not isinstance(around, _TAKEN_FROM):
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
        case exp.LT() | exp.LTE() | exp.GT() | exp.GTE() | exp.Between() if place is None:
            return _ordered(operand, around)
        case exp.In() if around.this is operand and around.expressions:
            others = around.expressions
        case exp.In(args={"query": exp.Query() as subquery}) if around.this is operand:
            others = [subquery]
        case exp.Case() if around.this is operand:
            others = [branch.this for branch in around.args["ifs"]]
        case exp.Like() | exp.ILike() | exp.StartsWith() | exp.EndsWith() | exp.Contains() | exp.Anonymous():
            return _matched(operand, around)
        case exp.StrPosition() if around.this is operand:
            return _Compared(around, "contains", [around.args["substr"]])
        case exp.RegexpLike() | exp.RegexpFullMatch() | exp.SimilarTo() if around.this is operand:
            return _by_expression(around)
        case _:
            return _member(operand, around) if around is not None else None
    if place is not None:
        rows = [one.expressions for one in others if isinstance(one, exp.Tuple)]
        others = [row[place] for row in rows if place < len(row)]
    return _Compared(around, "equals", others)


def _ordered(operand: exp.Expr, around: exp.Expr) -> _Compared | None:
    first = around.this is operand
    if isinstance(around, exp.Between):
        return _Compared(around, "up to", [around.args["high"]]) if first else None
    up_to = isinstance(around, exp.LTE if first else exp.GTE)
    return _Compared(around, "up to" if up_to else "order", [around.expression if first else around.this])


def _member(operand: exp.Expr, around: exp.Expr) -> _Compared | None:
    """The text that a list is asked for: `list_contains(tags, 'x')`, `'x' = ANY (tags)`, `'x' IN tags`.

    Or the texts of a list that an operand is looked for in, `list_contains(['x', 'y'], status)`, and what the list of
    all its values is asked for, `list_contains(list(status), 'x')`.
    """
    outer = around.parent
    if isinstance(around, exp.ArrayContains) and around.expression is operand:
        return _Compared(around, "equals", _members(exp.Any(this=around.this)))
    if isinstance(around, exp.ArrayAgg) and isinstance(outer, exp.ArrayContains) and outer.this is around:
        return _Compared(outer, "equals", [outer.expression])
    if isinstance(around, exp.ArrayContains) and around.this is operand:
        return _Compared(around, "equals", [around.expression], of_elements=True)
    if isinstance(around, exp.Any) and isinstance(outer, exp.EQ | exp.NEQ):
        text = outer.expression if outer.this is around else outer.this
        return _Compared(outer, "equals", [text], of_elements=True)
    if isinstance(around, exp.In) and around.args.get("field") is operand:
        return _Compared(around, "equals", [around.this], of_elements=True)
    if isinstance(outer, exp.In) and outer.args.get("unnest") is around:
        return _Compared(outer, "equals", [outer.this], of_elements=True)
    return None


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


def _by_expression(around: exp.Expr) -> _Compared | None:
    """A regular expression that is a plain text, or one of some, and whether it stands at the beginning or the end."""
    pattern = constant(around.expression)
    if not isinstance(pattern, str) or around.args.get("flag") is not None:
        return None
    group = _GROUP.fullmatch(pattern)
    begin, inner, end = group.groups() if group is not None else ("", pattern, "")
    found = [_PLAIN.fullmatch(f"{begin or ''}{text}{end or ''}") for text in _BAR.split(inner)]
    known = [one for one in found if one is not None]
    whole = not isinstance(around, exp.RegexpLike)
    ways = {_way(one, whole=whole) for one in known}
    if len(known) < len(found) or len(ways) != 1:
        return None
    return _Compared(around, ways.pop(), [exp.Literal.string(re.sub(r"\\(.)", r"\1", one["text"])) for one in known])


def _way(found: re.Match[str], *, whole: bool) -> Way:
    begins = found["begin"] == "^" or (whole and not found["begin"])
    ends = found["end"] == "$" or (whole and not found["end"])
    return ("equals" if ends else "starts with") if begins else ("ends with" if ends else "contains")


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
    return having is None and not any(holds(one, *_AGGREGATES) for one in query.expressions)
