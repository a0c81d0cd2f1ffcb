"""Which columns of tables, or parts of them, the values of an expression come from: through subqueries, CTEs, unions.

Unlike an origin of `origins`, which is one column, this follows both sides of a set operation, fields of maps, and
`lower` and `upper`. It is for what people are told, and decides nothing.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from sqlglot import exp

from mcp_server.domain.names import quoted
from mcp_server.domain.schema import DOCUMENT, DOCUMENT_COLUMN, Column, Path, Table, written
from mcp_server.sql.binding.references import Reference
from mcp_server.sql.fields import Part, Steps, part_of
from mcp_server.sql.lowering.output_types import output_names, query_of
from mcp_server.sql.sources import Block, Sources

Case = Literal["lower", "upper"]

MOST_PLACES = 8
"""Columns that one expression may take its values from; of more, nothing is told."""

_CASES: Mapping[type[exp.Expr], Case] = {exp.Lower: "lower", exp.Upper: "upper"}
AROUND = (exp.Paren, exp.Cast, exp.Lower, exp.Upper, exp.Trim, exp.Coalesce, exp.Filter, exp.Max, exp.Min, exp.AnyValue)
"""What `inside` looks into."""
_TEXT_TYPES = frozenset({exp.DType.VARCHAR, exp.DType.TEXT})


@dataclass(frozen=True, slots=True, eq=False)
class Place:
    """A column of a table, or a part of one, and the case that its texts are put into."""

    table: Table
    part: Part
    case: Case | None = None

    @property
    def key(self) -> tuple[object, ...]:
        """What tells it from other places."""
        return self.table.schema, self.table.name, self.part.column.name, self.part.steps, self.case

    @property
    def shown(self) -> str:
        """It as people see it: `"status"`, `lower("status")`, `address.city`, `lines[].sku`."""
        column, path = self.part.column.name, path_of(self.part.steps)
        name = quoted(column) + written(path) if path else f'"{column}"'
        return f"{self.case}({name})" if self.case is not None else name


def path_of(steps: Steps) -> Path:
    """The path of a part: what one place of a list holds, its other places hold too."""
    return tuple(None if isinstance(step, int) else step for step in steps)


def inside(node: exp.Expr) -> exp.Expr | None:
    """What an expression takes its texts from, if it gives them as they are or in another case; else None.

    The largest, the least and any value of a column are values of it, and so is a text that is cast to text, or without
    blanks around it, or with a constant in the place of NULL.
    """
    if not isinstance(node, AROUND):
        return None
    match node:
        case exp.Paren() | exp.Lower() | exp.Upper():
            found = node.this
        case exp.Trim() if node.args.get("expression") is None:
            found = node.this
        case exp.Coalesce() if all(isinstance(one, exp.Literal | exp.Null) for one in node.expressions):
            found = node.this
        case exp.Cast(to=exp.DataType() as to) if to.this in _TEXT_TYPES and not to.expressions:
            found = node.this
        case exp.Filter(this=exp.Max() | exp.Min() | exp.AnyValue()):
            found = node.this
        case exp.Max() | exp.Min() | exp.AnyValue() if not any(
            node.args.get(part) for part in ("expressions", "having")
        ):
            found = node.this
        case _:
            return None
    return found if isinstance(found, exp.Expr) else None


def case_of(node: exp.Expr) -> Case | None:
    """The case that an expression puts its texts into."""
    found: exp.Expr | None = node
    while found is not None:
        if type(found) in _CASES:
            return _CASES[type(found)]
        found = inside(found)
    return None


class Provenance:
    """Finds the places that values come from; None where they may come from elsewhere too."""

    def __init__(self, sources: Sources, references: Sequence[Reference]) -> None:
        self._sources = sources
        self._references = {id(reference.node): reference for reference in references}
        self._blocks = {id(block.select): block for block in sources.blocks}
        self._known: dict[tuple[int, str], tuple[Place, ...] | None] = {}

    def of(self, node: exp.Expr, block: Block) -> tuple[Place, ...] | None:
        """The places of an expression in a query."""
        if type(node) is exp.Column:
            return self._of_column(node, block) or None
        case = case_of(node)
        inner: exp.Expr = node
        while (further := inside(inner)) is not None:
            inner = further
        if isinstance(inner, exp.Explode) and not inner.expressions:
            return elements_of(self.of(inner.this, block)) if case is None else None
        root = inner
        while not isinstance(root, exp.Column):
            # `to_json` is put around a column of which a part is read as JSON.
            root = root.expressions[0] if isinstance(root, exp.Anonymous) and root.expressions else root.this
            if not isinstance(root, exp.Expr):
                return None
        found = []
        for whole in self._of_column(root, block) or ():
            place = _within(whole, inner)
            if place is None:
                return None
            found.append(replace(place, case=case or place.case))
        return tuple(found) or None

    def of_query(self, body: exp.Expr) -> tuple[Place, ...] | None:
        """The places of the one column of a subquery."""
        names = output_names(body.unnest())
        return self._of_output(body, 0) if len(names) == 1 else None

    def _of_column(self, column: exp.Column, block: Block) -> tuple[Place, ...] | None:
        source = block.source(column.table)
        if source is None or (source.args.get("pivots") and not _is_pivoted(column, source)):
            return None
        listed = _unnested(source)
        if listed is not None:
            return elements_of(self.of(listed, block))
        key = id(source), column.name
        if key not in self._known:
            self._known[key] = None  # a recursive CTE comes by here again
            self._known[key] = self._of_source(source, column.name)
        return self._known[key]

    def _of_source(self, source: exp.Expr, name: str) -> tuple[Place, ...] | None:
        reference = self._references.get(id(source))
        if reference is not None:
            known = _column(reference, name)
            return (Place(reference.table, Part(known, (), known.type)),) if known is not None else None
        body, renamed = query_of(source, self._sources, before_pivot=True)
        if body is None:
            return None
        names = output_names(body)
        names = [*renamed, *names[len(renamed) :]]
        return self._of_output(body, names.index(name)) if names.count(name) == 1 else None

    def _of_output(self, body: exp.Expr, place: int) -> tuple[Place, ...] | None:
        if isinstance(body, exp.Subquery):
            return self._of_output(body.this, place)
        if isinstance(body, exp.SetOperation):
            if body.args.get("by_name"):
                return None
            left, right = (self._of_output(side, place) for side in (body.this, body.expression))
            if left is None or right is None:
                return None
            both = {one.key: one for one in (*left, *right)}
            return tuple(both.values()) if len(both) <= MOST_PLACES else None
        block = self._blocks.get(id(body))
        if block is None or place >= len(block.select.expressions):
            return None
        return self.of(block.select.expressions[place].unalias(), block)


def _is_pivoted(column: exp.Column, source: exp.Expr) -> bool:
    """Whether a column stands in the first PIVOT of a source, so that it is one that the source has before."""
    pivot = column.find_ancestor(exp.Pivot, exp.Query)
    return isinstance(pivot, exp.Pivot) and source.args["pivots"][0] is pivot


def _unnested(source: exp.Expr) -> exp.Expr | None:
    """The list of which a source has the elements, in its one column."""
    function = source.this if isinstance(source, exp.Lateral) else source
    plain = isinstance(function, exp.Unnest) and len(function.expressions) == 1 and not function.args.get("offset")
    return function.expressions[0] if plain else None


def elements_of(lists: Sequence[Place] | None) -> tuple[Place, ...] | None:
    """Any element of the lists in some places; None where there is something else than a list."""
    found = []
    for place in lists or ():
        element = place.part.type.element
        if element is None:
            return None
        found.append(replace(place, part=Part(place.part.column, (*place.part.steps, 0), element)))
    return tuple(found) or None


def _column(reference: Reference, spelling: str) -> Column | None:
    name = reference.spelt.get(spelling)
    return DOCUMENT if name == DOCUMENT_COLUMN else reference.table.column(name) if name is not None else None


def _within(whole: Place, node: exp.Expr) -> Place | None:
    """The place of an expression around a column that has its values from a place."""
    if isinstance(node, exp.Column):
        return whole
    if whole.case is not None:
        return None
    part = part_of(node, lambda _: Column("", whole.part.type, frozenset()))
    if part is None:
        return None
    column, steps = whole.part.column, (*whole.part.steps, *part.steps)
    if column.name == DOCUMENT_COLUMN:  # the whole item: what is under a name in it is a column
        known = whole.table.column(str(steps[0])) if steps else None
        return replace(whole, part=Part(known, steps[1:], part.type)) if known is not None else None
    return replace(whole, part=Part(column, steps, part.type))
