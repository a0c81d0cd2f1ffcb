"""Bounds what naming a select list's own aliases in it would grow to.

`SELECT 1 AS a, a + a AS b, b + b AS c, …` doubles with every alias when each is replaced by what it stands for.
"""

from sqlglot import exp

from mcp_server.domain.failures import Failure
from mcp_server.domain.failures.syntax import AliasesTooLarge
from mcp_server.sql.positions import position_of
from mcp_server.sql.trees import nodes

MAX_NODES = 50_000
"""Nodes that one query's select list and clauses may grow to; 64 KiB of text hold about 20,000."""


def check_expansion(query: exp.Query, text: str) -> None:
    """Refuses a query whose aliases would expand beyond bounds; names are spelt alike already."""
    for select in nodes(query):
        if not isinstance(select, exp.Select):
            continue
        sizes: dict[str, int] = {}
        total = 0
        for projection in select.expressions:
            size = _expanded(projection, sizes)
            total += size
            _check(total, projection, text)
            if isinstance(projection, exp.Alias):
                sizes[projection.alias] = size
        for clause in ("where", "group", "having", "qualify", "order"):
            node = select.args.get(clause)
            if node is not None:
                total += _expanded(node, sizes)
                _check(total, node, text)


def _expanded(node: exp.Expr, sizes: dict[str, int]) -> int:
    return sum(
        sizes.get(part.name, 1) if isinstance(part, exp.Column) and not part.table else 1 for part in nodes(node)
    )


def _check(total: int, node: exp.Expr, text: str) -> None:
    if total > MAX_NODES:
        raise Failure(AliasesTooLarge(), position=position_of(text, node))
