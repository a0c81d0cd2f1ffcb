"""Lets a column that holds numbers and texts be compared with numbers, value by value.

Such a column is text. To compare it with a number, DuckDB would convert every text, and fail at the first that is none.
"""

from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal
from functools import cached_property
from typing import NamedTuple

from sqlglot import exp

from mcp_server.domain.names import fold
from mcp_server.domain.schema import AttributeType, Column, ColumnType, Path, Table, TypeKind
from mcp_server.sql.binding.spelling import Spelling
from mcp_server.sql.binding.table_columns import Names, TableColumn, columns_that
from mcp_server.sql.binding.unshaped_fields import JsonValues, key_of
from mcp_server.sql.binding.unshaped_maps import may_hold_maps
from mcp_server.sql.constants import constant
from mcp_server.sql.fields import part_of

EXACT_BELOW = 2**53
"""Below it DOUBLE, as which the order of values is found, carries every integer."""

_EXACT, _ORDERED = exp.DataType.build("DECIMAL(38, 18)"), exp.DataType.build("DOUBLE")
_BEYOND = exp.Literal.number("99999999999999999999")
"""Stands for the numbers that DECIMAL(38, 18) cannot hold: like them, it equals none that is compared with here."""
_EQUALITIES = (exp.EQ, exp.NEQ, exp.In, exp.NullSafeEQ, exp.NullSafeNEQ)
_FIELDS = (exp.Dot, exp.Bracket, exp.StructExtract)
_OPERANDS = (exp.Column, *_FIELDS)
_NESTED = frozenset({TypeKind.STRUCT, TypeKind.LIST})
_COMPARISONS = (*_EQUALITIES, exp.LT, exp.LTE, exp.GT, exp.GTE)


MOST_UNIONS = 4
"""So many set operations in one another are looked into; one that is recursive has no end."""


class ComparedNumber(NamedTuple):
    """The alias of a table, a column as the table has it, and which part of it is compared with numbers."""

    source: str
    column: str
    path: Path


def compare_numbers(
    query: exp.Query, internal: Mapping[str, Table], spelling: Spelling, json: JsonValues
) -> frozenset[ComparedNumber]:
    """Puts TRY_CAST around what may hold numbers and texts and is compared with numbers, in place.

    Columns have their sources. That are columns of several types, their fields, fields of JSON, and texts within maps
    and lists, as which numbers among texts are read, too.
    """
    known = columns_that(_may_be_compared, query, internal, spelling)
    texts = _Texts(known, query, internal) if known is not None else None
    compared = set[ComparedNumber]()
    for operand, exactly in list(_compared(query)) if known is not None or json.any else ():
        found = texts.all(operand) if texts is not None else []
        one = _of_json(operand, json) if not found else None
        found += [one] if one is not None else []
        if found:
            compared.update(found)
            operand.replace(_exact(operand) if exactly else _by_order(operand))
    return frozenset(compared)


def _mixed(operand: exp.Expr, known: Callable[[exp.Expr], TableColumn | None]) -> ComparedNumber | None:
    root, steps = operand, []
    while isinstance(root, _FIELDS):
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


class _Place(NamedTuple):
    """Where a value comes from: a column of a table and the path into it, with the type that is there."""

    origin: TableColumn
    path: Path
    type: ColumnType


