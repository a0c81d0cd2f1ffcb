"""A trace goes from the client through the MCP tier to DynamoDB, and is joined to the sign-in by the grant."""

import json
import secrets
import socket
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import httpx2
import pytest

from tests.support.collector import Collector, ToldSpan, collecting
from tests.support.demo_data import DemoTables
from tests.support.mcp_wire import ERAS, MODERN, Era, Wire, rpc_reply
from tests.support.processes import wait_for
from tests.support.services import Addresses, AuthServer, McpServer, auth_serving, claims, mcp_serving

pytestmark = pytest.mark.slow

SQL = "select r_name from region where r_regionkey = '1'"
GROUPED = [
    ("select n_regionkey, count(*) from nation group by 1", "DynamoDB.Scan", "nation", 5),
    ("select l_linenumber, count(*) from lineitem where l_orderkey = 1 group by 1", "DynamoDB.Query", "lineitem", 6),
]
"""Statements that DuckDB evaluates: what is asked for of which table, and how many groups there are."""
PROMPT = {"OTEL_BSP_SCHEDULE_DELAY": "100"}
EXPORTED_WITHIN_SECONDS = 30


@dataclass(frozen=True, slots=True)
class Traced:
    """Both services, and where their traces go."""

    auth: AuthServer
    mcp: McpServer
    collector: Collector

    def spans(self, trace_id: str, complete: Callable[[list[ToldSpan]], bool]) -> list[ToldSpan]:
        """The spans of a trace, once they are complete."""
        wait_for(lambda: complete(self.collector.of(trace_id)), EXPORTED_WITHIN_SECONDS, f"the spans of {trace_id}")
        return self.collector.of(trace_id)


@pytest.fixture(scope="module")
def traced(demo_tables: DemoTables, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Traced]:
    """A pair that tells a collector what it does."""
    directory, addresses = tmp_path_factory.mktemp("traced"), Addresses()
    endpoint = demo_tables.emulator.endpoint_url
    with (
        collecting() as collector,
        auth_serving(addresses, directory, AUTH_TRACES_URL=collector.url, **PROMPT) as auth,
        mcp_serving(addresses, directory, endpoint, MCP_TRACES_URL=collector.url, **PROMPT) as mcp,
    ):
        yield Traced(auth, mcp, collector)


def traceparent(trace_id: str, span_id: str = "00f067aa0ba902b7", *, sampled: bool = True) -> str:
    """The header of a caller's span."""
    return f"00-{trace_id}-{span_id}-{'01' if sampled else '00'}"


def called(wire: Wire, sql: str, headers: dict[str, str]) -> httpx2.Response:
    """The answer to a statement, asked with these headers."""
    request = wire.request("tools/call", {"name": "run_sql", "arguments": {"sql": sql}})
    request.headers.update(headers)
    with httpx2.Client(timeout=60) as http:
        return http.send(request)


def is_whole(spans: list[ToldSpan]) -> bool:
    """Whether the request's own span has come, which ends last."""
    return any(span.name == "POST /mcp" for span in spans)


@pytest.mark.parametrize("era", ERAS)
def test_a_call_is_one_trace_from_the_clients_span_to_dynamodb(traced: Traced, era: Era) -> None:
    token, trace_id = traced.auth.token(), secrets.token_hex(16)
    wire = Wire(traced.mcp.resource, token, era)
    assert called(wire, SQL, {"traceparent": traceparent(trace_id)}).status_code == 200
    spans = {span.name: span for span in traced.spans(trace_id, is_whole)}
    parents = {
        "POST /mcp": "00f067aa0ba902b7",
        "tools/call run_sql": spans["POST /mcp"].span_id,
        "parse": spans["tools/call run_sql"].span_id,
        "plan": spans["tools/call run_sql"].span_id,
    }
    assert {name: spans[name].parent for name in parents} == parents
    request, call = spans["POST /mcp"], spans["tools/call run_sql"]
    assert request.attributes == {
        "http.request.method": "POST",
        "http.route": "/mcp",
        "http.response.status_code": 200,
    }
    assert call.attributes["gen_ai.tool.name"] == "run_sql"
    assert call.attributes["mcp.protocol.version"] == era
    reading = spans["DynamoDB.GetItem" if "DynamoDB.GetItem" in spans else "DynamoDB.BatchGetItem"]
    assert reading.attributes["aws.dynamodb.table_names"] == ["region"]
    assert call.events["tool_call"]["tables"] == '["demo.region"]'
    assert call.events["tool_call"]["grant"] == claims(token)["gid"]
    assert not any(span.failed for span in spans.values())
    line = next(line for line in map(json.loads, traced.mcp.log.read_text().splitlines()) if trace_id in line.values())
    assert line["trace_id"] == trace_id


