"""What gives one value for one row, the same today and tomorrow, as far as that is known."""

from sqlglot import exp

from mcp_server.sql.gate.allowed_functions import FUNCTIONS_OF_ONE_ROW
from mcp_server.sql.gate.allowed_nodes import NAMES, OPERATORS, VALUES
from mcp_server.sql.time_words import asks_for_time

_OF_MANY_ROWS = frozenset({exp.Table, exp.TableAlias, exp.Star, exp.Unnest, exp.Exists, exp.Any, exp.All})
_OF_ONE_ROW = frozenset((*NAMES, *VALUES, *OPERATORS)) - _OF_MANY_ROWS
"""The syntax, apart from functions, that gives one value for one row. Queries and clauses are none of it."""


def is_of_one_row(node: exp.Expr) -> bool:
    """Whether a node, without its parts, gives one value for one row, the same today and tomorrow."""
    if type(node) in _OF_ONE_ROW:
        return True
    if not isinstance(node, exp.Func) or isinstance(node, exp.AggFunc) or asks_for_time(node):
        return False
    if not isinstance(node, exp.Anonymous):
        return any(name.lower() in FUNCTIONS_OF_ONE_ROW for name in node.sql_names())
    name = node.name.lower()
    # With one argument, `age` tells the time up to this morning.
    return name in FUNCTIONS_OF_ONE_ROW and (name != "age" or len(node.expressions) == 2)
