"""From the conditions found for a table reference to the conjuncts of its relation."""

from collections.abc import Iterable, Mapping, Sequence

from sqlglot import exp

from mcp_server.domain.schema import Column
from mcp_server.planning.plan import Conjunct
from mcp_server.planning.predicate import AllOf
from mcp_server.sql.binding.references import Reference
from mcp_server.sql.lowering.condition_texts import condition_text
from mcp_server.sql.lowering.conditions import AnyCondition, Condition, is_never_true
from mcp_server.sql.lowering.necessity import necessity
from mcp_server.sql.lowering.origins import Origins
from mcp_server.sql.lowering.output_types import OutputTypes
from mcp_server.sql.lowering.predicates import read_condition
from mcp_server.sql.sources import Sources


def necessary_conditions(
    query: exp.Query, sources: Sources, references: Sequence[Reference]
) -> Mapping[int, Sequence[AnyCondition]]:
    """The conditions on the sources of a qualified query, by the id of their nodes."""
    return necessity(query, sources, OutputTypes(sources, references), Origins(sources, references))


def conjuncts(reference: Reference, conditions: Iterable[AnyCondition]) -> tuple[Conjunct, ...]:
    """The conditions as conjuncts, each with what the algebra can say of it."""
    return tuple(_conjunct(reference, one.expression) for one in conditions if isinstance(one, Condition))


def _conjunct(reference: Reference, condition: exp.Expr) -> Conjunct:
    text = condition_text(condition, reference.spelt)
    if is_never_true(condition):
        return Conjunct(text, None, False, never=True)
    reading = read_condition(condition, lambda column: _column(reference, column))
    if reading is None or reading.predicate == AllOf(()):
        return Conjunct(text, None, False)
    return Conjunct(text, reading.predicate, reading.faithful, matched=reading.matched, left_out=reading.left_out)


def _column(reference: Reference, column: exp.Column) -> Column | None:
    name = reference.spelt.get(column.name)
    return reference.table.column(name) if name is not None else None
