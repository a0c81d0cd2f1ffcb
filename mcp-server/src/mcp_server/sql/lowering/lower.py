"""From the conditions found for a table reference to the conjuncts of its relation."""

import re

from sqlglot import exp

from mcp_server.domain.schema import Column, TypeKind
from mcp_server.planning.plan import Conjunct
from mcp_server.planning.predicate import AllOf, Predicate
from mcp_server.sql.binding.references import Reference
from mcp_server.sql.dialect import to_sql
from mcp_server.sql.lowering.necessity import Necessity
from mcp_server.sql.lowering.predicates import read_condition
from mcp_server.sql.sources import source_of

_PLAIN_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_EXACT_KINDS = frozenset({TypeKind.BIGINT, TypeKind.DECIMAL, TypeKind.VARCHAR, TypeKind.DATE, TypeKind.BOOLEAN})


def necessity_of(query: exp.Query, references: tuple[Reference, ...]) -> Necessity:
    """The conditions of a qualified query; equalities carry over between columns of one exact type."""
    by_node = {id(reference.node): reference for reference in references}

    def type_of(column: exp.Column) -> Column | None:
        reference = by_node.get(id(source_of(column)))
        return _column(reference, column) if reference is not None else None

    def same_type(one: exp.Column, other: exp.Column) -> bool:
        first, second = type_of(one), type_of(other)
        if first is None or second is None or first.type != second.type:
            return False
        return first.type.kind in _EXACT_KINDS

    return Necessity(query, same_type)


def conjuncts(reference: Reference, conditions: list[exp.Expr]) -> tuple[Conjunct, ...]:
    """The conditions as conjuncts, each with what the algebra can say of it."""
    return tuple(_conjunct(reference, condition) for condition in conditions)


def _conjunct(reference: Reference, condition: exp.Expr) -> Conjunct:
    reading = read_condition(condition, lambda column: _column(reference, column))
    text = _text(reference, condition)
    if reading is None or reading.predicate == AllOf(()):
        return Conjunct(text, None, False)
    predicate: Predicate = reading.predicate
    return Conjunct(text, predicate, reading.faithful)


def _column(reference: Reference, column: exp.Column) -> Column | None:
    name = reference.spelt.get(column.name)
    return reference.table.column(name) if name is not None else None


def _text(reference: Reference, condition: exp.Expr) -> str:
    """A condition for people: the catalogue's names, without the table's."""

    def shown(node: exp.Expr) -> exp.Expr:
        if not isinstance(node, exp.Column):
            return node
        name = reference.spelt.get(node.name, node.name)
        return exp.column(exp.to_identifier(name, quoted=_PLAIN_NAME.fullmatch(name) is None))

    return to_sql(condition.transform(shown))