@pytest.mark.parametrize(("sql", "request_name", "table", "groups"), GROUPED)
def test_the_requests_that_feed_an_evaluation_are_inside_its_span(
    sql: str, request_name: str, table: str, groups: int, traced: Traced
) -> None:
    trace_id = secrets.token_hex(16)
    called(Wire(traced.mcp.resource, traced.auth.token()), sql, {"traceparent": traceparent(trace_id)})
    spans = traced.spans(trace_id, is_whole)
    (call,) = (span for span in spans if span.name == "tools/call run_sql")
    (evaluation,) = (span for span in spans if span.name == "duckdb")
    assert (evaluation.parent, evaluation.failed) == (call.span_id, False)
    assert evaluation.attributes["db.system.name"] == "duckdb"
    assert evaluation.attributes["db.response.returned_rows"] == groups
    inside = [span for span in spans if span.parent == evaluation.span_id]
    assert {span.name for span in inside} == {request_name}
    assert {tuple(span.attributes["aws.dynamodb.table_names"]) for span in inside} == {(table,)}
    assert evaluation.nanoseconds >= max(span.nanoseconds for span in inside)


def test_a_failed_call_says_so_without_a_text(traced: Traced) -> None:
    token, trace_id = traced.auth.token(), secrets.token_hex(16)
    called(Wire(traced.mcp.resource, token), "select secretword from region", {"traceparent": traceparent(trace_id)})
    spans = {span.name: span for span in traced.spans(trace_id, is_whole)}
    assert spans["tools/call run_sql"].attributes["error.type"] == "tool_error"
    assert spans["plan"].attributes["error.type"] == "Failure"
    assert spans["plan"].failed
    assert not any(b"secretword" in body for body in traced.collector.bodies)


def test_the_sign_in_is_found_by_the_grant_of_the_call(traced: Traced) -> None:
    token, trace_id = traced.auth.token(), secrets.token_hex(16)
    called(Wire(traced.mcp.resource, token), SQL, {"traceparent": traceparent(trace_id)})
    grant = claims(token)["gid"]

    def issued() -> list[ToldSpan]:
        return [
            span
            for span in traced.collector.spans
            if span.service == "auth-server" and span.events.get("tokens_issued", {}).get("grant") == grant
        ]

    wait_for(lambda: bool(issued()), EXPORTED_WITHIN_SECONDS, "the trace of the token request")
    (span,) = issued()
    assert span.name == "POST /token"
    assert span.attributes == {
        "http.request.method": "POST",
        "http.route": "/token",
        "http.response.status_code": 200,
    }


def test_the_traceparent_of_a_message_goes_before_the_requests(traced: Traced) -> None:
    """A client that keeps one connection for many users says in the message whose it is."""
    wire, trace_id, of_http = (
        Wire(traced.mcp.resource, traced.auth.token()),
        secrets.token_hex(16),
        secrets.token_hex(16),
    )
    request = wire.request("tools/call", {"name": "list_schemas", "arguments": {}})
    document = json.loads(request.content)
    document["params"]["_meta"]["traceparent"] = traceparent(trace_id)
    headers = {name: value for name, value in request.headers.items() if name != "content-length"}
    headers["traceparent"] = traceparent(of_http)
    answer = httpx2.post(wire.resource, json=document, headers=headers)
    assert "result" in rpc_reply(answer)
    (http,) = traced.spans(of_http, is_whole)
    (call,) = traced.spans(trace_id, bool)
    assert (call.name, call.parent, call.links) == ("tools/call list_schemas", "00f067aa0ba902b7", (http.span_id,))


@pytest.mark.parametrize(
    "header", ["", "00-zz-1-01", "00-" + "0" * 32 + "-00f067aa0ba902b7-01", "x" * 5000, "00-\t;=,"]
)
def test_a_call_with_a_bad_traceparent_is_answered_in_a_trace_of_its_own(traced: Traced, header: str) -> None:
    before = len(traced.collector.spans)
    answer = called(Wire(traced.mcp.resource, traced.auth.token()), SQL, {"traceparent": header})
    assert answer.status_code == 200

    def new() -> list[ToldSpan]:
        return [span for span in traced.collector.spans[before:] if span.name == "POST /mcp"]

    wait_for(lambda: bool(new()), EXPORTED_WITHIN_SECONDS, "the trace")
    assert {span.parent for span in new()} == {""}


def test_a_caller_can_ask_not_to_be_traced(traced: Traced) -> None:
    wire, quiet, heard = Wire(traced.mcp.resource, traced.auth.token()), secrets.token_hex(16), secrets.token_hex(16)
    called(wire, SQL, {"traceparent": traceparent(quiet, sampled=False)})
    called(wire, SQL, {"traceparent": traceparent(heard)})
    traced.spans(heard, is_whole)
    assert traced.collector.of(quiet) == []


def test_a_collector_that_does_not_answer_holds_nothing_up(
    demo_tables: DemoTables, tmp_path_factory: pytest.TempPathFactory
) -> None:
    directory, addresses = tmp_path_factory.mktemp("silent"), Addresses()
    with socket.create_server(("127.0.0.1", 0)) as silent, auth_serving(addresses, directory) as auth:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/v1/traces"
        with mcp_serving(addresses, directory, demo_tables.emulator.endpoint_url, MCP_TRACES_URL=url) as mcp:
            wire = Wire(mcp.resource, auth.token(), MODERN)
            for _ in range(20):
                assert wire.rows(SQL) == [["AMERICA"]]
            stopping = time.monotonic()
            mcp.server.stop()
            assert time.monotonic() - stopping < 25
            assert '"stopped"' in mcp.log.read_text()
