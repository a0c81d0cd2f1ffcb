"""The MCP endpoint on the wire, in both protocol eras, without the SDK: one POST, one answer."""

import itertools
import json
from dataclasses import dataclass, field
from typing import Any, Literal

import httpx2

Era = Literal["2026-07-28", "2025-11-25"]
ERAS: tuple[Era, ...] = ("2026-07-28", "2025-11-25")
MODERN: Era = "2026-07-28"
NAMED = {"tools/call": "name", "prompts/get": "name", "resources/read": "uri"}
"""The methods whose requests repeat a name or URI in a header, since 2026-07-28."""
CALL_SECONDS = 180.0


class ToolFailed(AssertionError):
    """A tool answered with an error; `failure` is its document."""

    def __init__(self, failure: dict[str, Any]) -> None:
        super().__init__(json.dumps(failure))
        self.failure = failure

    @property
    def code(self) -> str:
        """Which of the documented failures it is."""
        return str(self.failure["code"])


@dataclass(slots=True)
class Wire:
    """Speaks to one MCP endpoint with one token."""

    resource: str
    token: str
    era: Era = MODERN
    _ids: "itertools.count[int]" = field(default_factory=lambda: itertools.count(1))

    def request(self, method: str, params: dict[str, Any] | None = None) -> httpx2.Request:
        """The POST of one JSON-RPC request."""
        body, headers = message(self.era, next(self._ids), method, params or {})
        if self.token:
            headers["Authorization"] = f"Bearer {self.token}"
        return httpx2.Request("POST", self.resource, json=body, headers=headers)

    def send(self, method: str, params: dict[str, Any] | None = None) -> httpx2.Response:
        """The HTTP answer to one JSON-RPC request."""
        with httpx2.Client(timeout=CALL_SECONDS) as http:
            return http.send(self.request(method, params))

    def result(self, method: str, params: dict[str, Any] | None = None) -> dict[str, Any]:
        """The result of one JSON-RPC request; fails the test on any error."""
        answer = self.send(method, params)
        assert answer.status_code == 200, f"{answer.status_code}: {answer.text}"
        reply = rpc_reply(answer)
        assert "result" in reply, reply
        result: dict[str, Any] = reply["result"]
        return result

    def call(self, tool: str, **arguments: Any) -> dict[str, Any]:
        """The structured result of a tool. Raises ToolFailed."""
        result = self.result("tools/call", {"name": tool, "arguments": arguments})
        document: dict[str, Any] = result.get("structuredContent") or json.loads(result["content"][0]["text"])
        if result.get("isError"):
            raise ToolFailed(document)
        return document

    def rows(self, sql: str, **arguments: Any) -> list[list[Any]]:
        """All rows of a query, every page of it."""
        return self.table(sql, **arguments)[1]

    def table(self, sql: str, **arguments: Any) -> tuple[list[dict[str, str]], list[list[Any]]]:
        """The columns and all rows of a query, every page of it."""
        page = self.call("run_sql", sql=sql, **arguments)
        columns, rows = page["columns"], page["rows"]
        while page["next_cursor"]:
            page = self.call("run_sql", sql=sql, **arguments, cursor=page["next_cursor"])
            assert page["columns"] == columns
            rows += page["rows"]
        assert page["stop_reason"] == "complete", page["stop_reason"]
        return columns, rows


def message(era: Era, number: int, method: str, params: dict[str, Any]) -> tuple[dict[str, Any], dict[str, str]]:
    """A JSON-RPC request and the headers that go with it."""
    headers = {
        "Accept": "application/json, text/event-stream",
        "Content-Type": "application/json",
        "MCP-Protocol-Version": era,
    }
    if era == MODERN:
        headers["Mcp-Method"] = method
        if method in NAMED:
            headers["Mcp-Name"] = params[NAMED[method]]
        meta = {
            "io.modelcontextprotocol/protocolVersion": era,
            "io.modelcontextprotocol/clientCapabilities": {},
            "io.modelcontextprotocol/clientInfo": {"name": "wire", "version": "1"},
        }
        params = {**params, "_meta": meta}
    return {"jsonrpc": "2.0", "id": number, "method": method, "params": params}, headers


def rpc_reply(answer: httpx2.Response) -> dict[str, Any]:
    """The JSON-RPC reply in an answer, be it plain JSON or the last message of an event stream."""
    if answer.headers["content-type"].startswith("text/event-stream"):
        data = [line[5:] for line in answer.text.splitlines() if line.startswith("data:") and line[5:].strip()]
        reply: dict[str, Any] = json.loads(data[-1])
    else:
        reply = answer.json()
    return reply
