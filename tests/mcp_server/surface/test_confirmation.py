"""run_sql asks before it scans a large table or costs much, goes on only after a yes, and takes each yes once."""

import re
import time
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
from mcp.server import request_state

from mcp_server.adapters.single_use import SingleUseInMemory
from mcp_server.domain.principal import Principal
from mcp_server.surface.offer import Offer
from mcp_server.surface.server import STATE_SECONDS
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
from tests.support.mcp_wire import ERAS, MODERN, Era, message

pytestmark = pytest.mark.anyio

COUNT = "SELECT count(*) FROM big"
DEAR = "SELECT max(n) FROM dear WHERE pk IN ('0', '1')"
NAMED = "SELECT count(named.x) FROM links JOIN named ON links.names = named.pk WHERE links.pk = 'many'"
YES: dict[str, Any] = {"action": "accept", "content": {"read_it_all": True}}
FORMS: dict[str, Any] = {"elicitation": {}}


@pytest.fixture
async def served() -> Exchanges:
    """run_sql as each test finds it: nothing was learned of what statements take."""
    return await serving()


async def serving(confirm_read_units: float = 3.0) -> Exchanges:
    """run_sql over a table of 30 items, of which 20 may be scanned unasked, and one that takes 20 read units.

    Three units are read unasked. A third table names 15 keys of a fourth, whose 100 items take one unit each.
    """
    clock, tables = SettableClock(), TablesInMemory()
    ports = Ports(
        tables, HeldCatalog(tables.held, clock), HeldItems(tables.held), InProcessDuckDb(), InProcessPlanning()
    )
    service = Service(ports, clock, schemas_at("eu-central-1", None))
    await service.create("big", [{"pk": {"S": str(number)}} for number in range(30)])
    items = [{"pk": {"S": str(number % 4)}, "n": {"N": str(number)}, "x": {"S": "x" * 4000}} for number in range(40)]
    await service.create("dear", items, range_key="n")
    links = [{"pk": {"S": "many"}, "n": {"N": str(number)}, "names": {"S": str(number)}} for number in range(15)]
    await service.create("links", [*links, {"pk": {"S": "one"}, "n": {"N": "0"}}], range_key="n")
    await service.create("named", [{"pk": {"S": str(number)}, "x": {"S": "x" * 8000}} for number in range(100)])
    await service.create("vast", [{"pk": {"S": str(number)}} for number in range(200)])
    tables.held["vast"].told_items = 1_000_000
    confirmations = Confirmations(SingleUseInMemory(clock), SystemEntropy(), lifetime_seconds=STATE_SECONDS)
    queries = service.queries(full_scan_items=20, confirm_read_units=confirm_read_units)
    return Exchanges(Offer(tools=(run_sql(queries, confirmations),)))


async def call(
    served: Exchanges,
    sql: str = COUNT,
    *,
    capabilities: dict[str, Any] | None = None,
    principal: Principal = ANN,
    era: Era = MODERN,
    arguments: dict[str, Any] | None = None,
    **more: Any,
) -> dict[str, Any]:
    """The reply to a call by a client with these capabilities, by default one that shows forms."""
    params = {"name": "run_sql", "arguments": {"sql": sql, **(arguments or {})}, **more}
    document, headers = message(era, 1, "tools/call", params)
    can = FORMS if capabilities is None else capabilities
    if era == MODERN:
        document["params"]["_meta"]["io.modelcontextprotocol/clientCapabilities"] = can
    [reply] = (await served.post(document, headers, principal=principal)).messages
    return reply


async def asked(served: Exchanges, sql: str = COUNT) -> str:
    """The state of a question."""
    result = (await call(served, sql))["result"]
    assert result["resultType"] == "input_required"
    state: str = result["requestState"]
    return state


