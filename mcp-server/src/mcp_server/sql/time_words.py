"""What asks for the time in a statement, and the instant in its place."""

from datetime import datetime

from sqlglot import exp

from mcp_server.sql.trees import nodes

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


def asks_for_time(node: exp.Expr) -> bool:
    """Whether a node, without its parts, asks for the time."""
    return _type_of(node) is not None


def put_instant(tree: exp.Expr, instant: datetime) -> bool:
    """Puts an instant of UTC, later than the year 1000, where parts of a tree ask for the time; whether any does."""
    asking = [(node, type_) for node in nodes(tree) if (type_ := _type_of(node)) is not None]
    for node, type_ in asking:
        text = exp.Literal.string(instant.strftime(_FORMS[type_]))
        node.replace(exp.Cast(this=text, to=exp.DataType.build(type_, dialect="duckdb")))
    return bool(asking)


def _type_of(node: exp.Expr) -> str | None:
    if isinstance(node, exp.Anonymous):
        return _CALLS.get(node.name.lower()) if not node.expressions else None
    return _TYPES.get(type(node))
