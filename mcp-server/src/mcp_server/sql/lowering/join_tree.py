"""The FROM clause of one query as a tree of joins.

Items between commas stay apart: in DuckDB the comma binds looser than JOIN, so of `a, b RIGHT JOIN c ON p` the
condition p joins b and c for every row of a, whatever it speaks of.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import ClassVar

from sqlglot import exp

from mcp_server.sql.lowering.conditions import Condition, conjuncts_of
from mcp_server.sql.sources import is_comma


class Kind(Enum):
    """How a join makes rows of its sides' rows. Of ASOF and POSITIONAL joins rows depend on their neighbours."""

    INNER = "inner"
    LEFT = "left"
    RIGHT = "right"
    FULL = "full"
    SEMI = "semi"
    ANTI = "anti"
    ASOF = "asof"
    ASOF_LEFT = "asof left"
    OPAQUE = "opaque"


@dataclass(frozen=True, slots=True, eq=False)
class Leaf:
    """One source, and the alias that conditions call it by.

    It is `closed` where its rows depend on one another, so that none may be left out.
    """

    node: exp.Expr
    closed: bool
    aliases: frozenset[str]
    facts: ClassVar[tuple[Condition, ...]] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Join:
    """Two sides and the conjuncts of ON; a comma is an inner join without any.

    `facts` are the conjuncts of any ON that every row of the join meets, whatever its sources hold.
    """

    kind: Kind
    left: "Tree"
    right: "Tree"
    on: tuple[Condition, ...]
    aliases: frozenset[str]
    facts: tuple[Condition, ...]


Tree = Leaf | Join


def join_tree(select: exp.Select) -> Tree | None:
    """The tree of a qualified query's FROM clause; None without one, or where its shape is not known."""
    from_ = select.args.get("from_")
    if from_ is None:
        return None
    return _joined(from_.this, [*(select.args.get("joins") or []), *(select.args.get("laterals") or [])])


def leaves(tree: Tree) -> Iterable[Leaf]:
    """The sources of a tree, in the order of the text."""
    pending = [tree]
    while pending:
        node = pending.pop()
        if isinstance(node, Leaf):
            yield node
        else:
            pending += [node.right, node.left]


def _joined(first: exp.Expr, joins: Sequence[exp.Expr]) -> Tree | None:
    """The items between the commas, each with the joins that follow it."""
    current = _item(first)
    items: list[Tree | None] = []
    for join in joins:
        if not isinstance(join, exp.Join):  # LATERAL, which reads like an item after a comma
            items.append(current)
            current = _item(join)
        elif is_comma(join):
            items.append(current)
            current = _item(join.this)
        else:
            current = _join(_kind(join), current, _item(join.this), conjuncts_of(join.args.get("on")))
    tree, *rest = [*items, current]
    for item in rest:
        tree = _join(Kind.INNER, tree, item, ())
    return tree


def _item(node: exp.Expr) -> Tree | None:
    joins = node.args.get("joins") or []
    if any(is_comma(join) for join in joins):
        return None
    if isinstance(node, exp.Subquery) and isinstance(node.this, exp.Table | exp.Subquery) and not node.alias:
        inner = _item(node.this) if not node.args.get("pivots") else None
        tree = inner
        for join in joins:
            tree = _join(_kind(join), tree, _item(join.this), conjuncts_of(join.args.get("on")))
        return tree
    tree = Leaf(node, bool(node.args.get("pivots")), frozenset({node.alias_or_name}))
    for join in joins:
        tree = _join(_kind(join), tree, _item(join.this), conjuncts_of(join.args.get("on")))
    return tree


def _join(kind: Kind, left: Tree | None, right: Tree | None, on: tuple[Condition, ...]) -> Tree | None:
    if left is None or right is None:
        return None
    return Join(kind, left, right, on, left.aliases | right.aliases, _facts(kind, left, right, on))


def _facts(kind: Kind, left: Tree, right: Tree, on: tuple[Condition, ...]) -> tuple[Condition, ...]:
    match kind:
        case Kind.INNER:
            return (*left.facts, *on, *right.facts)
        case Kind.SEMI:
            return (*left.facts, *on)
        case Kind.LEFT | Kind.ANTI | Kind.ASOF | Kind.ASOF_LEFT:
            return left.facts
        case Kind.RIGHT:
            return right.facts
    return ()


def _kind(join: exp.Join) -> Kind:
    if join.args.get("using") or join.args.get("global_") or join.args.get("hint"):
        return Kind.OPAQUE
    found = (join.method, join.side, join.kind)
    return _KINDS.get(found, Kind.OPAQUE)


_KINDS = {
    ("", "", ""): Kind.INNER,
    ("", "", "INNER"): Kind.INNER,
    ("", "", "CROSS"): Kind.INNER,
    **{("", side, outer): kind for side, kind in (("LEFT", Kind.LEFT), ("RIGHT", Kind.RIGHT), ("FULL", Kind.FULL))
       for outer in ("", "OUTER")},
    ("", "", "SEMI"): Kind.SEMI,
    ("", "", "ANTI"): Kind.ANTI,
    ("ASOF", "", ""): Kind.ASOF,
    ("ASOF", "", "INNER"): Kind.ASOF,
    ("ASOF", "LEFT", ""): Kind.ASOF_LEFT,
    ("ASOF", "LEFT", "OUTER"): Kind.ASOF_LEFT,
}  # fmt: skip
