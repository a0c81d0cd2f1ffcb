"""Bounds what naming a select list's own aliases in it would grow to.

`SELECT 1 AS a, a + a AS b, b + b AS c, …` doubles with every alias when each is replaced by what it stands for.
"""

from collections.abc import Collection, Iterator, Sequence

from sqlglot import exp

from mcp_server.domain.failures import Failure
from mcp_server.domain.failures.syntax import AliasesTooLarge
from mcp_server.sql.positions import position_of
from mcp_server.sql.trees import nodes

MAX_NODES = 50_000
"""Nodes that one query's select list and clauses may grow to; 64 KiB of text hold about 20,000."""

_CLAUSES = ("where", "group", "having", "qualify", "order")
_FEW = 50
"""Names of which it is told at once where they stand; of more, what they grow to is counted."""


def check_expansion(written: Sequence[exp.Expr], identifiers: Sequence[exp.Identifier], text: str) -> None:
    """Refuses a query whose aliases would expand beyond bounds; names are spelt alike already.

    `written` are all nodes of the statement, as far as it was written, `identifiers` those of them that are names.
    """
    if _cannot_grow(len(written), identifiers):
        return
    for select in written:
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
        for clause in _CLAUSES:
            node = select.args.get(clause)
            if node is not None:
                total += _expanded(node, sizes)
                _check(total, node, text)


def _cannot_grow(size: int, identifiers: Sequence[exp.Identifier]) -> bool:
    """Whether so few names are aliases of the query around them that it stays small whatever they stand for.

    One in the SELECT list at most doubles what the list grows to, one elsewhere at most adds that once more. `size` are
    the nodes of the statement as it was written; naming its sources less than doubles them.
    """
    selects: dict[str, set[int]] = {}
    for one in identifiers:
        if isinstance(one.parent, exp.Alias) and one.arg_key == "alias":
            selects.setdefault(one.this, set()).add(id(one.parent.parent))
    named = [one.parent for one in identifiers if one.this in selects and isinstance(one.parent, exp.Column)]
    if len(named) > _FEW:
        return False
    doubling = adding = 0
    for column in named:
        if column.args.get("table") is None:
            for part in _parts_around(column, selects[column.name]):
                doubling += part == "expressions"
                adding += part in _CLAUSES
    return (2 * size * (1 + adding)) << doubling <= MAX_NODES


def _parts_around(node: exp.Expr, selects: Collection[int]) -> Iterator[str | None]:
    """In which parts of some queries, given by their ids, a node is."""
    around = node.parent
    while around is not None:
        if id(around) in selects:
            yield node.arg_key
        node, around = around, around.parent


def _expanded(node: exp.Expr, sizes: dict[str, int]) -> int:
    return sum(
        sizes.get(part.name, 1) if isinstance(part, exp.Column) and not part.table else 1 for part in nodes(node)
    )


def _check(total: int, node: exp.Expr, text: str) -> None:
    if total > MAX_NODES:
        raise Failure(AliasesTooLarge(), position=position_of(text, node))
