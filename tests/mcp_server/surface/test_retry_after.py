"""A call that may be made again later says when in HTTP too, unless its response has begun as an event stream."""

import json
from collections.abc import Mapping
from typing import Any

import httpx2
import pytest
from mcp.types import Prompt, Resource

from mcp_server.domain.failures import Failure
from mcp_server.domain.failures.availability import UsageNotTold
from mcp_server.surface.call import Call
from mcp_server.surface.offer import Offer
from mcp_server.surface.prompts.served_prompt import ServedPrompt
from mcp_server.surface.resources.served_resource import ServedResource
from mcp_server.surface.tools.served_tool import Arguments
from tests.mcp_server.surface.exchanges import Exchanges
from tests.mcp_server.surface.service import Done, running_service, waiting_tool
from tests.support.mcp_wire import ERAS, Era, message

pytestmark = pytest.mark.anyio

ANY = frozenset({"query"})


def offer(retry_after_seconds: int | None) -> Offer:
    """A tool, a resource and a prompt that fail; the tool reports progress first, where that is wanted."""

    async def fail(*_: Any) -> Any:
        raise Failure(UsageNotTold(), retry_after_seconds=retry_after_seconds)

    async def call(call: Call, _arguments: Arguments) -> Done:
        await call.progress(1)
        raise Failure(UsageNotTold(), retry_after_seconds=retry_after_seconds)

    return Offer(
        tools=(waiting_tool(call),),
        resources=(ServedResource(Resource(uri="dynamosql://away", name="away"), ANY, fail),),
        prompts=(ServedPrompt(Prompt(name="away"), ANY, fail, {}),),
    )


CALLS: Mapping[str, dict[str, Any]] = {
    "tools/call": {"name": "wait", "arguments": {}},
    "resources/read": {"uri": "dynamosql://away"},
    "prompts/get": {"name": "away"},
}


@pytest.mark.parametrize("method", CALLS)
@pytest.mark.parametrize("era", ERAS)
async def test_a_failure_that_says_when_has_the_header(era: Era, method: str) -> None:
    for seconds in (7, None):
        answer = await Exchanges(offer(seconds)).post(*message(era, 1, method, CALLS[method]))
        assert answer.headers.get("retry-after") == (None if seconds is None else "7")
        is_told = "retry_after_seconds" in json.dumps(answer.messages)
        assert is_told == (seconds is not None and method == "tools/call")


@pytest.mark.slow
@pytest.mark.parametrize("era", ERAS)
async def test_the_header_comes_over_the_wire_and_not_into_a_stream(era: Era) -> None:
    async with running_service(offer(7)) as service, httpx2.AsyncClient() as http:
        document, headers = message(era, 1, "tools/call", CALLS["tools/call"])
        headers |= {"Authorization": f"Bearer {service.issuer.token(scopes=('query',))}"}
        answer = await http.post(service.resource, json=document, headers=headers)
        assert (answer.status_code, answer.headers["content-type"]) == (200, "application/json")
        assert answer.headers.get_list("retry-after") == ["7"]
        document["params"].setdefault("_meta", {})["progressToken"] = "watched"
        streamed = await http.post(service.resource, json=document, headers=headers)
        assert streamed.headers["content-type"].startswith("text/event-stream")
        assert "retry-after" not in streamed.headers
        assert '"retry_after_seconds":7' in streamed.text
