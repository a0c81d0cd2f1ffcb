"""Parts of maps and lists as operands of conditions, where they are columns of their own."""

from sqlglot import exp

from mcp_server.domain.schema import Column
from mcp_server.planning.predicate import AllOf, AnyOf, Predicate, TextPattern, Within
from mcp_server.sql.fields import ColumnOf, Part, part_of
from mcp_server.sql.lowering.operands import Reading


class Operands:
    """Finds the column, or the part of one, that an operand is. Parts get names that no column has."""

    def __init__(self, column_of: ColumnOf) -> None:
        self._column_of = column_of
        self._parts: dict[str, tuple[Part, Column]] = {}

    def __call__(self, node: exp.Expr) -> Column | None:
        """The column, or a column that stands for the part."""
        if isinstance(node, exp.Column):
            return self._column_of(node)
        part = part_of(node, self._column_of)
        if part is None or not part.steps:
            return part.column if part is not None else None
        column = Column(f"\0{len(self._parts)}", part.type, frozenset())
        self._parts[column.name] = part, column
        return column

    def placed(self, reading: Reading | None) -> Reading | None:
        """A reading of conditions on such columns, with each put where its part is."""
        if reading is None or not self._parts:
            return reading
        # What patterns match of the texts of parts no sample tells.
        left_out = reading.left_out
        left_out = None if left_out is None or isinstance(left_out, TextPattern) else self._placed(left_out)
        return Reading(self._placed(reading.predicate), reading.faithful, left_out=left_out)

    def _placed(self, predicate: Predicate) -> Predicate:
        match predicate:
            case AllOf(parts):
                return AllOf(tuple(map(self._placed, parts)))
            case AnyOf(parts):
                return AnyOf(tuple(map(self._placed, parts)))
            case Within():
                return predicate
        if predicate.column not in self._parts:
            return predicate
        part, column = self._parts[predicate.column]
        return Within(part.column.name, part.steps, column, predicate)
