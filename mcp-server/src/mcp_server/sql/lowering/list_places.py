"""Finds lists of which a statement asks for place 0: DuckDB counts from 1, and gives NULL for it without a word."""

from collections.abc import Iterator, Sequence

from sqlglot import exp

from mcp_server.domain.schema import TypeKind
from mcp_server.sql.binding.references import Reference
from mcp_server.sql.lowering.provenance import Provenance
from mcp_server.sql.sources import Sources

_ACCESSES = (exp.Dot, exp.Bracket, exp.StructExtract, exp.TryCast)
"""What lists without one type are read as lists by is one of them."""
_ZERO = exp.Literal.number(0)


def lists_from_zero(sources: Sources, references: Sequence[Reference]) -> tuple[str, ...]:
    """These lists as people see them (`tags`, `order.lines`), each once."""
    found: dict[str, None] = {}
    asked = [(subscript, block) for column, block, _ in sources.columns for subscript in _zeros(column) if block]
    provenance = Provenance(sources, references) if asked else None
    for subscript, block in asked:
        listed = subscript.this.this if isinstance(subscript.this, exp.TryCast) else subscript.this
        places = provenance.of(listed, block) if provenance is not None else None
        if places and all(place.part.type.kind is not TypeKind.STRUCT for place in places):
            found[places[0].shown] = None
    return tuple(found)


def _zeros(column: exp.Column) -> Iterator[exp.Bracket]:
    node: exp.Expr = column
    while isinstance(node.parent, _ACCESSES) and node.parent.this is node:
        node = node.parent
        if isinstance(node, exp.Bracket) and node.expressions == [_ZERO]:
            yield node
