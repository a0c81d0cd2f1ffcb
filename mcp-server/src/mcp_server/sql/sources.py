"""What each query of a qualified statement reads from, and what the names in it stand for; found in one walk."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from sqlglot import exp

from mcp_server.sql.trees import LEAVES

SOURCE = "source"
"""Key of an identifier's `meta`: the internal alias of the source that a column was named with."""

FIELD = "field"
"""Key of an identifier's `meta`: set on a name that is a field of a column."""

_UNTOLD = frozenset({exp.Alias, exp.And, exp.EQ, exp.From, exp.Join, exp.TableAlias, exp.Where})
"""The frequent kinds of nodes of which nothing is told."""


@dataclass(eq=False, slots=True)
class Block:
    """One SELECT, the queries around it, and the sources of its FROM clause by alias."""

    select: exp.Select
    outer: "Block | None"
    sources: dict[str, exp.Expr]

    def source(self, alias: str) -> exp.Expr | None:
        """The source of that alias in this query, or in the nearest one around it that has one."""
        block: Block | None = self
        while block is not None:
            found = block.sources.get(alias)
            if found is not None:
                return found
            block = block.outer
        return None


@dataclass(eq=False, slots=True)
class Sources:
    """The blocks of a statement, its columns with what each comes from, its tables and its CTEs.

    A column's source is None where the parser's resolver left it open. `ctes` are by their internal name; a copied
    subquery brings several of one name. `uses` counts the references to each. `rows` are tables that stand where a
    value belongs, `changed` nodes that qualifying gave another meaning; `recursive` and `pivots` tell whether there
    is any.
    """

    blocks: list[Block] = field(default_factory=list)
    columns: list[tuple[exp.Column, Block | None, exp.Expr | None]] = field(default_factory=list)
    tables: list[exp.Table] = field(default_factory=list)
    ctes: dict[str, list[exp.CTE]] = field(default_factory=dict)
    uses: dict[str, int] = field(default_factory=dict)
    rows: list[exp.TableColumn] = field(default_factory=list)
    recursive: bool = False
    pivots: bool = False
    changed: list[exp.Expr] = field(default_factory=list)

    def cte(self, table: exp.Table) -> exp.CTE | None:
        """The CTE that a table node names, if it is the only one of that name."""
        found = self.ctes.get(table.name)
        return found[0] if found is not None and len(found) == 1 else None


def sources_of(query: exp.Query) -> Sources:
    """Walks a qualified statement, in the order of its text."""
    found = Sources()
    pending: list[tuple[exp.Expr, Block | None]] = [(query, None)]
    while pending:
        node, block = pending.pop()
        if isinstance(node, exp.Select):
            block = Block(node, block, {source.alias_or_name: source for source in from_items(node)})
            found.blocks.append(block)
        elif isinstance(node, exp.Column):
            found.columns.append((node, block, block.source(node.table) if block is not None else None))
            _check_column(node, found)
            if isinstance(node.args["this"], exp.Identifier):
                continue  # nothing but names is below it
        elif type(node) not in _UNTOLD:
            _file(node, found)
        for value in reversed(node.args.values()):  # what is put there last comes first
            if isinstance(value, exp.Expr):
                if type(value) not in LEAVES:
                    pending.append((value, block))
            elif type(value) is list:
                pending += [(one, block) for one in reversed(value) if isinstance(one, exp.Expr)]
    return found


def _file(node: exp.Expr, found: Sources) -> None:
    if isinstance(node, exp.Dot):
        if node.expression.meta_get(SOURCE) is not None:
            found.changed.append(node)
    elif isinstance(node, exp.Table):
        found.tables.append(node)
        found.uses[node.name] = found.uses.get(node.name, 0) + 1
    elif isinstance(node, exp.CTE):
        found.ctes.setdefault(node.alias, []).append(node)
    elif isinstance(node, exp.With):
        found.recursive = found.recursive or bool(node.recursive)
    elif isinstance(node, exp.Pivot):
        found.pivots = True
    elif isinstance(node, exp.TableColumn):
        found.rows.append(node)


def _check_column(column: exp.Column, found: Sources) -> None:
    """Files a column that qualifying made another column, or made of what was a field."""
    name = column.this
    source = name.meta_get(SOURCE)
    if name.meta_get(FIELD) is not None or (source is not None and source != column.table):
        found.changed.append(column)


def from_items(select: exp.Select) -> Iterator[exp.Expr]:
    """The tables, subqueries and table functions that a query itself reads from."""
    from_ = select.args.get("from_")
    pending = [from_.this] if from_ is not None else []
    pending += [join.this for join in select.args.get("joins") or []]
    pending += select.args.get("laterals") or []
    while pending:
        source = pending.pop()
        yield source
        pending += [join.this for join in source.args.get("joins") or []]
        if isinstance(source, exp.Subquery) and isinstance(source.this, exp.Table | exp.Subquery) and not source.alias:
            pending.append(source.this)


def is_comma(join: exp.Join) -> bool:
    """Whether a join is a comma, which binds looser than any other."""
    parts = join.args.get
    return not (parts("on") or parts("using") or parts("method") or parts("side") or parts("kind"))