async def test_a_large_scan_asks_with_what_it_takes_and_goes_on_after_a_yes(served: Exchanges) -> None:
    result = (await call(served))["result"]
    question = result["inputRequests"]["go_on"]
    assert question["method"] == "elicitation/create"
    assert 'all of "shop.big": about ' in question["params"]["message"]
    assert "items" in question["params"]["message"]
    assert "0.5 read units. It costs under $0.0000001 on demand" in question["params"]["message"]
    assert "list price of us-east-1, for want of eu-central-1" in question["params"]["message"]
    answered = await call(served, inputResponses={"go_on": YES}, requestState=result["requestState"])
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
    reply = await call(served, inputResponses={"go_on": answer}, requestState=await asked(served))
    assert reply["result"]["structuredContent"]["code"] == "full_scan_refused"


@pytest.mark.parametrize("sql", [COUNT, DEAR])
async def test_a_yes_counts_once(served: Exchanges, sql: str) -> None:
    state = await asked(served, sql)
    first = await call(served, sql, inputResponses={"go_on": YES}, requestState=state)
    assert first["result"]["structuredContent"]["row_count"] == 1
    second = await call(served, sql, inputResponses={"go_on": YES}, requestState=state)
    assert second["result"]["resultType"] == "input_required"
    assert second["result"]["requestState"] != state


@pytest.mark.parametrize("sql", [COUNT, DEAR])
async def test_a_yes_is_one_to_this_statement_of_this_principal(served: Exchanges, sql: str) -> None:
    state = await asked(served, sql)
    answers = {"go_on": YES}
    others = [
        await call(served, "SELECT pk FROM big", inputResponses=answers, requestState=state),
        await call(served, sql, inputResponses=answers, requestState=state, arguments={"max_rows": 7}),
        *[
            await call(served, sql, inputResponses=answers, requestState=state, principal=other)
            for other in (
                replace(ANN, subject="usr_else"),
                replace(ANN, tenant="globex"),
                replace(ANN, client_id="other"),
            )
        ],
        await call(served, sql, inputResponses=answers, requestState=f"{state[:-2]}AA"),
    ]
    assert {reply["error"]["message"] for reply in others} == {"Invalid or expired requestState"}
    unasked = await call(served, sql, inputResponses=answers)
    assert unasked["result"]["resultType"] == "input_required"


@pytest.mark.parametrize("sql", [COUNT, DEAR])
async def test_a_yes_counts_for_ten_minutes(served: Exchanges, sql: str, monkeypatch: pytest.MonkeyPatch) -> None:
    states = [await asked(served, sql) for _ in range(2)]
    began = time.time()
    monkeypatch.setattr(request_state, "time", SimpleNamespace(time=lambda: began + STATE_SECONDS - 1))
    in_time = await call(served, sql, inputResponses={"go_on": YES}, requestState=states[0])
    assert in_time["result"]["structuredContent"]["row_count"] == 1
    monkeypatch.setattr(request_state, "time", SimpleNamespace(time=lambda: began + STATE_SECONDS + 1))
    late = await call(served, sql, inputResponses={"go_on": YES}, requestState=states[1])
    assert late["error"]["message"] == "Invalid or expired requestState"


@pytest.mark.parametrize("capabilities", [{}, {"elicitation": {"url": {}}}, {"sampling": {}}])
async def test_a_client_that_cannot_ask_is_told_the_argument(served: Exchanges, capabilities: dict[str, Any]) -> None:
    failure = (await call(served, capabilities=capabilities))["result"]["structuredContent"]
    assert failure["code"] == "full_scan_refused"
    assert "allow_full_scan" in failure["next_action"]


async def failure_of(served: Exchanges, sql: str = DEAR, **more: Any) -> dict[str, Any]:
    """What a client is told that cannot ask."""
    failure: dict[str, Any] = (await call(served, sql, capabilities={}, **more))["result"]["structuredContent"]
    return failure


def budget_told_by(failure: dict[str, Any]) -> float:
    """The argument that a failure says to repeat the call with."""
    return float(failure["next_action"].rpartition("max_read_units ")[2].rstrip("."))


