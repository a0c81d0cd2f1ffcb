"""tools/call over HTTP with a verified JWT, in both protocol eras, beside the SDKs and beside ourselves unguarded."""

import itertools
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx2

from tests.bench.load import Answer, Caller, WrongAnswer
from tests.bench.measurement import AtLeast, Even, Row
from tests.bench.requests import post
from tests.bench.rows.query import replaying
from tests.bench.subjects import CONNECTIONS, Setting, Target, javascript, peer, python
from tests.support.emulator import CREDENTIALS
from tests.support.mcp_wire import ERAS, MODERN, Era, message, rpc_reply
from tests.support.processes import answers, running
from tests.support.services import Addresses, auth_serving, mcp_environment, mcp_serving

NAMES = ("call/2026-07-28", "call/2026-07-28-arguments", "call/handshake", "call/handshake-arguments")

OURS, UNGUARDED, PYTHON, TYPESCRIPT = "mcp-server", "without the guard", "Python SDK", "TypeScript SDK"
CALLS: Mapping[str, Mapping[str, Any]] = {
    "list_schemas": {},
    "describe_table": {"table_name": "items", "refresh": "skip"},
}
"""What is called: one tool without arguments, one with."""
MARKS = {"list_schemas": b'"schemas":[{', "describe_table": b'"columns":[{'}
"""What only a right answer to each holds."""
_CHANGING = {"refreshed", "refreshed_at"}
_FIRST_ID = 1_000_000
"""Ids are counted from here: all of one length, so that the length of a body never changes."""
_ID = b'"id":%d' % _FIRST_ID
_ITEMS = 2000
_REQUEST_SECONDS = 30


@dataclass(slots=True)
class Calling:
    """Calls one tool again and again, each time with another request id; callers of one target share the counter."""

    prepared: bytes
    mark: bytes
    ids: "itertools.count[int]"
    current: bytes = field(default=b"")

    def request(self) -> bytes:
        """The next call."""
        self.current = b'"id":%d' % next(self.ids)
        return self.prepared.replace(_ID, self.current, 1)

    def check(self, answer: Answer) -> None:
        """The result of that very call. Raises WrongAnswer."""
        body = answer.body
        if answer.status != 200 or self.mark not in body or self.current not in body or b'"isError":true' in body:
            raise WrongAnswer(answer)


@dataclass(frozen=True, slots=True)
class Endpoint:
    """An MCP endpoint under load, and the bearer token it is called with."""

    target: Target
    token: str

    def _headers(self, era: Era, method: str, params: dict[str, Any]) -> dict[str, str]:
        return {**message(era, 1, method, params)[1], "Authorization": f"Bearer {self.token}"}

    def send(self, era: Era, method: str, params: dict[str, Any], **headers: str) -> httpx2.Response:
        """The answer to one request."""
        body, _ = message(era, 1, method, params)
        url = f"http://localhost:{self.target.port}/mcp"
        answer = httpx2.post(
            url, json=body, headers=self._headers(era, method, params) | headers, timeout=_REQUEST_SECONDS
        )
        assert answer.status_code == 200, f"{self.target.name}: {answer.status_code} {answer.text}"
        return answer

    def session(self, era: Era) -> dict[str, str]:
        """The header of a session, where the server keeps one."""
        if era == MODERN:
            return {}
        client = {"name": "bench", "version": "1"}
        params = {"protocolVersion": era, "capabilities": {}, "clientInfo": client}
        answer = self.send(era, "initialize", params)
        assert rpc_reply(answer)["result"]["protocolVersion"] == era
        return {"Mcp-Session-Id": answer.headers["mcp-session-id"]} if "mcp-session-id" in answer.headers else {}

    def document(self, era: Era, tool: str, session: dict[str, str]) -> dict[str, Any]:
        """The structured content of one call's result."""
        params = {"name": tool, "arguments": dict(CALLS[tool])}
        reply = rpc_reply(self.send(era, "tools/call", params, **session))
        assert "result" in reply, reply
        result = reply["result"]
        assert not result.get("isError"), result
        document: dict[str, Any] = result["structuredContent"]
        assert json.loads(result["content"][0]["text"]) == document
        return {name: value for name, value in document.items() if name not in _CHANGING}

    def callers(self, era: Era, tool: str, expected: dict[str, Any]) -> Callable[[], Sequence[Caller]]:
        """The callers of a pass, once the server has shown that it answers as expected."""
        session = self.session(era)
        assert self.document(era, tool, session) == expected, self.target.name
        prepared = self.prepared(era, {"name": tool, "arguments": dict(CALLS[tool])}, session)
        ids = itertools.count(_FIRST_ID)
        return lambda: [Calling(prepared, MARKS[tool], ids) for _ in range(CONNECTIONS)]

    def prepared(self, era: Era, params: dict[str, Any], session: dict[str, str]) -> bytes:
        """A tools/call as it goes over the wire, with the first of all ids."""
        body, _ = message(era, _FIRST_ID, "tools/call", params)
        headers = self._headers(era, "tools/call", params) | session
        return post(self.target.port, "/mcp", json.dumps(body, separators=(",", ":")).encode(), headers)


