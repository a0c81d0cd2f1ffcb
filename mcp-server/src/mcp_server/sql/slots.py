"""Which parameters of a statement its plan would carry along unread, so that one plan does for all their values.

That is certain of few: `column = ?` and the like, joined by AND in the WHERE of a plain statement over one table, where
no other condition speaks of the column. Anywhere else a value may decide something: equal conditions are dropped, a
LIMIT ends reading early, a projection is named after its text.
"""

from collections import Counter
from collections.abc import Mapping

from sqlglot import exp

from mcp_server.domain.names import fold
from mcp_server.sql.gate.parse import Statement
from mcp_server.sql.lowering.conditions import conjuncts_of

_COMPARISONS = (exp.EQ, exp.LT, exp.LTE, exp.GT, exp.GTE)


def slots(statement: Statement, marks: Mapping[str, str]) -> frozenset[str]:
    """The parameters that are slots, of a statement in which each has its mark as value; `marks` maps mark to name."""
    query = statement.expression
    if not isinstance(query, exp.Select) or not _plain(query):
        return frozenset()
    where = query.args.get("where")
    conditions = [one.expression for one in conjuncts_of(where.this if where is not None else None)]
    literals = Counter(str(node.this) for node in query.find_all(exp.Literal))
    columns = Counter(fold(node.name) for one in conditions for node in one.find_all(exp.Column))
    found: set[str] = set()
    for one in conditions:
        for column, other in ((one.this, one.args.get("expression")), (one.args.get("expression"), one.this)):
            if not isinstance(one, _COMPARISONS) or not isinstance(column, exp.Column):
                continue
            mark = str(other.this) if isinstance(other, exp.Literal) else ""
            if mark in marks and literals[mark] == 1 and columns[fold(column.name)] == 1:
                found.add(marks[mark])
    return frozenset(found)


def _plain(query: exp.Select) -> bool:
    """Whether it reads one table, once."""
    from_ = query.args.get("from_")
    if from_ is None or not isinstance(from_.this, exp.Table):
        return False
    return sum(isinstance(node, exp.Query | exp.Table | exp.Lateral | exp.Unnest) for node in query.walk()) == 2
