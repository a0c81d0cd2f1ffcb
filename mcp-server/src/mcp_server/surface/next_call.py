"""Which call a failure leads to, so that a model need not read it out of a sentence."""

from collections.abc import Mapping
from typing import Any

from mcp_server.domain.failures import Failure, FailureCode, NextCall

LONGEST = 4_000
"""Characters of a statement that is repeated; longer ones are the caller's own, and it still has them."""

_EXPLAINED = frozenset(
    {
        FailureCode.FULL_SCAN_REFUSED,
        FailureCode.BUDGET_EXCEEDED,
        FailureCode.DEADLINE_EXCEEDED,
        FailureCode.MEMORY_EXCEEDED,
    }
)
"""What a cheaper statement avoids: explain_sql says which."""
_FROM_THE_START = frozenset({FailureCode.CURSOR_INVALID, FailureCode.CURSOR_EXPIRED})
_STATEMENT = ("sql", "schema_name", "parameters")


def next_call(failure: Failure, tool: str, arguments: Mapping[str, Any]) -> NextCall | None:
    """The call to make after a call of `tool` failed; None where it is the same one again, or cannot be told.

    It never allows what a person has to agree to.
    """
    if len(str(arguments.get("sql", ""))) > LONGEST:
        return None
    if failure.statement is not None:
        return NextCall(tool, {**_without(arguments, "cursor"), "sql": failure.statement})
    if failure.next_call is not None:
        return failure.next_call
    if failure.code is FailureCode.UNKNOWN_SCHEMA:
        return NextCall("list_schemas")
    if failure.code in _EXPLAINED and tool == "run_sql":
        return NextCall("explain_sql", {name: arguments[name] for name in _STATEMENT if name in arguments})
    if failure.code in _FROM_THE_START:
        return NextCall(tool, _without(arguments, "cursor"))
    return None


def _without(arguments: Mapping[str, Any], name: str) -> dict[str, Any]:
    return {key: value for key, value in arguments.items() if key != name}
