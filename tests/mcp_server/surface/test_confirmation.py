"""run_sql asks before it scans a large table, goes on only after a yes, and takes each yes once."""

from dataclasses import replace
from typing import Any

import pytest

from mcp_server.adapters.single_use import SingleUseInMemory
from mcp_server.domain.principal import Principal
from mcp_server.surface.offer import Offer
from mcp_server.surface.tools.confirmation import Confirmations
from mcp_server.surface.tools.run_sql import run_sql
from shared_kernel.entropy import SystemEntropy
from tests.mcp_server.doubles.catalog import HeldCatalog
from tests.mcp_server.doubles.items import HeldItems
from tests.mcp_server.doubles.planning import InProcessPlanning
from tests.mcp_server.doubles.relational import InProcessDuckDb
from tests.mcp_server.doubles.stores import TablesInMemory
from tests.mcp_server.engine.conftest import ANN, Ports, Service, schemas_at
from tests.mcp_server.surface.exchanges import Exchanges
from tests.support.clock import SettableClock
from tests.support.mcp_wire import MODERN, message

pytestmark = pytest.mark.anyio

COUNT = "SELECT count(*) FROM big"
YES: dict[str, Any] = {"action": "accept", "content": {"read_it_all": True}}
FORMS: dict[str, Any] = {"elicitation": {}}


@pytest.fixture(scope="module")
async def served() -> Exchanges:
    """run_sql over a table of 30 items, of which 20 may be scanned unasked."""
    clock, tables = SettableClock(), TablesInMemory()
    ports = Ports(
        tables, HeldCatalog(tables.held, clock), HeldItems(tables.held), InProcessDuckDb(), InProcessPlanning()
    )
    service = Service(ports, clock, schemas_at("eu-central-1", None))
    await service.create("big", [{"pk": {"S": str(number)}} for number in range(30)])
    confirmations = Confirmations(SingleUseInMemory(clock), SystemEntropy(), lifetime_seconds=600)
    return Exchanges(Offer(tools=(run_sql(service.queries(full_scan_items=20), confirmations),)))


async def call(
    served: Exchanges,
    sql: str = COUNT,
    *,
    capabilities: dict[str, Any] | None = None,
    principal: Principal = ANN,
    **more: Any,
) -> dict[str, Any]:
    """The reply to a call by a client with these capabilities, by default one that shows forms."""
    params = {"name": "run_sql", "arguments": {"sql": sql}, **more}
    document, headers = message(MODERN, 1, "tools/call", params)
    can = FORMS if capabilities is None else capabilities
    document["params"]["_meta"]["io.modelcontextprotocol/clientCapabilities"] = can
    [reply] = (await served.post(document, headers, principal=principal)).messages
    return reply


async def asked(served: Exchanges) -> str:
    """The state of a question."""
    result = (await call(served))["result"]
    assert result["resultType"] == "input_required"
    state: str = result["requestState"]
    return state


async def test_a_large_scan_asks_with_what_it_takes_and_goes_on_after_a_yes(served: Exchanges) -> None:
    result = (await call(served))["result"]
    question = result["inputRequests"]["full_scan"]
    assert question["method"] == "elicitation/create"
    assert 'all of "shop.big": about ' in question["params"]["message"]
    assert "items" in question["params"]["message"]
    assert "0.5 read units. It costs under $0.0000001 on demand" in question["params"]["message"]
    assert "list price of us-east-1, for want of eu-central-1" in question["params"]["message"]
    answered = await call(served, inputResponses={"full_scan": YES}, requestState=result["requestState"])
    assert answered["result"]["structuredContent"]["rows"] == [[30]]


@pytest.mark.parametrize(
    "answer",
    [
        {"action": "decline"},
        {"action": "cancel"},
        {"action": "accept", "content": {"read_it_all": False}},
        {"action": "accept", "content": {}},
    ],
)
async def test_anything_but_a_yes_is_a_refusal(served: Exchanges, answer: dict[str, Any]) -> None:
    reply = await call(served, inputResponses={"full_scan": answer}, requestState=await asked(served))
    assert reply["result"]["structuredContent"]["code"] == "full_scan_refused"


async def test_a_yes_counts_once(served: Exchanges) -> None:
    state = await asked(served)
    first = await call(served, inputResponses={"full_scan": YES}, requestState=state)
    assert first["result"]["structuredContent"]["row_count"] == 1
    second = await call(served, inputResponses={"full_scan": YES}, requestState=state)
    assert second["result"]["resultType"] == "input_required"
    assert second["result"]["requestState"] != state


async def test_a_yes_is_one_to_this_statement_of_this_principal(served: Exchanges) -> None:
    state = await asked(served)
    answers = {"full_scan": YES}
    others = [
        await call(served, "SELECT pk FROM big", inputResponses=answers, requestState=state),
        await call(served, inputResponses=answers, requestState=state, principal=replace(ANN, subject="usr_else")),
        await call(served, inputResponses=answers, requestState=f"{state[:-2]}AA"),
    ]
    assert {reply["error"]["message"] for reply in others} == {"Invalid or expired requestState"}
    unasked = await call(served, inputResponses=answers)
    assert unasked["result"]["resultType"] == "input_required"


@pytest.mark.parametrize("capabilities", [{}, {"elicitation": {"url": {}}}, {"sampling": {}}])
async def test_a_client_that_cannot_ask_is_told_the_argument(served: Exchanges, capabilities: dict[str, Any]) -> None:
    failure = (await call(served, capabilities=capabilities))["result"]["structuredContent"]
    assert failure["code"] == "full_scan_refused"
    assert "allow_full_scan" in failure["next_action"]
