"""Statements that are one SELECT over one table, with nothing around or between."""

from collections.abc import Set as AbstractSet

from sqlglot import exp

from mcp_server.sql.binding.references import Reference
from mcp_server.sql.trees import parts

_TABLE = frozenset({"this", "db", "alias"})


def plain_select(query: exp.Query, reference: Reference, clauses: AbstractSet[str]) -> exp.Select | None:
    """The statement whose only table is the reference, if it has none but these clauses; their names are sqlglot's."""
    if not isinstance(query, exp.Select) or parts(query) - clauses or reference.materialise:
        return None
    from_ = query.args.get("from_")
    if from_ is None or from_.this is not reference.node or parts(reference.node) - _TABLE:
        return None
    return query