async def test_a_cost_above_the_threshold_asks_with_what_it_takes_and_goes_on_after_a_yes(served: Exchanges) -> None:
    for _ in range(2):  # planned, and from the plan cache, by what it took before
        result = (await call(served, DEAR))["result"]
        question = result["inputRequests"]["go_on"]["params"]["message"]
        assert re.fullmatch(
            r"The query is expected to read about \d\d items, \d+\.0 read units: \$[0-9.]+ on demand, or \$[0-9.]+ of "
            r"provisioned capacity \(list price of us-east-1, for want of eu-central-1, 2025-07-21\)\. Go on\?",
            question,
        )
        answered = await call(served, DEAR, inputResponses={"go_on": YES}, requestState=result["requestState"])
        assert answered["result"]["structuredContent"]["rows"] == [[37]]
    assert "about 20 items, 10.0 read units" in question


async def test_a_no_to_a_cost_is_a_refusal_and_a_yes_to_it_counts_once(served: Exchanges) -> None:
    state = (await call(served, DEAR))["result"]["requestState"]
    declined = await call(served, DEAR, inputResponses={"go_on": {"action": "decline"}}, requestState=state)
    assert declined["result"]["structuredContent"]["code"] == "confirmation_required"
    again = await call(served, DEAR, inputResponses={"go_on": YES}, requestState=state)
    assert again["result"]["resultType"] == "input_required"


@pytest.mark.parametrize("era", ERAS)
async def test_a_client_that_cannot_ask_is_told_the_budget_that_allows_a_cost(served: Exchanges, era: Era) -> None:
    sql = "SELECT count(x) FROM named WHERE pk IN ('1', '2', '3', '4', '5')"
    failure = await failure_of(served, sql, era=era)
    assert failure["code"] == "confirmation_required"
    allowed = await call(served, sql, capabilities={}, era=era, arguments={"max_read_units": budget_told_by(failure)})
    assert allowed["result"]["structuredContent"]["rows"] == [[5]]


async def test_a_budget_that_is_too_small_for_a_cost_allows_nothing(served: Exchanges) -> None:
    assert (await failure_of(served, arguments={"max_read_units": 5}))["code"] == "confirmation_required"
    assert (await failure_of(served, arguments={"max_read_units": 2}))["code"] == "budget_exceeded"


@pytest.mark.parametrize(
    ("sql", "arguments", "rows"),
    [
        (COUNT, {"allow_full_scan": True, "max_read_units": 50}, [[30]]),
        (DEAR, {"max_read_units": 50}, [[37]]),
        (NAMED, {"max_read_units": 50}, [[15]]),
    ],
)
async def test_a_model_agrees_to_nothing_where_a_person_can_be_asked(
    sql: str, arguments: dict[str, Any], rows: list[Any]
) -> None:
    served = await serving(confirm_read_units=8.0 if sql == NAMED else 3.0)
    result = (await call(served, sql, arguments=arguments))["result"]
    assert result["resultType"] == "input_required"
    answers = {"inputResponses": {"go_on": YES}, "requestState": result["requestState"]}
    answered = await call(served, sql, arguments=arguments, **answers)
    assert answered["result"]["structuredContent"]["rows"] == rows


async def test_a_budget_that_is_unasked_needs_no_person(served: Exchanges) -> None:
    result = (await call(served, DEAR, arguments={"max_read_units": 2}))["result"]
    assert result["structuredContent"]["code"] == "budget_exceeded"


async def test_a_large_scan_that_is_allowed_covers_the_query(served: Exchanges) -> None:
    allowed = await call(served, capabilities={}, arguments={"allow_full_scan": True})
    assert allowed["result"]["structuredContent"]["rows"] == [[30]]
    sql = "SELECT max(n) FROM dear"  # of a table that is not large, it is the cost that matters
    assert (await failure_of(served, sql, arguments={"allow_full_scan": True}))["code"] == "confirmation_required"


async def test_a_scan_that_went_on_asks_about_all_that_it_takes(served: Exchanges) -> None:
    """Not about what was likely until there are enough rows, since there are not."""
    sql = "SELECT pk FROM vast WHERE length(pk) = 9 LIMIT 5 OFFSET 1"
    result = (await call(served, sql))["result"]
    question = result["inputRequests"]["go_on"]["params"]["message"]
    assert question.startswith('The query reads all of "shop.vast": about 1,000,000 items, ')
    failure = await failure_of(served, sql)
    assert failure["code"] == "full_scan_refused"
    assert "it was likely to end early" in failure["message"]
    answers = {"inputResponses": {"go_on": YES}, "requestState": result["requestState"]}
    assert (await call(served, sql, **answers))["result"]["structuredContent"]["rows"] == []


