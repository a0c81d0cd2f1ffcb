"""A failure names the call that helps, with its arguments, where that can be told."""

from typing import Any

import pytest

from mcp_server.domain.failures import Failure, Meant
from mcp_server.domain.failures.access import DisabledSchemaDenied, SchemaDenied, TableDenied
from mcp_server.domain.failures.arguments import UnknownArgument
from mcp_server.domain.failures.availability import Defect
from mcp_server.domain.failures.budgets import HourSpent
from mcp_server.domain.failures.columns import UnknownColumn, UnknownField
from mcp_server.domain.failures.cursors import CursorTooOld, ForeignCursor
from mcp_server.domain.failures.limits import OutOfMemory, Overdue, ServerFull
from mcp_server.domain.failures.scans import LargeScan
from mcp_server.domain.failures.schemas import SelfDescription, UnknownSchema
from mcp_server.domain.failures.syntax import NotAQuery, Wish
from mcp_server.domain.failures.tables import TableGone, TableNotGiven, UnknownTable
from mcp_server.domain.failures.texts import NotANumber
from mcp_server.surface.wording.next_call import LONGEST, NextCall, next_call
from tests.mcp_server.surface.wording.every_fact import WORDS

ARGUMENTS = {
    "sql": "SELECT a FROM t WHERE b = ?",
    "schema_name": "shop",
    "parameters": [1],
    "max_rows": 5,
    "cursor": "c",
}
STATEMENT = {"sql": "SELECT a FROM t WHERE b = ?", "schema_name": "shop", "parameters": [1]}
LOOK = NextCall("describe_table", {"table_name": "shop.t"})
UNKNOWN = UnknownColumn("x", None, "shop.t")


@pytest.mark.parametrize(
    ("failure", "expected"),
    [
        (
            Failure(UNKNOWN, meant=Meant("SELECT 2")),
            NextCall("run_sql", {"sql": "SELECT 2", "schema_name": "shop", "parameters": [1], "max_rows": 5}),
        ),
        (Failure(UNKNOWN), LOOK),
        (Failure(UnknownField("x", "a", (), (), "shop.t")), LOOK),
        (Failure(UnknownTable("u", "shop", ("t", "v"))), LOOK),
        (Failure(UnknownTable("u", "shop", ())), NextCall("list_tables", {"schema_name": "shop"})),
        (
            Failure(UnknownTable("u", "my-shop", ("t 1",))),
            NextCall("describe_table", {"table_name": '"my-shop"."t 1"'}),
        ),
        (Failure(NotAQuery("desc", Wish.DESCRIPTION, table="shop.t")), LOOK),
        (Failure(NotAQuery("desc", Wish.DESCRIPTION)), None),
        (Failure(NotAQuery("show", Wish.TABLES)), NextCall("list_tables")),
        (Failure(NotAQuery("show", Wish.SCHEMAS)), NextCall("list_schemas")),
        (Failure(NotAQuery("explain", Wish.PLAN, query="SELECT 2")), NextCall("explain_sql", {"sql": "SELECT 2"})),
        (Failure(NotAQuery("use", Wish.DEFAULT_SCHEMA)), None),
        (Failure(SelfDescription("pg_catalog")), NextCall("list_tables")),
        (Failure(UnknownSchema("x", ())), NextCall("list_schemas")),
        (
            Failure(UnknownSchema("shop", ("chop",), ("chop",))),
            NextCall("run_sql", {**ARGUMENTS, "schema_name": "chop"}),
        ),
        (Failure(UnknownSchema("shp", ("shop",), ("shop",))), NextCall("list_schemas")),
        (Failure(TableGone("t")), NextCall("list_tables")),
        (Failure(TableNotGiven("t")), NextCall("list_tables")),
        (Failure(TableDenied("shop", "t")), NextCall("list_tables", {"schema_name": "shop"})),
        (Failure(SchemaDenied("shop")), NextCall("list_schemas")),
        (Failure(DisabledSchemaDenied("shop")), NextCall("list_schemas")),
        *(
            (Failure(fact), NextCall("explain_sql", STATEMENT))
            for fact in (LargeScan(()), HourSpent(2.0, 0.0, 1.0), Overdue(30.0), OutOfMemory())
        ),
        (Failure(CursorTooOld()), NextCall("run_sql", {**STATEMENT, "max_rows": 5})),
        (Failure(ForeignCursor()), NextCall("run_sql", {**STATEMENT, "max_rows": 5})),
        (Failure(ServerFull(), retry_after_seconds=5), None),
        (Failure(NotANumber("5kg")), None),
        (Failure(Defect()), None),
    ],
)
def test_the_call_follows_from_the_failure(failure: Failure, expected: NextCall | None) -> None:
    assert next_call(failure, "run_sql", ARGUMENTS) == expected


def test_nothing_is_allowed_that_a_person_has_to_agree_to() -> None:
    for fact, _, _ in WORDS:
        call = next_call(Failure(fact), "run_sql", {"sql": "SELECT 1"})
        assert call is None or "allow_full_scan" not in call.arguments


@pytest.mark.parametrize(
    ("near", "renamed"),
    [("max_rows", {"sql": "SELECT 1", "max_rows": 5}), ("sql", None), ("allow_full_scan", None), (None, None)],
)
def test_a_misspelt_argument_is_put_right(near: str | None, renamed: dict[str, Any] | None) -> None:
    """Unless it is there as well, or is one by which a person agrees to something."""
    call = next_call(Failure(UnknownArgument("x", near, ("sql",))), "run_sql", {"sql": "SELECT 1", "x": 5})
    assert call == (NextCall("run_sql", renamed) if renamed is not None else None)
    assert next_call(Failure(UnknownArgument("x.y", near, ("sql",))), "run_sql", {"x": {"y": 1}}) is None


def test_a_plan_that_fails_does_not_lead_to_itself() -> None:
    assert next_call(Failure(Overdue(30.0)), "explain_sql", STATEMENT) is None
    assert next_call(Failure(UnknownSchema("x", ())), "explain_sql", STATEMENT) == NextCall("list_schemas")


def test_long_statements_are_not_repeated() -> None:
    assert next_call(Failure(CursorTooOld()), "run_sql", {"sql": "x" * (LONGEST + 1)}) is None
    assert next_call(Failure(CursorTooOld()), "run_sql", {"sql": "x" * LONGEST}) is not None


def test_odd_arguments_do_no_harm() -> None:
    """They failed for being odd."""
    odd: tuple[dict[str, Any], ...] = ({}, {"sql": None}, {"sql": 7}, {"sql": ["x"]}, {"cursor": {}})
    for arguments in odd:
        for fact, _, _ in WORDS:
            next_call(Failure(fact), "run_sql", arguments)
            next_call(Failure(fact, meant=Meant("SELECT 1")), "run_sql", arguments)
