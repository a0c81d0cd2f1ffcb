"""Finds, for every source of every query in a statement, conditions that each of its useful rows must meet.

A row may be left out when the query it belongs to gives the same result without it, whatever surrounds that query.
Conditions come down a tree of joins from WHERE, from ON, and from queries that read this one's output. What comes down
to a join is filtered on its result; so a row that no useful pair can contain may be missing, or its partner come up
with NULLs in its place where that partner is useless too.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache

from sqlglot import exp

from mcp_server.sql.lowering.conditions import AnyCondition, ColumnName, Condition, conjuncts_of, is_never_true
from mcp_server.sql.lowering.equalities import EqualityClass, classes_within, derived, equality_classes
from mcp_server.sql.lowering.join_tree import Join, Kind, Leaf, Tree, join_tree
from mcp_server.sql.lowering.key_links import crossing, from_around
from mcp_server.sql.lowering.origins import AnyOrigin, Origins
from mcp_server.sql.lowering.output_types import OutputTypes, body_of
from mcp_server.sql.lowering.outputs import handed_down
from mcp_server.sql.sources import Block, Sources
from mcp_server.sql.trees import branches

_OUTER = frozenset({Kind.LEFT, Kind.RIGHT, Kind.FULL})
_PAIRED = frozenset({Kind.INNER, Kind.LEFT, Kind.RIGHT, Kind.SEMI, Kind.ANTI})


def necessity(
    query: exp.Query, sources: Sources, types: OutputTypes, origins: Origins
) -> Mapping[int, tuple[AnyCondition, ...]]:
    """The conditions of a qualified statement, by the id of a source's node."""
    search = _Search(sources, types, origins)
    blocks = {id(block.select): block for block in sources.blocks}
    for select in _users_first(query, sources.blocks):
        search.visit(blocks[id(select)])
    return {key: tuple(found) for key, found in search.conditions.items() if found}


def _users_first(query: exp.Expr, blocks: Sequence[Block]) -> Sequence[exp.Select]:
    """All queries of a statement, each after those that read from it."""
    around = {id(query)}  # the nodes with a query in them
    for block in blocks:
        node: exp.Expr | None = block.select
        while node is not None and id(node) not in around:
            around.add(id(node))
            node = node.parent
    ordered: list[exp.Select] = []
    pending = [query]
    while pending:
        current = pending.pop()
        if isinstance(current, exp.Select):
            ordered.append(current)
        with_ = current.args.get("with_")
        pending += with_.expressions if isinstance(with_, exp.With) else ()
        pending += [child for child in branches(current) if id(child) in around and child is not with_]
    return ordered


@dataclass(frozen=True, slots=True)
class _Columns:
    """What is known of the columns that one query sees."""

    type_of: Callable[[ColumnName], str | None]
    origin_of: Callable[[ColumnName], AnyOrigin | None]


