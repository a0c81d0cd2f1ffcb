"""Lets a column that holds numbers and texts be compared with numbers, value by value.

Such a column is text. To compare it with a number, DuckDB would convert every text, to an integer by rounding it, and
fail at the first that is none.
"""

from collections.abc import Callable, Mapping
from typing import NamedTuple

from sqlglot import exp

from mcp_server.domain.schema import AttributeType, Column, ColumnType, Path, Table, TypeKind
from mcp_server.sql.binding.numbers import MOST_UNIONS, Carrier, Numbers, branches_of, hands_on
from mcp_server.sql.binding.spelling import Spelling
from mcp_server.sql.binding.table_columns import columns_that
from mcp_server.sql.binding.unshaped_fields import JsonValues
from mcp_server.sql.binding.unshaped_maps import may_hold_maps
from mcp_server.sql.binding.value_places import FIELDS, KnownColumn, Places
from mcp_server.sql.fields import part_of
from mcp_server.sql.trees import holds, nodes_of

_EXACT, _ORDERED = exp.DataType.build("DECIMAL(38, 18)"), exp.DataType.build("DOUBLE")
_LARGER = [exp.DataType.build(f"DECIMAL(38, {scale})") for scale in (9, 0)]
_TEXT = exp.DataType.build("VARCHAR", dialect="duckdb")
_BEYOND = exp.Literal.number("99999999999999999999")
"""Stands for the numbers that DECIMAL(38, 18) cannot hold: like them, it equals none that is compared with here."""
_EQUALITIES = (exp.EQ, exp.NEQ, exp.In, exp.NullSafeEQ, exp.NullSafeNEQ, exp.Case)
COMPARISONS = (*_EQUALITIES, exp.LT, exp.LTE, exp.GT, exp.GTE, exp.Between)
_AROUND = (exp.Window, exp.Filter, exp.IgnoreNulls, exp.RespectNulls, exp.Nullif)
_ROWS = (exp.Query, exp.Explode, exp.Unnest)
_NESTED = frozenset({TypeKind.STRUCT, TypeKind.LIST})


class ComparedNumber(NamedTuple):
    """The alias of a table, a column as the table has it, and which part of it is compared with numbers."""

    source: str
    column: str
    path: Path


class _Text(NamedTuple):
    """A text that may be a number: where it comes from, and whether it is JSON yet."""

    compared: tuple[ComparedNumber, ...]
    is_json: bool = False


def compare_numbers(
    query: exp.Query, internal: Mapping[str, Table], spelling: Spelling, json: JsonValues
) -> frozenset[ComparedNumber]:
    """Puts TRY_CAST around what may hold numbers and texts and is compared with numbers, in place.

    Columns have their sources. That are columns of several types, their fields, fields and elements of JSON, and texts
    within maps and lists, as which numbers among texts are read, too; also where a query, an aggregate or the like
    hands the values on as they are.
    """
    known = columns_that(_may_be_compared, query, internal, spelling)
    if known is None and not json.any:
        return frozenset()
    texts = _Texts(Places(known or (lambda _: None), query, internal), json)
    numbers = Numbers(query, internal, spelling)
    changes = [change for node in nodes_of(query, *COMPARISONS) for change in _changes(node, texts, numbers)]
    for change in reversed(changes):  # what is within others comes first
        value = _value_of(change.operand)
        value.replace(change.as_number(_as_text(value, change.text)))
    return frozenset(one for change in changes if change.text is not None for one in change.text.compared)


class _Change(NamedTuple):
    """An operand, the text that it is, or else a number, and what of that is to be compared."""

    operand: exp.Expr
    text: _Text | None
    as_number: Callable[[exp.Expr], exp.Expr]


def _changes(node: exp.Expr, texts: "_Texts", numbers: Numbers) -> list[_Change]:
    """How a comparison has to be changed if it compares texts with nothing but numbers."""
    operands = [(one, texts.of(one)) for one in operands_of(node) if not isinstance(one, exp.Null)]
    if not any(text for _, text in operands):
        return []
    carriers = [numbers.of(one) for one, text in operands if text is None]
    known = [one for one in carriers if one is not None]
    if not known or len(known) < len(carriers):
        return []
    as_number = _WAYS[max(known)] if isinstance(node, _EQUALITIES) else _by_order
    changes = [_Change(one, text, as_number) for one, text in operands if text is not None or as_number is _written]
    return changes if all(_may_change(change.operand) for change in changes) else []