class _Texts:
    """Finds texts within maps and lists where `unnest` gives them, a subquery hands them on, or any place is named."""

    def __init__(
        self, known: Callable[[exp.Expr], TableColumn | None], query: exp.Query, internal: Mapping[str, Table]
    ) -> None:
        self._known, self._query, self._internal = known, query, internal

    @cached_property
    def _names(self) -> Names:
        """Made out only where something is compared with numbers that is no column of a table."""
        return Names(self._query, self._internal)

    def all(self, operand: exp.Expr, within: int = MOST_UNIONS) -> list[ComparedNumber]:
        """Where an operand comes from that may hold numbers among texts; of a set operation, from any of its sides."""
        found = _mixed(operand, self._known) or self._of(operand)
        if found is not None:
            return [found]
        if not isinstance(operand, exp.Column) or not within:
            return []
        return [one for side in self._names.sides(operand) for one in self.all(side, within - 1)]

    def _of(self, operand: exp.Expr) -> ComparedNumber | None:
        place = self._place(operand)
        if place is None or not place.path or place.type.kind is not TypeKind.VARCHAR:
            return None
        return ComparedNumber(place.origin.source, place.origin.column.name, place.path)

    def _place(self, node: exp.Expr) -> _Place | None:
        node = node.unnest()
        if not isinstance(node, _FIELDS):
            return self._whole(node)
        whole = self._place(node.this)
        if whole is None:
            return None
        if whole.type.kind is TypeKind.LIST and isinstance(node, exp.Bracket) and len(node.expressions) == 1:
            return whole if isinstance(node.expressions[0], exp.Slice) else _element(whole)
        name = key_of(node)
        fields = [one for one in whole.type.fields if name is not None and fold(one[0]) == fold(name)]
        return _Place(whole.origin, (*whole.path, fields[0][0]), fields[0][1]) if fields else None

    def _whole(self, root: exp.Expr) -> _Place | None:
        """Where a column comes from, or an element of a list."""
        match root:
            case exp.Column():
                found = self._known(root)
                if found is not None:
                    return _Place(found, (), found.column.type)
                origin = self._names.origin(root)
                return self._place(origin) if origin is not None and not isinstance(origin, exp.Column) else None
            case exp.Unnest(expressions=[exp.Expr() as list_]):
                return _element(self._place(list_))
            case exp.Explode(this=exp.Expr() as list_) if not root.expressions:
                return _element(self._place(list_))
        return None


def _element(of: _Place | None) -> _Place | None:
    """Any element of the list that is there."""
    if of is None or of.type.element is None:
        return None
    return _Place(of.origin, (*of.path, None), of.type.element)


def _of_json(operand: exp.Expr, json: JsonValues) -> ComparedNumber | None:
    """A field of JSON, which is read as a text."""
    place = json.of(operand) if key_of(operand) is not None and json.any else None
    return ComparedNumber(place.origin.source, place.origin.column.name, place.path) if place is not None else None


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


def _exact(column: exp.Expr) -> exp.Expr:
    """The number that a value is, to 18 decimal places. NULL, which is not turned round by NOT, only if it is none."""
    is_number = exp.Not(this=exp.Is(this=_by_order(column), expression=exp.Null()))
    return exp.Coalesce(
        this=exp.TryCast(this=column.copy(), to=_EXACT.copy()),
        expressions=[exp.Case(ifs=[exp.If(this=is_number, true=_BEYOND.copy())])],
    )


def _by_order(column: exp.Expr) -> exp.Expr:
    return exp.TryCast(this=column.copy(), to=_ORDERED.copy())


def _compared(query: exp.Query) -> Iterator[tuple[exp.Expr, bool]]:
    """The columns, and parts of them, that are compared with nothing but numbers, and whether for equality."""
    for node in query.find_all(*_COMPARISONS, exp.Between):
        exactly = isinstance(node, _EQUALITIES)
        match node:
            case exp.Between():
                sides = [node.args["low"], node.args["high"]]
            case exp.In():
                sides = list(node.expressions)
            case _:
                sides = [node.expression]
                if isinstance(node.expression, _OPERANDS) and _is_number(node.this):
                    yield node.expression, exactly
        if isinstance(node.this, _OPERANDS) and sides and all(_is_number(side) for side in sides):
            yield node.this, exactly


def _is_number(node: exp.Expr) -> bool:
    """Whether it is a number, also one that is put together: for a whole one, DuckDB would round what texts hold."""
    value = constant(node)
    if isinstance(value, bool) or not isinstance(value, int | Decimal | float):
        return False
    return -EXACT_BELOW < value < EXACT_BELOW
