"""Bad input gets its documented code over the wire, and leaves the server as healthy as before."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests.support.demo_data import DemoTables
from tests.support.mcp_wire import ERAS, MODERN, Era, ToolFailed, Wire
from tests.support.services import Addresses, AuthServer, McpServer, mcp_replica

pytestmark = pytest.mark.slow

REFUSED = [
    ("insert into orders values (1)", "statement_not_allowed"),
    ("update orders set o_comment = ''", "statement_not_allowed"),
    ("delete from orders", "statement_not_allowed"),
    ("drop table orders", "statement_not_allowed"),
    ("create table t as select 1", "statement_not_allowed"),
    ("copy (select 1) to '/tmp/stolen.csv'", "statement_not_allowed"),
    ("attach 'x.db'", "statement_not_allowed"),
    ("install httpfs", "statement_not_allowed"),
    ("load httpfs", "statement_not_allowed"),
    ("set memory_limit = '100GB'", "statement_not_allowed"),
    ("pragma version", "statement_not_allowed"),
    ("call pragma_version()", "statement_not_allowed"),
    ("export database '/tmp/x'", "statement_not_allowed"),
    ("explain analyze select 1", "statement_not_allowed"),
    ("select 1; select 2", "statement_not_allowed"),
    ("select 1; drop table orders", "statement_not_allowed"),
    ("with x as (delete from orders returning *) select * from x", "statement_not_allowed"),
    ("select * from nowhere", "unknown_table"),
    ("select * from '/etc/passwd'", "unknown_table"),
    ('select * from "/etc/passwd"', "unknown_table"),
    ("select * from information_schema.tables", "unknown_schema"),
    ("select * from duckdb_settings", "unknown_table"),
    ("select nothing from orders", "unknown_column"),
    ("select * from read_csv('/etc/passwd')", "function_not_allowed"),
    ("select * from glob('/*')", "function_not_allowed"),
    ("select * from duckdb_settings()", "function_not_allowed"),
    ("select getenv('HOME')", "function_not_allowed"),
    ("select current_setting('memory_limit')", "function_not_allowed"),
    ("select read_text('/etc/passwd')", "function_not_allowed"),
    ("select from where", "syntax_error"),
    ("select (1", "syntax_error"),
    ("", "invalid_argument"),
    ("   ", "invalid_argument"),
    ("-- nothing", "statement_not_allowed"),
    ("select cast(r_name as integer) from region", "evaluation_error"),
    ("select error('x') from region", "function_not_allowed"),
    ("select n_name from nation n1, nation n2", "ambiguous_name"),
]


@pytest.fixture(scope="module")
def token(auth_server: AuthServer) -> str:
    """Automation's token."""
    return auth_server.token()


def failure(wire: Wire, tool: str = "run_sql", **arguments: Any) -> dict[str, Any]:
    """The document of a call that must fail."""
    with pytest.raises(ToolFailed) as failed:
        wire.call(tool, **arguments)
    return failed.value.failure


def assert_healthy(mcp_server: McpServer, token: str) -> None:
    """It says that it is ready, and answers a query that needs emulator and engine."""
    assert httpx2.get(f"{mcp_server.origin}/readyz").status_code == 200
    assert Wire(mcp_server.resource, token).rows("select count(*) as n from nation") == [[25]]


@pytest.mark.parametrize(("sql", "code"), REFUSED)
def test_a_bad_statement_gets_its_code_and_a_next_step(sql: str, code: str, mcp_server: McpServer, token: str) -> None:
    document = failure(Wire(mcp_server.resource, token), sql=sql)
    assert document["code"] == code
    assert document["message"]
    assert document["next_action"]
    assert document["request_id"]


@pytest.mark.parametrize("era", ERAS)
def test_explaining_a_bad_statement_gives_the_same_code(era: Era, mcp_server: McpServer, token: str) -> None:
    wire = Wire(mcp_server.resource, token, era)
    for sql, code in REFUSED[:3] + REFUSED[17:18]:
        assert failure(wire, "explain_sql", sql=sql)["code"] == code


FOLLOWED = [
    ("select n_nam from nation where n_nationkey = 3", ["run_sql"]),
    ('select count(*) from nation where n_name = "GERMANY"', ["run_sql"]),
    ("select top 3 n_name from nation", ["run_sql"]),
    ("selct n_name from nation", ["run_sql"]),
    ("select n_name from natoin", ["run_sql"]),
    ("select n_name from something_else", ["list_tables"]),
    ("select nothing_like_it from nation", ["describe_table"]),
    ("select n_name from nowhere.nation", ["list_schemas"]),
    ("describe nation", ["describe_table"]),
    ("show tables", ["list_tables"]),
    ("explain select n_name from nation", ["explain_sql"]),
    ("select count(*) from information_schema.tables", ["list_tables"]),
]


@pytest.mark.parametrize(("sql", "tools"), FOLLOWED)
def test_the_next_call_works(sql: str, tools: list[str], mcp_server: McpServer, token: str) -> None:
    """A client that does what `next_call` says, and nothing else, gets on."""
    wire = Wire(mcp_server.resource, token)
    made = list[str]()
    call = failure(wire, sql=sql)["next_call"]
    while call is not None and len(made) < 5:
        made.append(call["tool"])
        try:
            wire.call(call["tool"], **call["arguments"])
            call = None
        except ToolFailed as failed:
            call = failed.failure.get("next_call")
    assert made == tools