async def test_pages_after_the_first_are_not_asked_about(served: Exchanges) -> None:
    sql = "SELECT n FROM dear WHERE pk IN ('0', '1') ORDER BY x, n"
    state = (await call(served, sql, arguments={"max_rows": 15}))["result"]["requestState"]
    answers = {"inputResponses": {"go_on": YES}, "requestState": state}
    first = await call(served, sql, arguments={"max_rows": 15}, **answers)
    cursor = first["result"]["structuredContent"]["next_cursor"]
    rest = await call(served, sql, capabilities={}, arguments={"max_rows": 15, "cursor": cursor})
    assert rest["result"]["structuredContent"]["row_count"] == 5


async def test_what_is_cheap_is_not_asked_about(served: Exchanges) -> None:
    for sql in ("SELECT n FROM dear WHERE pk = '1' AND n = 1", "SELECT n FROM dear WHERE pk = '1' LIMIT 2"):
        assert (await call(served, sql))["result"]["structuredContent"]["row_count"] > 0


async def test_with_a_threshold_of_zero_no_cost_is_asked_about() -> None:
    served = await serving(confirm_read_units=0.0)
    for capabilities in (FORMS, {}):
        for sql in (DEAR, NAMED):
            reply = await call(served, sql, capabilities=capabilities)
            assert reply["result"]["structuredContent"]["row_count"] == 1
    assert (await call(served))["result"]["resultType"] == "input_required"  # a large scan still is


async def test_a_yes_covers_a_quarter_more_than_it_was_asked_about(served: Exchanges) -> None:
    """Six read units are expected at first, and ten once they were read: that is asked about anew."""
    state = await asked(served, DEAR)
    await call(served, DEAR, capabilities={}, arguments={"max_read_units": 50})
    anew = (await call(served, DEAR, inputResponses={"go_on": YES}, requestState=state))["result"]
    assert "about 20 items, 10.0 read units" in anew["inputRequests"]["go_on"]["params"]["message"]


async def test_a_yes_lifts_no_budget_that_the_caller_named(served: Exchanges) -> None:
    """The person is told that it ends without a result; asked again and again, no yes would ever be enough."""
    arguments = {"max_read_units": 5}
    result = (await call(served, DEAR, arguments=arguments))["result"]
    question = result["inputRequests"]["go_on"]["params"]["message"]
    assert question.endswith("It is stopped, without a result, once it has taken 5. Go on?")
    answers = {"inputResponses": {"go_on": YES}, "requestState": result["requestState"]}
    answered = await call(served, DEAR, arguments=arguments, **answers)
    assert answered["result"]["structuredContent"]["code"] == "budget_exceeded"


async def test_a_read_that_rows_decide_on_asks_during_the_run_with_all_that_the_query_takes() -> None:
    """Four keys are expected of the table that names them, and 15 are met."""
    served = await serving(confirm_read_units=8.0)
    result = (await call(served, NAMED))["result"]
    question = result["inputRequests"]["go_on"]["params"]["message"]
    assert question.startswith("The query is expected to read about 30 items, 15.5 read units: ")
    answers = {"inputResponses": {"go_on": YES}, "requestState": result["requestState"]}
    assert (await call(served, NAMED, **answers))["result"]["structuredContent"]["rows"] == [[15]]


async def test_a_client_that_cannot_ask_is_told_the_budget_that_allows_a_read_that_rows_decide_on() -> None:
    served = await serving(confirm_read_units=8.0)
    failure = await failure_of(served, NAMED)
    assert failure["code"] == "confirmation_required"
    arguments = {"max_read_units": budget_told_by(failure)}
    allowed = await call(served, NAMED, capabilities={}, arguments=arguments)
    assert allowed["result"]["structuredContent"]["rows"] == [[15]]
