"""Nobody is told to call a tool that their token does not allow."""

import pytest

from mcp_server.domain.failures import Failure
from mcp_server.surface.wording.failures import worded
from mcp_server.surface.wording.withheld import without_tools
from tests.mcp_server.surface.wording.every_fact import WORDS

SCHEMA = frozenset({"schemas:read"})
WITHHELD = dict.fromkeys(("list_schemas", "list_tables", "describe_table"), SCHEMA)


@pytest.mark.parametrize(
    ("advice", "left"),
    [
        ("Use one of: a, b.", "Use one of: a, b."),
        ("Call list_tables.", "This takes list_tables: sign in again and grant schemas:read."),
        (
            "Call the tool list_tables to see the tables, and describe_table to see the columns of one.",
            "This takes list_tables or describe_table: sign in again and grant schemas:read.",
        ),
        (
            "Convert an operand with CAST(x AS TYPE); describe_table shows the types of the columns.",
            "Convert an operand with CAST(x AS TYPE).",
        ),
    ],
)
def test_advice_leaves_out_tools_that_the_token_does_not_cover(advice: str, left: str) -> None:
    assert without_tools(advice, WITHHELD) == left
    assert without_tools(advice, {}) == advice


def test_all_advice_is_left_with_something_to_do() -> None:
    for fact, _, _ in WORDS:
        advice = worded(Failure(fact, retry_after_seconds=5)).next_action
        left = without_tools(advice, WITHHELD)
        assert left
        assert left.startswith("This takes ") or not any(tool in left for tool in WITHHELD)
