"""Handshake clients that show forms get a session that says so, and are asked before a query costs much."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import anyio
import httpx2
import pytest
from mcp import Client
from mcp.client.context import ClientRequestContext
from mcp.client.session import ElicitationFnT
from mcp.types import ElicitRequestParams, ElicitResult
from structlog.testing import capture_logs

from mcp_server.adapters.single_use import SingleUseInMemory
from mcp_server.domain.principal import Principal
from mcp_server.surface.offer import Offer
from mcp_server.surface.sessions import HEADER
from mcp_server.surface.tools.confirmation import Confirmations
from mcp_server.surface.tools.run_sql import run_sql
from mcp_server.surface.tools.served_tool import ServedTool
from shared_kernel.entropy import SystemEntropy
from tests.mcp_server.doubles.catalog import HeldCatalog
from tests.mcp_server.doubles.items import HeldItems
from tests.mcp_server.doubles.planning import InProcessPlanning
from tests.mcp_server.doubles.relational import InProcessDuckDb
from tests.mcp_server.doubles.stores import TablesInMemory
from tests.mcp_server.engine.conftest import ANN, Ports, Service, schemas_at
from tests.mcp_server.surface.exchanges import Answer, Exchanges
from tests.mcp_server.surface.service import running_service
from tests.support.clock import SettableClock
from tests.support.mcp_wire import MODERN, Era, message

pytestmark = pytest.mark.anyio

COUNT = "SELECT count(*) FROM big"
DEAR = "SELECT max(n) FROM dear WHERE pk IN ('0', '1')"
FORMS: dict[str, Any] = {"elicitation": {}}
YES: dict[str, Any] = {"action": "accept", "content": {"read_it_all": True}}
HANDSHAKE: Era = "2025-11-25"


async def asking_tool(**more: float) -> ServedTool:
    """run_sql over a table of 30 items, of which 20 may be scanned unasked, and one that takes 20 read units.

    Three units are read unasked.
    """
    clock, tables = SettableClock(), TablesInMemory()
    ports = Ports(
        tables, HeldCatalog(tables.held, clock), HeldItems(tables.held), InProcessDuckDb(), InProcessPlanning()
    )
    service = Service(ports, clock, schemas_at("eu-central-1", None))
    await service.create("big", [{"pk": {"S": str(number)}} for number in range(30)])
    items = [{"pk": {"S": str(number % 4)}, "n": {"N": str(number)}, "x": {"S": "x" * 4000}} for number in range(40)]
    await service.create("dear", items, range_key="n")
    confirmations = Confirmations(SingleUseInMemory(clock), SystemEntropy(), lifetime_seconds=600)
    return run_sql(service.queries(full_scan_items=20, confirm_read_units=3.0), confirmations, **more)


@pytest.fixture
async def served() -> Exchanges:
    """The tool, message by message."""
    return Exchanges(Offer(tools=(await asking_tool(),)))


def of_session(session: str | None, method: str, params: dict[str, Any]) -> tuple[dict[str, Any], dict[str, str]]:
    """A request of a handshake client that has this session."""
    document, headers = message(HANDSHAKE, 1, method, params)
    return document, headers if session is None else {**headers, HEADER: session}


async def begun(
    served: Exchanges, capabilities: dict[str, Any], *, version: str = HANDSHAKE, principal: Principal = ANN
) -> str | None:
    """The session that a client gets with its handshake."""
    client = {"name": "c", "version": "1"}
    params = {"protocolVersion": version, "capabilities": capabilities, "clientInfo": client}
    document, headers = message(HANDSHAKE, 1, "initialize", params)
    del headers["MCP-Protocol-Version"]
    answer = await served.post(document, headers, principal=principal)
    assert answer.messages[0]["result"]["protocolVersion"] == version
    return answer.headers.get(HEADER)


ARGUMENTS: dict[str, Any] = {"allow_full_scan": True, "max_read_units": 50}


def call(session: str | None, sql: str = COUNT, **arguments: Any) -> tuple[dict[str, Any], dict[str, str]]:
    """A query of a client that has this session."""
    return of_session(session, "tools/call", {"name": "run_sql", "arguments": {"sql": sql, **arguments}})


@pytest.mark.parametrize("capabilities", [FORMS, {"elicitation": {"form": {}, "url": {}}, "sampling": {}}])
@pytest.mark.parametrize("version", ["2025-06-18", HANDSHAKE])
async def test_a_client_that_shows_forms_gets_a_session(
    served: Exchanges, capabilities: dict[str, Any], version: str
) -> None:
    one, another = [await begun(served, capabilities, version=version) for _ in range(2)]
    assert one is not None
    assert one != another
    assert one.isascii()
    assert one.isprintable()
    assert " " not in one


@pytest.mark.parametrize(
    ("capabilities", "version"),
    [({}, HANDSHAKE), ({"sampling": {}}, HANDSHAKE), ({"elicitation": {"url": {}}}, HANDSHAKE), (FORMS, "2025-03-26")],
)
async def test_a_client_that_shows_none_gets_no_session(
    served: Exchanges, capabilities: dict[str, Any], version: str
) -> None:
    assert await begun(served, capabilities, version=version) is None


async def test_a_handshake_that_fails_begins_no_session(served: Exchanges) -> None:
    answer = await served.post(*of_session(None, "initialize", {"capabilities": FORMS}), principal=ANN)
    assert "error" in answer.messages[0]
    assert HEADER not in answer.headers


async def test_a_session_counts_on_every_replica_for_its_principal_alone(served: Exchanges) -> None:
    """With every kind of message; a step-up, which may come with another grant, is no other principal."""
    session, other = await begun(served, FORMS), Exchanges(Offer(tools=(await asking_tool(),)))
    assert session is not None
    notification, headers = of_session(session, "notifications/initialized", {})
    del notification["id"]
    response = {"jsonrpc": "2.0", "id": "unknown", "result": {}}
    requests = [of_session(session, "ping", {}), (notification, headers), (response, headers)]

    async def statuses(principal: Principal) -> list[int]:
        return [(await other.post(*request, principal=principal)).status for request in requests]

    assert await statuses(replace(ANN, grant="another", scopes=frozenset())) == [200, 202, 400]
    for stranger in (replace(ANN, subject="usr"), replace(ANN, tenant="globex"), replace(ANN, client_id="c")):
        assert await statuses(stranger) == [404, 404, 404]


@pytest.mark.parametrize("made_up", ["x", "x" * 64, "é" * 64, "=" * 64, ""])
async def test_a_session_that_was_made_up_is_not_found(served: Exchanges, made_up: str) -> None:
    answer = await served.post(*of_session(made_up, "ping", {}), principal=ANN)
    assert answer.status == 404
    assert answer.messages[0]["error"]["message"] == "Session not found"


async def test_a_session_that_was_changed_anywhere_is_not_found(served: Exchanges) -> None:
    session = await begun(served, FORMS)
    assert session is not None
    for place in range(len(session)):
        changed = session[:place] + ("A" if session[place] != "A" else "B") + session[place + 1 :]
        assert (await served.post(*of_session(changed, "ping", {}), principal=ANN)).status == 404
    assert await begun(served, FORMS) is not None


async def test_a_new_handshake_and_the_newest_revision_ignore_a_session_that_is_not_there(served: Exchanges) -> None:
    document, headers = message(MODERN, 1, "tools/list", {})
    assert (await served.post(document, {**headers, HEADER: "made up"}, principal=ANN)).status == 200
    params = {"protocolVersion": HANDSHAKE, "capabilities": FORMS, "clientInfo": {"name": "c", "version": "1"}}
    answer = await served.post(*of_session("made up", "initialize", params), principal=ANN)
    assert answer.status == 200
    assert answer.headers[HEADER] != "made up"


@asynccontextmanager
async def asked(
    served: Exchanges, session: str | None, sql: str = COUNT, **arguments: Any
) -> AsyncIterator[tuple[Answer, str, str]]:
    """A query of which a person is asked: its answer to be, the id of the question, and its text."""
    answer = Answer()
    with anyio.fail_after(30):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(lambda: served.post(*call(session, sql, **arguments), principal=ANN, answer=answer))
            question = await answer.of_method("elicitation/create")
            yield answer, question["id"], question["params"]["message"]


@pytest.mark.parametrize("arguments", [{}, ARGUMENTS], ids=["unasked", "a model that says it may"])
@pytest.mark.parametrize(
    ("sql", "rows", "text"), [(COUNT, [[30]], 'all of "shop.big"'), (DEAR, [["37"]], "read units: $")]
)
async def test_a_query_goes_on_after_a_yes(
    served: Exchanges, sql: str, rows: list[Any], text: str, arguments: dict[str, Any]
) -> None:
    session = await begun(served, FORMS)
    async with asked(served, session, sql, **arguments) as (answer, identifier, message_):
        assert text in message_
        reply = {"jsonrpc": "2.0", "id": identifier, "result": YES}
        assert (await served.post(reply, call(session)[1], principal=ANN)).status == 202
    found = answer.messages[-1]["result"]["structuredContent"]["rows"]
    assert [[str(value) for value in row] for row in found] == [[str(value) for value in row] for row in rows]


@pytest.mark.parametrize(
    "answer",
    [
        {"result": {"action": "decline"}},
        {"result": {"action": "cancel"}},
        {"result": {"action": "accept", "content": {"read_it_all": False}}},
        {"result": {"action": "perhaps"}},
        {"result": {}},
        {"error": {"code": -32603, "message": "no person here"}},
    ],
)
async def test_anything_but_a_yes_is_a_refusal_that_names_the_argument(
    served: Exchanges, answer: dict[str, Any]
) -> None:
    session = await begun(served, FORMS)
    async with asked(served, session, DEAR) as (reply, identifier, _):
        document = {"jsonrpc": "2.0", "id": identifier, **answer}
        assert (await served.post(document, call(session)[1], principal=ANN)).status == 202
    failure = reply.messages[-1]["result"]["structuredContent"]
    assert failure["code"] == "confirmation_required"
    assert "max_read_units" in failure["next_action"]


async def test_a_person_who_says_nothing_in_time_has_not_agreed() -> None:
    served = Exchanges(Offer(tools=(await asking_tool(answer_seconds=0.2),)))
    session = await begun(served, FORMS)
    with capture_logs() as logged:
        async with asked(served, session, DEAR) as (answer, identifier, _):
            cancelled = await answer.of_method("notifications/cancelled")
    [line] = [entry for entry in logged if entry["event"] == "tool_call"]
    assert (line["outcome"], line["asked_ms"] >= 190) == ("confirmation_required", True)
    assert cancelled["params"]["requestId"] == identifier
    assert answer.messages[-1]["result"]["structuredContent"]["code"] == "confirmation_required"
    late = {"jsonrpc": "2.0", "id": identifier, "result": YES}
    assert (await served.post(late, call(session)[1], principal=ANN)).status == 400


async def test_a_call_that_asks_is_cancelled_as_any_other(served: Exchanges) -> None:
    session = await begun(served, FORMS)
    async with asked(served, session) as (answer, _, _):
        document, headers = of_session(session, "notifications/cancelled", {"requestId": 1})
        del document["id"]
        assert (await served.post(document, headers, principal=ANN)).status == 202
    assert answer.messages[-1]["error"]["message"] == "Request cancelled"


async def test_a_client_that_goes_away_leaves_no_question(served: Exchanges) -> None:
    session, answer, gone = await begun(served, FORMS), Answer(), anyio.Event()
    with anyio.fail_after(30):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(lambda: served.post(*call(session), principal=ANN, answer=answer, gone=gone))
            question = await answer.of_method("elicitation/create")
            gone.set()
    reply = {"jsonrpc": "2.0", "id": question["id"], "result": YES}
    assert (await served.post(reply, call(session)[1], principal=ANN)).status == 400


async def refused(served: Exchanges, document: dict[str, Any], headers: dict[str, str]) -> bool:
    """Whether a query is refused at once, with what allows it."""
    [reply] = (await served.post(document, headers, principal=ANN)).messages
    return bool(reply["result"]["structuredContent"]["code"] == "full_scan_refused")


async def test_whoever_has_no_session_reads_no_streams_or_speaks_an_old_revision_is_not_asked(
    served: Exchanges,
) -> None:
    session = await begun(served, FORMS)
    document, headers = call(session)
    assert await refused(served, *call(None))
    assert await refused(served, document, {**headers, "Accept": "application/json"})
    assert await refused(served, document, {**headers, "MCP-Protocol-Version": "2025-03-26"})
    del headers["MCP-Protocol-Version"]
    assert await refused(served, document, headers)


async def test_questions_of_one_sign_in_are_bounded(served: Exchanges) -> None:
    session = await begun(served, FORMS)
    with anyio.fail_after(30):
        async with anyio.create_task_group() as tasks:
            for _ in range(4):
                answer = Answer()
                tasks.start_soon(lambda one: served.post(*call(session), principal=ANN, answer=one), answer)
                await answer.of_method("elicitation/create")
            assert await refused(served, *call(session))
            tasks.cancel_scope.cancel()


def saying(said: dict[str, Any], heard: list[str]) -> ElicitationFnT:
    """A person who says this to everything, and notes what they were asked."""

    async def elicit(context: ClientRequestContext, params: ElicitRequestParams) -> ElicitResult:
        heard.append(params.message)
        return ElicitResult.model_validate(said)

    return elicit


async def test_the_official_client_asks_its_person() -> None:
    heard: list[str] = []
    async with running_service(Offer(tools=(await asking_tool(),))) as service:

        async def rows(elicit: ElicitationFnT | None, mode: str = "legacy") -> Any:
            async with service.client(mode, elicit=elicit, tenant="acme") as client:
                return await asked_of(client)

        assert await rows(saying(YES, heard)) == [[30]]
        assert await rows(saying({"action": "decline"}, heard)) == "full_scan_refused"
        assert await rows(None) == "full_scan_refused"
        assert await rows(saying(YES, heard), MODERN) == [[30]]
        assert await rows(saying(YES, heard), "auto") == [[30]]
    assert len(heard) == 4
    assert all('all of "shop.big": about ' in message_ for message_ in heard)


async def asked_of(client: Client) -> Any:
    """The rows of a query that scans a large table, or the code of its failure."""
    document = (await client.call_tool("run_sql", {"sql": COUNT})).structured_content or {}
    return document.get("rows") or document["code"]


async def test_a_session_cannot_be_ended() -> None:
    """MCP, Session Management: a server that does not let clients end sessions answers DELETE with 405."""
    async with running_service(Offer(tools=(await asking_tool(),))) as service:
        token = service.issuer.token(tenant="acme")
        async with httpx2.AsyncClient(headers={"Authorization": f"Bearer {token}"}) as http:
            document, headers = message(HANDSHAKE, 1, "initialize", {})
            document["params"] = {
                "protocolVersion": HANDSHAKE,
                "capabilities": FORMS,
                "clientInfo": {"name": "c", "version": "1"},
            }
            session = (await http.post(service.resource, json=document, headers=headers)).headers[HEADER]
            ended = await http.delete(service.resource, headers={HEADER: session})
            assert (ended.status_code, ended.headers["Allow"]) == (405, "POST")
            document, headers = of_session(session, "ping", {})
            assert (await http.post(service.resource, json=document, headers=headers)).status_code == 200
            other = {"Authorization": f"Bearer {service.issuer.token(tenant='globex')}"}
            answer = await http.post(service.resource, json=document, headers={**headers, **other})
            assert answer.status_code == 404
