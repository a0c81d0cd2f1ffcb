"""Puts one instant in the place of what asks for the time, so that all of a statement, wherever it runs, has the same.

DuckDB's `now()` is the start of a transaction. A statement may run in several, and conditions that DynamoDB narrows by
are in none, so the instant is that of the call.
"""

import re
from dataclasses import replace
from datetime import datetime

from sqlglot import exp

from mcp_server.sql.binding.output_names import name_projections
from mcp_server.sql.gate.parse import Statement
from mcp_server.sql.trees import copied, nodes

_MENTIONED = re.compile(r"\b(?:now|today|transaction_timestamp|local(?:time|timestamp)|(?:get_)?current_\w+)\b", re.I)
"""What is in every text that asks for the time."""

_TYPES: dict[type[exp.Expr], str] = {
    exp.CurrentDate: "DATE",
    exp.CurrentTime: "TIMETZ",
    exp.CurrentTimestamp: "TIMESTAMPTZ",
    exp.Localtime: "TIME",
    exp.Localtimestamp: "TIMESTAMP",
}
_CALLS = {
    "now": "TIMESTAMPTZ",
    "get_current_timestamp": "TIMESTAMPTZ",
    "transaction_timestamp": "TIMESTAMPTZ",
    "current_localtime": "TIME",
}
"""The types of those calls that the parser has no name for."""
_FORMS = {
    "DATE": "%Y-%m-%d",
    "TIMETZ": "%H:%M:%S.%f+00",
    "TIMESTAMPTZ": "%Y-%m-%d %H:%M:%S.%f+00",
    "TIME": "%H:%M:%S.%f",
    "TIMESTAMP": "%Y-%m-%d %H:%M:%S.%f",
}


def at_instant(statement: Statement, instant: datetime) -> Statement:
    """The statement as it is at an instant of UTC, later than the year 1000; itself where it does not ask for it."""
    if not _MENTIONED.search(statement.text):
        return statement
    query = copied(statement.expression)
    name_projections(nodes(query))  # after what they ask for
    asking = [(node, type_) for node in nodes(query) if (type_ := _type_of(node)) is not None]
    if not asking:
        return statement
    for node, type_ in asking:
        text = exp.Literal.string(instant.strftime(_FORMS[type_]))
        node.replace(exp.Cast(this=text, to=exp.DataType.build(type_, dialect="duckdb")))
    return replace(statement, expression=query, nodes=nodes(query), timed=True)


def _type_of(node: exp.Expr) -> str | None:
    if isinstance(node, exp.Anonymous):
        return _CALLS.get(node.name.lower()) if not node.expressions else None
    return _TYPES.get(type(node))
