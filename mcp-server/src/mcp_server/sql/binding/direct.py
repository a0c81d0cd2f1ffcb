"""Which bound statements select columns of one table's rows as they are, so that no relational engine is needed."""

from sqlglot import exp

from mcp_server.domain.names import fold
from mcp_server.domain.schema import Column, ColumnType, TypeKind
from mcp_server.planning.direct import Direct, Output, simple
from mcp_server.planning.plan import Relation
from mcp_server.planning.predicate import Predicate
from mcp_server.sql.binding.references import Reference
from mcp_server.sql.lowering.conditions import conjuncts_of
from mcp_server.sql.lowering.plain import plain_select
from mcp_server.sql.lowering.predicates import read_condition
from mcp_server.sql.trees import parts

_CLAUSES = frozenset({"expressions", "from_", "where", "order", "limit"})
_SCALARS = frozenset(
    {
        *(TypeKind.VARCHAR, TypeKind.BIGINT, TypeKind.DECIMAL, TypeKind.DOUBLE),
        *(TypeKind.BOOLEAN, TypeKind.DATE, TypeKind.TIMESTAMPTZ, TypeKind.BLOB, TypeKind.JSON),
    }
)


def direct_of(query: exp.Query, reference: Reference, relation: Relation) -> Direct | None:
    """What a statement whose only reference to a table that is selects, its outputs by their final names; else None."""
    select = plain_select(query, reference, _CLAUSES)
    if select is None:
        return None
    limit = select.args.get("limit")
    if limit is not None and not (isinstance(limit, exp.Limit) and parts(limit) == {"expression"}):
        return None
    rows = _rows(limit.expression) if limit is not None else None
    goal = relation.goal
    if goal is not None and goal.order is None:  # which has them already
        conditions = goal.conditions
    else:
        conditions = certain_conditions(select, reference, relation)
    outputs = _outputs(select, reference, relation)
    if conditions is None or outputs is None or (limit is not None and rows is None):
        return None
    return Direct(outputs, conditions, rows, ordered=select.args.get("order") is not None)


def _rows(node: exp.Expr) -> int | None:
    if not isinstance(node, exp.Literal) or node.is_string or not node.name.isdecimal() or len(node.name) > 9:
        return None
    return int(node.name)


def certain_conditions(query: exp.Select, reference: Reference, relation: Relation) -> tuple[Predicate, ...] | None:
    """The conjuncts of WHERE, where it is certain which rows they keep."""
    where = query.args.get("where")
    columns = {column.name: column for column in relation.columns}
    found: list[Predicate] = []
    for one in conjuncts_of(where.this if where is not None else None):
        reading = read_condition(one.expression, lambda column: _column(column, reference, relation))
        if reading is None or not reading.faithful or not simple(reading.predicate, columns):
            return None
        found.append(reading.predicate)
    return tuple(found)


def _column(column: exp.Column, reference: Reference, relation: Relation) -> Column | None:
    name = reference.spelt.get(column.name) if column.table == reference.node.alias_or_name else None
    return next((one for one in relation.columns if one.name == name), None)


def _outputs(query: exp.Select, reference: Reference, relation: Relation) -> tuple[Output, ...] | None:
    found: list[Output] = []
    for projection in query.expressions:
        column = projection.this if isinstance(projection, exp.Alias) else projection
        if not isinstance(column, exp.Column) or not isinstance(column.this, exp.Identifier):
            return None
        known = _column(column, reference, relation)
        if known is None or not _passes(known.type):
            return None
        found.append(Output(projection.alias_or_name, relation.columns.index(known)))
    # DuckDB tells columns of one name apart by other names.
    return tuple(found) if len({fold(output.name) for output in found}) == len(found) else None


def _passes(type_: ColumnType) -> bool:
    """Whether values of the type come out of DuckDB as they went in, their type under the same name."""
    if type_.kind is TypeKind.LIST:
        return type_.element is not None and _passes(type_.element)
    if type_.kind is TypeKind.STRUCT:
        return all(_passes(field) for _, field in type_.fields)
    return type_.kind in _SCALARS
