"""Statements that only want to know how many rows of a table meet conditions: `SELECT count(*) FROM t WHERE …`."""

from dataclasses import replace

from sqlglot import exp

from mcp_server.domain.schema import Column
from mcp_server.planning.plan import Relation
from mcp_server.sql.binding.references import Reference
from mcp_server.sql.lowering.conditions import conjuncts_of
from mcp_server.sql.lowering.goals import with_present
from mcp_server.sql.lowering.plain import plain_select
from mcp_server.sql.lowering.predicates import read_condition
from mcp_server.sql.trees import parts

_CLAUSES = frozenset({"expressions", "from_", "where"})
_COUNTING = frozenset({"this", "big_int"})


def with_number(query: exp.Query, reference: Reference, relation: Relation) -> Relation:
    """The relation, which tells whether its only number is wanted; `count(c)` makes a condition of its own."""
    select = plain_select(query, reference, _CLAUSES)
    if select is None or len(select.expressions) != 1:
        return relation
    found = select.expressions[0].unalias()
    if not isinstance(found, exp.Count) or parts(found) - _COUNTING:
        return relation
    if not _has_all_conditions(select, reference, relation):
        return relation
    counted = found.this
    if isinstance(counted, exp.Star) or (isinstance(counted, exp.Literal) and not counted.is_string):
        return replace(relation, only_number=True)
    column = _column(counted, reference)
    if column is None:
        return relation
    # What the schemas file declares may be wrong, which only items can tell; keys cannot lack.
    sure = column.name in {key.name for key in reference.table.key}
    return replace(with_present(relation, replace(column, nullable=not sure)), only_number=True)


def number_name(query: exp.Query, relation: Relation) -> str | None:
    """The name of the column that has the number, where that is all that is wanted."""
    return query.selects[0].alias_or_name if relation.only_number else None


def _has_all_conditions(select: exp.Select, reference: Reference, relation: Relation) -> bool:
    """Whether the relation's conjuncts say all that WHERE says."""
    said = [one.predicate for one in relation.conjuncts if one.faithful]
    where = select.args.get("where")
    for one in conjuncts_of(where.this if where is not None else None):
        reading = read_condition(one.expression, lambda column: _column(column, reference))
        if reading is None or not reading.faithful or reading.predicate not in said:
            return False
    return True


def _column(node: exp.Expr, reference: Reference) -> Column | None:
    if not isinstance(node, exp.Column) or node.table != reference.node.alias_or_name:
        return None
    return reference.table.column(reference.spelt.get(node.name, ""))
