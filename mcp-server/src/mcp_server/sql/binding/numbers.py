"""Tells which expressions of a statement are numbers, and what they have to be compared as to be compared exactly."""

from collections.abc import Iterable, Mapping
from decimal import Decimal
from enum import IntEnum
from functools import cached_property

from sqlglot import exp

from mcp_server.domain.schema import Column, Table, TypeKind
from mcp_server.sql.binding.spelling import Spelling
from mcp_server.sql.binding.table_columns import columns_that
from mcp_server.sql.binding.value_places import FIELDS, Places
from mcp_server.sql.constants import constant

EXACT_BELOW = 2**53
"""Below it DOUBLE, as which the order of values is found, carries every integer."""
MOST_UNIONS = 4
"""So many set operations in one another are looked into; one that is recursive has no end."""
HANDING_ON = (
    *(exp.Max, exp.Min, exp.AnyValue, exp.First, exp.Last, exp.ArgMax, exp.ArgMin),
    *(exp.FirstValue, exp.LastValue, exp.NthValue, exp.Lag, exp.Lead),
)
"""Functions whose result is one of the values that they are given first, if they have no more than `_OTHERS` beside."""
_OTHERS: dict[type[exp.Expr], frozenset[str]] = {
    **dict.fromkeys((exp.ArgMax, exp.ArgMin), frozenset({"expression"})),
    **dict.fromkeys((exp.NthValue, exp.Lag, exp.Lead), frozenset({"offset"})),
}

_NESTED = frozenset({TypeKind.STRUCT, TypeKind.LIST})
_COUNTS = (exp.Count, exp.CountIf, exp.Length, exp.ArraySize, exp.RowNumber, exp.Rank, exp.DenseRank, exp.Year)
_SUMS = (exp.Add, exp.Sub, exp.Mul, exp.Mod, exp.IntDiv)
_OF_ONE = (exp.Neg, exp.Abs, exp.Round, exp.Floor, exp.Ceil, exp.Sum, exp.Median)
_IN_DOUBLE = (exp.Avg, exp.Div)
_AROUND = (exp.Window, exp.Filter, exp.IgnoreNulls, exp.RespectNulls)


class Carrier(IntEnum):
    """What carries every value of a type of numbers, so that equality with a text's number is told exactly."""

    DECIMAL = 0
    """DECIMAL(38, 18) does."""
    TEXT = 1
    """One way of writing, as some values have more digits."""
    DOUBLE = 2
    """The values are no more exact than DOUBLE."""


_COLUMNS = {TypeKind.BIGINT: Carrier.DECIMAL, TypeKind.DECIMAL: Carrier.TEXT, TypeKind.DOUBLE: Carrier.DOUBLE}
_CASTS = {
    **dict.fromkeys((exp.DType.TINYINT, exp.DType.SMALLINT, exp.DType.INT, exp.DType.BIGINT), Carrier.DECIMAL),
    **dict.fromkeys((exp.DType.INT128, exp.DType.DECIMAL), Carrier.TEXT),
    **dict.fromkeys((exp.DType.FLOAT, exp.DType.DOUBLE), Carrier.DOUBLE),
}


class Numbers:
    """The numbers of a statement whose columns have their sources."""

    def __init__(self, query: exp.Query, internal: Mapping[str, Table], spelling: Spelling) -> None:
        self._query, self._internal, self._spelling = query, internal, spelling

    @cached_property
    def _places(self) -> Places:
        known = columns_that(_may_hold_numbers, self._query, self._internal, self._spelling)
        return Places(known or (lambda _: None), self._query, self._internal)

    def of(self, node: exp.Expr, within: int = MOST_UNIONS) -> Carrier | None:
        """What carries a number; None of what is none, or not certain to be one.

        So is a number that is put together. A whole one of 2**53 and more is none here, as DOUBLE does not carry it.
        """
        node = node.unnest()
        value = constant(node)
        if isinstance(value, int | Decimal | float):
            return Carrier.DECIMAL if not isinstance(value, bool) and -EXACT_BELOW < value < EXACT_BELOW else None
        match node:
            case exp.Column():
                return self._of_column(node, within)
            case exp.Query():
                return self._of_query(node, within)
            case exp.Cast():
                return _CASTS.get(node.to.this)
            case exp.Coalesce():
                return self._of_all([node.this, *node.expressions], within)
            case exp.Case():
                return self._of_all(branches_of(node), within)
        if isinstance(node, _COUNTS):
            return Carrier.DECIMAL
        if isinstance(node, FIELDS):
            place = self._places.of(node)
            return _COLUMNS.get(place.type.kind) if place is not None else None
        if isinstance(node, _AROUND) or hands_on(node):
            return self.of(node.this, within)
        if isinstance(node, _IN_DOUBLE):
            return Carrier.DOUBLE
        if isinstance(node, (*_SUMS, *_OF_ONE)):
            operands = [node.this, node.expression] if isinstance(node, _SUMS) else [node.this]
            found = self._of_all(operands, within)
            return max(found, Carrier.TEXT) if found is not None else None
        return None

    def _of_column(self, node: exp.Column, within: int) -> Carrier | None:
        place = self._places.of(node)
        if place is not None:
            return _COLUMNS.get(place.type.kind)
        origin = self._places.names.origin(node)
        if origin is not None:
            return self.of(origin, within) if not isinstance(origin, exp.Column) else None
        return self._of_all(self._places.names.sides(node), within - 1) if within else None

    def _of_query(self, query: exp.Query, within: int) -> Carrier | None:
        match query:
            case exp.Subquery():
                return self.of(query.this, within)
            case exp.SetOperation() if within:
                return self._of_all([query.this, query.expression], within - 1)
            case exp.Select(expressions=[exp.Expr() as projection]):
                return self.of(projection.unalias(), within)
        return None

    def _of_all(self, nodes: Iterable[exp.Expr], within: int) -> Carrier | None:
        """What carries all of some numbers; NULL is passed over."""
        found = [self.of(node, within) for node in nodes if not isinstance(node, exp.Null)]
        known = [one for one in found if one is not None]
        return max(known) if known and len(known) == len(found) else None


def hands_on(node: exp.Expr) -> bool:
    """Whether the result is one of the values of `node.this`."""
    others = {"this", "big_int", *_OTHERS.get(type(node), ())}
    return isinstance(node, HANDING_ON) and not any(value for part, value in node.args.items() if part not in others)


def branches_of(case: exp.Case) -> list[exp.Expr]:
    """What a CASE may give."""
    given = [one.args["true"] for one in case.args["ifs"]]
    return [*given, case.args["default"]] if case.args.get("default") else given


def _may_hold_numbers(column: Column) -> bool:
    return column.type.kind in _COLUMNS or column.type.kind in _NESTED
