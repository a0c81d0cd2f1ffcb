"""Whoever sends a statement that fails, and then does only what failures say, comes to the right answer in six calls.

The follower below knows neither tables nor dialects. It makes the call that a failure names as the next one. Where that
call only shows something, or there is none, it changes of its statement what the failure blames, to what it was shown
or told. Its person agrees to what a query costs.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import duckdb
import pytest

from tests.support import demo_data
from tests.support.demo_data import DemoTables
from tests.support.mcp_wire import ToolFailed, Wire
from tests.support.services import Addresses, AuthServer, demo_replica

pytestmark = pytest.mark.slow

MOST_CALLS = 6
CONFIRMED_READ_UNITS = 50
"""More than the small tables take, and less than a scan of `orders`."""

Statement = tuple[str, str]
"""As somebody writes it who is used to something else, and as DuckDB has it, over the files that were loaded."""

FOREIGN: dict[str, Statement] = {
    "SQL Server's TOP": (
        "SELECT TOP 1 n_name FROM nation ORDER BY n_name DESC",
        "select n_name from nation order by n_name desc limit 1",
    ),
    "SQL Server's brackets": (
        "SELECT COUNT(*) FROM [nation] WHERE [n_regionkey] = 3",
        "select count(*) from nation where n_regionkey = 3",
    ),
    "MySQL's backticks": (
        "SELECT COUNT(*) FROM `nation` WHERE `n_regionkey` = 3",
        "select count(*) from nation where n_regionkey = 3",
    ),
    "MySQL's separator": (
        "SELECT GROUP_CONCAT(r_name ORDER BY r_name SEPARATOR ', ') FROM region",
        "select string_agg(r_name, ', ' order by r_name) from region",
    ),
    "BigQuery's SAFE_CAST": (
        "SELECT SAFE_CAST(MAX(n_nationkey) AS FLOAT64) FROM nation",
        "select max(n_nationkey)::double from nation",
    ),
    "texts in double quotes": (
        'SELECT n_nationkey FROM nation WHERE n_name = "FRANCE"',
        "select n_nationkey from nation where n_name = 'FRANCE'",
    ),
}
MISSPELT: dict[str, Statement] = {
    "a table": ("SELECT count(*) FROM natoin", "select count(*) from nation"),
    "a column": ("SELECT max(n_nmae) FROM nation", "select max(n_name) from nation"),
    "a column without its prefix": ("SELECT max(name) FROM region", "select max(r_name) from region"),
    "a function": ("SELECT uper(max(r_name)) FROM region", "select upper(max(r_name)) from region"),
    "a schema": ("SELECT count(*) FROM dmo.nation", "select count(*) from nation"),
    "everything": ("SELECT uper(max(r_nmae)) FROM dmo.regoin", "select upper(max(r_name)) from region"),
}
REFUSED: dict[str, Statement] = {
    "a scan": (
        "SELECT count(*) FROM orders WHERE o_orderstatus = 'O'",
        "select count(*) from orders where o_orderstatus = 'O'",
    ),
    "a scan in MySQL's SQL": (
        "SELECT COUNT(*) FROM `orders` WHERE DATE_FORMAT(o_orderdate, '%Y') = '1996'",
        "select count(*) from orders where year(o_orderdate) = 1996",
    ),
    "a scan of a misspelt table": ("SELECT max(o_totalprize) FROM ordrs", "select max(o_totalprice) from orders"),
}


@dataclass(slots=True)
class Follower:
    """Does what failures say. `led` are the tools of the calls that it was led to."""

    wire: Wire
    led: list[str]

    def rows(self, sql: str) -> list[list[Any]]:
        """The rows that a statement leads to."""
        arguments: dict[str, Any] = {"sql": sql}
        for _ in range(MOST_CALLS):
            try:
                rows: list[list[Any]] = self.wire.call("run_sql", **arguments)["rows"]
            except ToolFailed as failed:
                arguments |= self._instead(failed.failure, arguments["sql"])
                continue
            return rows
        raise AssertionError(arguments)

    def _instead(self, failure: Mapping[str, Any], sql: str) -> dict[str, Any]:
        """The arguments to call run_sql with after a failure. Raises AssertionError where it says nothing."""
        shown: dict[str, Any] = {}
        following = failure.get("next_call")
        if following is not None:
            self.led.append(following["tool"])
            if following["tool"] == "run_sql":
                return dict(following["arguments"])
            shown = self.wire.call(following["tool"], **following["arguments"])
        allowing = re.search(r"\b(max_read_units) (\d+)", failure["next_action"])
        if allowing is not None:
            assert allowing[0] in shown["verdict"], "explain_sql says the same"
            return {allowing[1]: int(allowing[2])}
        blamed = re.search(r'There is no (\w+) "(\w+)"', failure["message"])
        assert blamed is not None, failure
        right = _named(shown) or re.findall(r"Did you mean (\w+)", failure["next_action"])[0]
        return {"sql": re.sub(rf"\b{blamed[2]}\b", right, sql)}


def _named(shown: Mapping[str, Any]) -> str | None:
    """The name of what a call has shown: of a table, or of the schema that is used unless another one is named."""
    if "schemas" in shown:
        return next(str(schema["name"]) for schema in shown["schemas"] if schema["default"])
    return shown.get("name")


@pytest.fixture(scope="module")
def oracle(demo_tables: DemoTables) -> Any:
    with demo_data.oracle(demo_tables.files) as connection:
        yield connection


@pytest.fixture(scope="module")
def wire(
    demo_tables: DemoTables,
    addresses: Addresses,
    auth_server: AuthServer,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Wire]:
    """The endpoint of a server with the schemas of `make run`, and a low bound of what is read unasked."""
    directory, endpoint_url = tmp_path_factory.mktemp("recovery"), demo_tables.emulator.endpoint_url
    settings = {"MCP_CONFIRM_READ_UNITS": str(CONFIRMED_READ_UNITS)}
    with demo_replica(addresses, directory, endpoint_url, **settings) as server:
        yield Wire(server.resource, auth_server.token())


def followed(wire: Wire, oracle: duckdb.DuckDBPyConnection, statement: Statement) -> list[str]:
    """The tools that a statement led to, whose answer was the right one."""
    written, meant = statement
    row = oracle.execute(meant).fetchone()
    assert row is not None
    follower = Follower(wire, [])
    assert [[str(value) for value in found] for found in follower.rows(written)] == [[str(value) for value in row]]
    return follower.led


@pytest.mark.parametrize("name", FOREIGN)
def test_a_foreign_dialect_leads_to_the_same_statement_in_this_one(
    name: str, wire: Wire, oracle: duckdb.DuckDBPyConnection
) -> None:
    assert followed(wire, oracle, FOREIGN[name]) == ["run_sql"]


@pytest.mark.parametrize("name", MISSPELT)
def test_a_misspelt_name_leads_to_the_one_there_is(name: str, wire: Wire, oracle: duckdb.DuckDBPyConnection) -> None:
    followed(wire, oracle, MISSPELT[name])


@pytest.mark.parametrize("name", REFUSED)
def test_a_scan_that_is_refused_leads_to_what_it_takes_and_what_allows_it(
    name: str, wire: Wire, oracle: duckdb.DuckDBPyConnection
) -> None:
    assert followed(wire, oracle, REFUSED[name])[-1] == "explain_sql"
