"""The rows that somebody may see narrow what is read."""

from dataclasses import replace

from mcp_server.domain.restriction import AllowedValues, Restriction
from mcp_server.planning.access_path import plan_read
from mcp_server.planning.plan import Relation
from tests.mcp_server.planning.test_access_path import ORDERS


def access(*rows: AllowedValues) -> str:
    """How all rows are read that somebody may see."""
    table = replace(ORDERS, restriction=Restriction(rows=rows))
    return plan_read(Relation("r0", table, table.columns[:1], ()), consistent=False).access


def test_somebody_without_rows_reads_nothing() -> None:
    own = AllowedValues("pk", frozenset({"USER#7"}))
    assert access() == "Scan"
    assert access(own) == "Query"
    assert access(own, AllowedValues("pk", frozenset())) == "None"
    assert access(AllowedValues("note", frozenset())) == "None"