class _Search:
    def __init__(self, sources: Sources, types: OutputTypes, origins: Origins) -> None:
        self._sources = sources
        self._types = types
        self._origins = origins
        self._inherited: dict[int, list[AnyCondition]] = {}
        self.conditions: dict[int, list[AnyCondition]] = {}

    def visit(self, block: Block) -> None:
        """Files the conditions of one query, and hands on to queries that it reads from."""
        tree = join_tree(block.select)
        if tree is None:
            return
        where = block.select.args.get("where")
        filters: list[AnyCondition] = [*conjuncts_of(where.this if where is not None else None)]
        filters += self._inherited.get(id(block.select), ())

        @cache
        def type_of(column: ColumnName) -> str | None:
            return self._types.column(block, column)

        @cache
        def origin_of(column: ColumnName) -> AnyOrigin | None:
            return self._origins.of(block, column)

        filters += from_around(block, tree.aliases, filters, type_of, self._origins)
        self._push(tree, filters, _Columns(type_of, origin_of))

    def _push(
        self,
        tree: Tree,
        filters: Sequence[AnyCondition],
        columns: "_Columns",
        around: tuple[EqualityClass, ...] | None = None,
    ) -> None:
        """`filters` are applied to the tree's rows: its result only matters as far as they are true of it.

        `around` are the classes of the join around it, if they are all conditions there on this tree's sources alone.
        """
        if isinstance(tree, Leaf):
            self._file(tree, filters)
            return
        kind = _simplified(tree, filters)
        to_left: Sequence[AnyCondition] = ()
        to_right: Sequence[AnyCondition] = ()
        classes: tuple[EqualityClass, ...] | None = None
        if kind in _PAIRED:
            # What is known of a pair that is useful. A preserved side's filters only hold for its own rows.
            known = filters
            if kind in (Kind.LEFT, Kind.ANTI):
                known = _within(tree.left, filters)
            elif kind is Kind.RIGHT:
                known = _within(tree.right, filters)
            # What came down is in part what the sides say themselves.
            said = {id(one): one for one in (*known, *tree.on, *tree.left.facts, *tree.right.facts)}
            pairs = [*said.values()]
            # Where its own conditions came down as well, its equalities are all among those of the join around it.
            if around is not None and tree.kind is Kind.INNER and len(pairs) == len(filters):
                classes = classes_within(around, tree.aliases)
            if classes is None:
                classes = equality_classes(pairs, columns.type_of)
            if classes:
                pairs += derived(_useful(pairs, classes), classes)
                pairs += crossing(classes, tree.left.aliases, tree.right.aliases, columns.origin_of)
            to_left, to_right = _within(tree.left, pairs), _within(tree.right, pairs)
        of_left = of_right = classes
        if kind in (Kind.LEFT, Kind.ANTI, Kind.ASOF, Kind.ASOF_LEFT):
            to_left, of_left = _within(tree.left, filters), None
        elif kind is Kind.RIGHT:
            to_right, of_right = _within(tree.right, filters), None
        self._push(tree.left, to_left, columns, of_left)
        self._push(tree.right, to_right, columns, of_right)

    def _file(self, leaf: Leaf, filters: Sequence[AnyCondition]) -> None:
        if leaf.closed:
            return
        found = self.conditions.setdefault(id(leaf.node), [])
        for one in filters:
            if one.of_one_row and _speaks(one, leaf) and not any(one.is_same(other) for other in found):
                found.append(one)
        body = body_of(leaf.node, self._sources) if found else None
        if body is None:
            return
        if isinstance(leaf.node, exp.Table) and (
            self._sources.uses[leaf.node.name] > 1 or _is_recursive(self._sources.cte(leaf.node))
        ):
            return
        for select, one in handed_down(body, found, self._types):
            self._inherited.setdefault(id(select), []).append(one)


def _speaks(one: AnyCondition, leaf: Leaf) -> bool:
    """Whether a condition tells which of a source's rows are useful."""
    if not one.sources:
        return isinstance(one, Condition) and is_never_true(one.expression)
    return one.sources == leaf.aliases


def _within(tree: Tree, conditions: Iterable[AnyCondition]) -> list[AnyCondition]:
    """Those that speak of its sources alone."""
    return [one for one in conditions if one.sources <= tree.aliases]


def _simplified(tree: Join, filters: Sequence[AnyCondition]) -> Kind:
    """The kind of a join once the rows that it fills with NULLs are useless, because a filter rejects them."""
    if tree.kind not in _OUTER:
        return tree.kind
    right_filled = tree.kind in (Kind.LEFT, Kind.FULL) and not _rejected(filters, tree.right.aliases)
    left_filled = tree.kind in (Kind.RIGHT, Kind.FULL) and not _rejected(filters, tree.left.aliases)
    if right_filled:
        return Kind.FULL if left_filled else Kind.LEFT
    return Kind.RIGHT if left_filled else Kind.INNER


def _rejected(filters: Sequence[AnyCondition], aliases: frozenset[str]) -> bool:
    return any(one.sources & aliases and one.rejects_nulls(aliases) for one in filters)


def _useful(known: list[AnyCondition], classes: Iterable[EqualityClass]) -> list[AnyCondition]:
    """The conditions on one column that are worth to be said of others, which equal it."""
    on_one = [one for one in known if len(one.columns) == 1]
    if not on_one:
        return []
    equal = {column for one in classes for column in one.columns}
    return [one for one in on_one if one.columns <= equal and one.rejects_nulls(one.sources)]


def _is_recursive(cte: exp.CTE | None) -> bool:
    return cte is None or (isinstance(cte.parent, exp.With) and bool(cte.parent.recursive))
