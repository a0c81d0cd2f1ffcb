"""A failure names the call that helps, with its arguments, where that can be told."""

from typing import Any

import pytest

from mcp_server.domain.failures import Failure, FailureCode, NextCall
from mcp_server.surface.next_call import LONGEST, next_call

ARGUMENTS = {
    "sql": "SELECT a FROM t WHERE b = ?",
    "schema_name": "shop",
    "parameters": [1],
    "max_rows": 5,
    "cursor": "c",
}
STATEMENT = {"sql": "SELECT a FROM t WHERE b = ?", "schema_name": "shop", "parameters": [1]}
LOOK = NextCall("describe_table", {"table_name": "shop.t"})


def failed(code: str, **facts: Any) -> Failure:
    return Failure(FailureCode(code), "No.", "Do otherwise.", **facts)


@pytest.mark.parametrize(
    ("failure", "expected"),
    [
        (
            failed("syntax_error", statement="SELECT 2", next_call=LOOK),
            NextCall("run_sql", {"sql": "SELECT 2", "schema_name": "shop", "parameters": [1], "max_rows": 5}),
        ),
        (failed("unknown_column", next_call=LOOK), LOOK),
        (failed("unknown_schema"), NextCall("list_schemas")),
        *(
            (failed(code), NextCall("explain_sql", STATEMENT))
            for code in ("full_scan_refused", "budget_exceeded", "deadline_exceeded", "memory_exceeded")
        ),
        (failed("cursor_expired"), NextCall("run_sql", {**STATEMENT, "max_rows": 5})),
        (failed("cursor_invalid"), NextCall("run_sql", {**STATEMENT, "max_rows": 5})),
        (failed("busy", retry_after_seconds=5), None),
        (failed("evaluation_error"), None),
        (failed("internal_error"), None),
    ],
)
def test_the_call_follows_from_the_failure(failure: Failure, expected: NextCall | None) -> None:
    assert next_call(failure, "run_sql", ARGUMENTS) == expected


def test_nothing_is_allowed_that_a_person_has_to_agree_to() -> None:
    for code in FailureCode:
        call = next_call(failed(code.value), "run_sql", {"sql": "SELECT 1"})
        assert call is None or "allow_full_scan" not in call.arguments


def test_a_plan_that_fails_does_not_lead_to_itself() -> None:
    assert next_call(failed("deadline_exceeded"), "explain_sql", STATEMENT) is None
    assert next_call(failed("unknown_schema"), "explain_sql", STATEMENT) == NextCall("list_schemas")


def test_long_statements_are_not_repeated() -> None:
    assert next_call(failed("cursor_expired"), "run_sql", {"sql": "x" * (LONGEST + 1)}) is None
    assert next_call(failed("cursor_expired"), "run_sql", {"sql": "x" * LONGEST}) is not None


def test_odd_arguments_do_no_harm() -> None:
    """They failed for being odd."""
    odd: tuple[dict[str, Any], ...] = ({}, {"sql": None}, {"sql": 7}, {"sql": ["x"]}, {"cursor": {}})
    for arguments in odd:
        for code in FailureCode:
            next_call(failed(code.value, statement="SELECT 1"), "run_sql", arguments)