def _mixed(operand: exp.Expr, known: KnownColumn) -> ComparedNumber | None:
    root, steps = operand, []
    while isinstance(root, FIELDS):
        steps.append(_step(root))
        root = root.this
    found = known(root)
    if found is None:
        return None
    if not steps:
        return ComparedNumber(found.source, found.column.name, ()) if _is_mixed(found.column) else None
    path: Path | None = None
    if may_hold_maps(found.column):
        path = tuple(reversed(steps)) if steps[-1] is not None else None
    else:
        part = part_of(operand, lambda node: one.column if (one := known(node)) is not None else None)
        if part is not None and part.type.kind is TypeKind.VARCHAR:
            path = tuple(None if isinstance(step, int) else step for step in part.steps)
    return ComparedNumber(found.source, found.column.name, path) if path is not None else None


class _Texts:
    """Finds the texts of a statement that may be numbers."""

    def __init__(self, places: Places, json: JsonValues) -> None:
        self._places, self._json = places, json

    def of(self, node: exp.Expr, within: int = MOST_UNIONS) -> _Text | None:
        """The text that an expression is, or hands on as it is. Of a set operation, from any of its sides."""
        node = node.unnest()
        if isinstance(node, (exp.Column, *FIELDS)):
            return self._stored(node) or (self._handed_on(node, within) if isinstance(node, exp.Column) else None)
        match node:
            case exp.Explode():
                return self._stored(node)
            case exp.Subquery() | exp.Select(expressions=[_]):
                value = _value_of(node)
                return self.of(value, within) if value is not node else None
            case exp.Coalesce():
                return self._of_all([node.this, *node.expressions], within)
            case exp.Case():
                return self._of_all(branches_of(node), within)
        if isinstance(node, _AROUND) or hands_on(node):
            return self._of_all([node.this], within)
        return None

    def _stored(self, node: exp.Expr) -> _Text | None:
        found = _mixed(node, self._places.known)
        if found is not None:
            return _Text((found,))
        place = self._places.of(node)
        if place is not None and place.path and place.type.kind is TypeKind.VARCHAR:
            return _Text((ComparedNumber(place.origin.source, place.origin.column.name, place.path),))
        json = self._json.of(node) if self._json.any else None
        if json is None or not json.path:
            return None
        compared = ComparedNumber(json.origin.source, json.origin.column.name, json.path)
        return _Text((compared,), is_json=json.path[-1] is None)

    def _handed_on(self, node: exp.Column, within: int) -> _Text | None:
        """What subqueries, CTEs and set operations hand on as a column."""
        origin = self._places.names.origin(node)
        if origin is not None:
            return self.of(origin, within) if not isinstance(origin, exp.Column | exp.Unnest) else None
        found = [self.of(side, within - 1) for side in self._places.names.sides(node)] if within else []
        known = [one for one in found if one is not None and not one.is_json]
        return _Text(tuple(one for text in known for one in text.compared)) if known else None

    def _of_all(self, nodes: list[exp.Expr], within: int) -> _Text | None:
        """The text that some expressions are together, among literals."""
        found = [self.of(node, within) for node in nodes if not _is_text(node)]
        known = [one for one in found if one is not None and not one.is_json]
        if not known or len(known) < len(found) or any(holds(node, exp.Query) for node in nodes):
            return None
        return _Text(tuple(one for text in known for one in text.compared))


def _is_text(node: exp.Expr) -> bool:
    return isinstance(node, exp.Null) or (isinstance(node, exp.Literal) and bool(node.is_string))


def operands_of(node: exp.Expr) -> list[exp.Expr]:
    """What a comparison compares with one another; of a subquery, the values that it gives."""
    match node:
        case exp.Case():
            return [node.this, *(one.this for one in node.args["ifs"])] if node.this else []
        case exp.Between():
            return [node.this, node.args["low"], node.args["high"]]
        case exp.In():
            among = [node.args["query"]] if node.args.get("query") else node.expressions
            return [node.this, *among] if among else []
    sides = [node.this, node.expression]
    for place, side in enumerate(sides):
        if isinstance(side, exp.Any | exp.All):
            if not isinstance(side.this, exp.Query):
                return []
            sides[place] = side.this
    return sides


