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


_OF_TEXTS = (exp.Paren, exp.Lower, exp.Upper, exp.Trim, exp.Split)
"""What may stand around a text until it is a list of its parts."""


def lists_from_zero(sources: Sources, references: Sequence[Reference]) -> tuple[str, ...]:
    """These lists as people see them (`tags`, `order.lines`, `split("pk", …)`), each once."""
    found: dict[str, None] = {}
    asked = [(one, block) for column, block, _ in sources.columns for one in _listed(column) if block]
    provenance = Provenance(sources, references) if asked else None
    for listed, block in asked:
        text = _split(listed)
        places = provenance.of(text or listed, block) if provenance is not None else None
        if places and text is not None:
            found[f"split({places[0].shown}, …)"] = None
        elif places and all(place.part.type.kind is not TypeKind.STRUCT for place in places):
            found[places[0].shown] = None
    return tuple(found)


def _listed(column: exp.Column) -> Iterator[exp.Expr]:
    """What has a list of the column, or of its texts, of which place 0 is asked for."""
    node: exp.Expr = column
    while isinstance(node.parent, _ACCESSES + _OF_TEXTS) and node.parent.this is node:
        node = node.parent
        if isinstance(node, exp.Bracket) and node.expressions == [_ZERO]:
            yield node.this.this if isinstance(node.this, exp.TryCast) else node.this


def _split(listed: exp.Expr) -> exp.Expr | None:
    """The text whose parts a list has."""
    call = listed.unnest()
    return call.this if isinstance(call, exp.Split) else None
