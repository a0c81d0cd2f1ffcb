"""Puts one instant in the place of what asks for the time, so that all of a statement, wherever it runs, has the same.

DuckDB's `now()` is the start of a transaction. A statement may run in several, and conditions that DynamoDB narrows by
are in none, so the instant is that of the call.
"""

from dataclasses import replace
from datetime import datetime

from mcp_server.sql.binding.output_names import name_projections
from mcp_server.sql.gate.parse import Statement
from mcp_server.sql.time_words import put_instant
from mcp_server.sql.trees import copied, nodes

_MENTIONED = ("now", "today", "transaction_timestamp", "localtime", "current_")
"""One of these is in every text that asks for the time."""


def at_instant(statement: Statement, instant: datetime) -> Statement:
    """The statement as it is at an instant of UTC, later than the year 1000; itself where it does not ask for it."""
    text = statement.text.casefold()
    if not any(word in text for word in _MENTIONED):
        return statement
    query = copied(statement.expression)
    name_projections(nodes(query))  # after what they ask for
    if not put_instant(query, instant):
        return statement
    return replace(statement, expression=query, nodes=nodes(query), timed=True)