def _value_of(operand: exp.Expr) -> exp.Expr:
    """What has to be changed to change the values of an operand: of a query, its projection."""
    value = operand
    while isinstance(value, exp.Subquery | exp.Paren):
        value = value.this
    if not isinstance(value, exp.Select):
        return operand
    projection = value.expressions[0]
    return projection.unalias() if isinstance(projection, exp.Expr) else operand


def _may_change(operand: exp.Expr) -> bool:
    """Whether another value of an operand leaves the rows of the query that gives it as they are.

    The value is written several times, so that it may have neither queries nor rows of its own.
    """
    value = operand.unnest()
    while isinstance(value, exp.Subquery):
        value = value.this.unnest()
    if not isinstance(value, exp.Query):
        return not holds(value, *_ROWS)
    if not isinstance(value, exp.Select) or len(value.expressions) != 1 or holds(_value_of(value), *_ROWS):
        return False
    if value.args.get("distinct") and value.args.get("order"):
        return False
    ordered = ["order"] if value.args.get("limit") or value.args.get("offset") else []
    keys = [value.args[part] for part in ("group", *ordered) if value.args.get(part)]
    return not any(
        (isinstance(one, exp.Column) and not one.table) or (isinstance(one, exp.Literal) and not one.is_string)
        for key in keys
        for one in nodes_of(key, exp.Column, exp.Literal)
    )


def _step(access: exp.Expr) -> str | None:
    name = access.expressions[0] if isinstance(access, exp.Bracket) and access.expressions else access.expression
    return (
        str(name.name)
        if isinstance(name, exp.Identifier) or (isinstance(name, exp.Literal) and name.is_string)
        else None
    )


def _may_be_compared(column: Column) -> bool:
    return _is_mixed(column) or may_hold_maps(column) or (column.type.kind in _NESTED and _has_texts(column.type))


def _has_texts(type_: ColumnType) -> bool:
    within = [type_.element] if type_.element is not None else [field for _, field in type_.fields]
    return type_.kind is TypeKind.VARCHAR or any(map(_has_texts, within))


def _is_mixed(column: Column) -> bool:
    return column.type.kind is TypeKind.VARCHAR and {AttributeType.NUMBER} < column.attribute_types


def _exact(value: exp.Expr) -> exp.Expr:
    """The number that a value is, to 18 decimal places. NULL, which is not turned round by NOT, only if it is none."""
    is_number = exp.Not(this=exp.Is(this=_by_order(value), expression=exp.Null()))
    return exp.Coalesce(
        this=exp.TryCast(this=value.copy(), to=_EXACT.copy()),
        expressions=[exp.Case(ifs=[exp.If(this=is_number, true=_BEYOND.copy())])],
    )


def _by_order(value: exp.Expr) -> exp.Expr:
    return exp.TryCast(this=value.copy(), to=_ORDERED.copy())


def _written(value: exp.Expr) -> exp.Expr:
    """One way of writing the number that a text is: to 18 decimal places, or as many as DECIMAL has room for."""
    ways = [exp.TryCast(this=value.copy(), to=to.copy()) for to in (_EXACT, *_LARGER, _ORDERED)]
    texts = [exp.Cast(this=way, to=_TEXT.copy()) for way in ways]
    return exp.Coalesce(this=texts[0], expressions=texts[1:])


def _as_text(value: exp.Expr, text: _Text | None) -> exp.Expr:
    """What is compared, as a text: what was JSON yet, or a number."""
    if text is None:
        return exp.Cast(this=value.copy(), to=_TEXT.copy())
    if text.is_json:
        return exp.Paren(this=exp.JSONExtractScalar(this=value.copy(), expression=exp.Literal.string("$")))
    return value


_WAYS = {Carrier.DECIMAL: _exact, Carrier.TEXT: _written, Carrier.DOUBLE: _by_order}