@dataclass(frozen=True, slots=True)
class Pair:
    """Both services, and the replayed DynamoDB behind them; the endpoint as called by one client, and by another."""

    addresses: Addresses
    endpoint_url: str
    mcp_server: Endpoint
    elsewhere: Endpoint


@contextmanager
def serving(setting: Setting) -> Iterator[Pair]:
    """A pair of services with tokens for all of it."""
    with ExitStack() as stack:
        addresses = Addresses()
        replay = stack.enter_context(replaying(setting, _ITEMS))
        endpoint_url = f"http://127.0.0.1:{replay.port}"
        with setting.cores.pinned(setting.cores.servers):
            auth = stack.enter_context(auth_serving(addresses, setting.directory))
            mcp = stack.enter_context(mcp_serving(addresses, setting.directory, endpoint_url))
        target = Target(OURS, addresses.mcp_port, mcp.server, setting.cores.servers)
        scope = "schemas:read query"
        other = auth.token(scope, auth.create_client("--confidential", "--name", "Other", "--scope", scope))
        yield Pair(addresses, endpoint_url, Endpoint(target, auth.token(scope)), Endpoint(target, other))


@contextmanager
def rows(setting: Setting) -> Iterator[Sequence[Row]]:
    """The rows, over servers that run for as long as the block."""
    with ExitStack() as stack:
        pair = stack.enter_context(serving(setting))
        addresses, ours, token = pair.addresses, pair.mcp_server, pair.mcp_server.token
        bare = Endpoint(stack.enter_context(_unguarded(setting, pair.endpoint_url)), token)
        known = {tool: ours.document(MODERN, tool, {}) for tool in CALLS}
        assert [column["name"] for column in known["describe_table"]["columns"]][:2] == ["pk", "sk"]
        told = {"ISSUER": addresses.issuer, "RESOURCE": addresses.resource, "DOCUMENTS": json.dumps(known)}
        metadata = "/.well-known/oauth-protected-resource/mcp"
        sdk_python = stack.enter_context(peer(setting, PYTHON, python("peers.mcp_python"), metadata, told))
        sdk_typescript = stack.enter_context(
            peer(setting, TYPESCRIPT, javascript("mcp_typescript.mjs"), "/ready", told)
        )
        # The TypeScript SDK of this line speaks the handshake revisions only.
        peers = {MODERN: [Endpoint(sdk_python, token)]}
        peers["2025-11-25"] = [Endpoint(sdk_typescript, token), *peers[MODERN]]
        yield [
            _row(name, era, tool, [ours, *peers[era], bare], known[tool])
            for name, (era, tool) in zip(NAMES, itertools.product(ERAS, CALLS), strict=True)
        ]


def _row(name: str, era: Era, tool: str, endpoints: Sequence[Endpoint], expected: dict[str, Any]) -> Row:
    goal = AtLeast(1.5, PYTHON) if era == MODERN else AtLeast(1.2, TYPESCRIPT)
    return Row(
        name,
        f"POST /mcp: tools/call of {tool} under revision {era}, its token verified",
        [each.target.subject(each.callers(era, tool, expected)) for each in endpoints],
        [goal, AtLeast(0.9, UNGUARDED), Even(5)],
    )


@contextmanager
def _unguarded(setting: Setting, endpoint_url: str) -> Iterator[Target]:
    addresses = Addresses()
    directory = setting.directory / "unguarded"
    directory.mkdir()
    environment = mcp_environment(addresses, directory, endpoint_url, **CREDENTIALS)
    ready = answers(f"http://localhost:{addresses.mcp_port}/readyz")
    log = directory / "mcp-server.log"
    with (
        setting.cores.pinned(setting.cores.servers),
        running(UNGUARDED, python("servers.unguarded"), environment, log, ready) as server,
    ):
        yield Target(UNGUARDED, addresses.mcp_port, server, setting.cores.servers)