def test_a_call_that_the_token_does_not_cover_is_not_proposed(auth_server: AuthServer, mcp_server: McpServer) -> None:
    client = auth_server.create_client("--confidential", "--name", "Querying only", "--scope", "query")
    wire = Wire(mcp_server.resource, auth_server.token(client=client))
    assert "next_call" not in failure(wire, sql="show tables")
    assert failure(wire, sql="explain select 1")["next_call"] == {
        "tool": "explain_sql",
        "arguments": {"sql": "select 1"},
    }


@pytest.mark.parametrize("era", ERAS)
def test_bad_arguments_get_their_code(era: Era, mcp_server: McpServer, token: str) -> None:
    wire = Wire(mcp_server.resource, token, era)
    select = "select * from region"
    assert failure(wire, sql=select, schema_name="nowhere")["code"] == "unknown_schema"
    assert failure(wire, sql=select, max_rows=0)["code"] == "invalid_argument"
    assert failure(wire, sql=select, max_rows=1001)["code"] == "invalid_argument"
    assert failure(wire, sql=select, max_rows="many")["code"] == "invalid_argument"
    assert failure(wire, sql=select, surprise=True)["code"] == "invalid_argument"
    assert failure(wire, sql=7)["code"] == "invalid_argument"
    assert failure(wire)["code"] == "invalid_argument"
    assert failure(wire, sql="select ?", parameters=[])["code"] == "invalid_parameters"
    assert failure(wire, sql=select, cursor="garbage")["code"] == "cursor_invalid"
    assert failure(wire, "describe_table", table_name="nowhere")["code"] == "unknown_table"
    assert failure(wire, "list_tables", refresh="sometimes")["code"] == "invalid_argument"


def test_another_tenants_schema_does_not_exist(mcp_server: McpServer, token: str) -> None:
    wire = Wire(mcp_server.resource, token)
    assert [schema["name"] for schema in wire.call("list_schemas")["schemas"]] == ["demo"]
    known = failure(wire, sql="select * from region", schema_name="elsewhere")
    unknown = failure(wire, sql="select * from region", schema_name="missing__")
    assert known["code"] == unknown["code"] == "unknown_schema"
    assert known["message"].replace("elsewhere", "missing__") == unknown["message"]


def test_a_cursor_is_only_good_for_its_owner_and_its_query(
    auth_server: AuthServer, mcp_server: McpServer, token: str
) -> None:
    sql = "select o_orderkey from orders order by o_orderkey"
    wire = Wire(mcp_server.resource, token)
    cursor = wire.call("run_sql", sql=sql, max_rows=10)["next_cursor"]
    stranger = auth_server.create_client("--confidential", "--name", "Stranger", "--scope", "query")
    theirs = Wire(mcp_server.resource, auth_server.token(client=stranger))
    assert failure(theirs, sql=sql, cursor=cursor, max_rows=10)["code"] == "cursor_invalid"
    assert failure(wire, sql="select o_orderkey from orders", cursor=cursor)["code"] == "cursor_invalid"
    for position in (0, len(cursor) // 2, len(cursor) - 1):
        other = "A" if cursor[position] != "A" else "B"
        forged = cursor[:position] + other + cursor[position + 1 :]
        assert failure(wire, sql=sql, cursor=forged, max_rows=10)["code"] == "cursor_invalid"
    second = wire.call("run_sql", sql=sql, cursor=cursor, max_rows=10)
    assert len(second["rows"]) == 10
    assert wire.call("run_sql", sql=sql, cursor=cursor, max_rows=10)["rows"] == second["rows"]


def test_an_unknown_tool_and_an_unknown_method_are_protocol_errors(mcp_server: McpServer, token: str) -> None:
    """MCP 2026-07-28: -32602 for an unknown tool, 404 with -32601 for an unknown method."""
    wire = Wire(mcp_server.resource, token, MODERN)
    answer = wire.send("tools/call", {"name": "drop_table", "arguments": {}})
    assert answer.json()["error"]["code"] == -32602
    answer = wire.send("tables/drop")
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, -32601)


def test_a_query_past_its_deadline_ends_while_others_go_on(
    addresses: Addresses, demo_tables: DemoTables, token: str, tmp_path: Path
) -> None:
    """The cross join alone would take hours; MCP_DEADLINE_SECONDS ends it."""
    endless = "select count(*) from lineitem a, orders b, orders c where a.l_comment || b.o_comment < c.o_comment"
    replica = mcp_replica(addresses, tmp_path, demo_tables.emulator.endpoint_url, MCP_DEADLINE_SECONDS="8")
    with replica as mcp_server, ThreadPoolExecutor(1) as pool:
        running = pool.submit(failure, Wire(mcp_server.resource, token), sql=endless)
        others = 0
        while not running.done():
            assert_healthy(mcp_server, token)
            others += not running.done()
        assert running.result()["code"] == "deadline_exceeded"
        assert others, "no other call was answered while the query ran"
        assert_healthy(mcp_server, token)
