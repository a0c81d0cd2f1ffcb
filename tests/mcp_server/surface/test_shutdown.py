"""The end of the service lets the calls that are under way finish, in both protocol eras."""

import json
from typing import Any

import anyio
import httpx2
import pytest
from mcp import MCPError
from mcp.types import INTERNAL_ERROR

from mcp_server.surface.call import Call
from mcp_server.surface.offer import Offer
from mcp_server.surface.tools.served_tool import Arguments
from shared_kernel.http_server import Stage
from tests.mcp_server.surface.service import MODES, Done, running_service, waiting_tool
from tests.support.mcp_wire import MODERN, message

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

LONGER_THAN_EVENT_STREAMS_ARE_WATCHED = 1.5


@pytest.mark.parametrize("mode", MODES)
async def test_a_call_under_way_is_answered_after_the_signal(mode: str) -> None:
    begun, finish, cut_off = anyio.Event(), anyio.Event(), anyio.Event()
    answers: list[Any] = []

    async def wait(_call: Call, _arguments: Arguments) -> Done:
        begun.set()
        try:
            await finish.wait()
        except BaseException:
            cut_off.set()
            raise
        return {"done": True}

    with anyio.fail_after(30):
        async with (
            running_service(Offer(tools=(waiting_tool(wait),))) as service,
            service.client(mode) as client,
            anyio.create_task_group() as tasks,
        ):

            async def ask() -> None:
                answers.append((await client.call_tool("wait", {})).structured_content)

            await client.list_tools()  # the client asks for the schemas of results once; not after the signal
            tasks.start_soon(ask)
            await begun.wait()
            service.server.stop()
            with anyio.move_on_after(LONGER_THAN_EVENT_STREAMS_ARE_WATCHED):
                await cut_off.wait()
            finish.set()
    assert not cut_off.is_set()
    assert answers == [{"done": True}]


@pytest.mark.parametrize("begun_stream", [False, True], ids=["no answer yet", "an event stream"])
@pytest.mark.parametrize("mode", MODES)
async def test_a_call_that_is_cut_gets_a_json_rpc_error(mode: str, begun_stream: bool) -> None:
    begun = anyio.Event()

    async def wait(call: Call, _arguments: Arguments) -> Done:
        if begun_stream:
            await call.progress(1.0)
        else:
            begun.set()
        await anyio.sleep_forever()
        raise AssertionError

    async def has_begun(progress: float, total: float | None, message: str | None) -> None:
        begun.set()

    failures: list[MCPError] = []
    with anyio.fail_after(60):
        async with (
            running_service(Offer(tools=(waiting_tool(wait),))) as service,
            service.client(mode) as client,
            anyio.create_task_group() as tasks,
        ):

            async def ask() -> None:
                with pytest.raises(MCPError) as caught:
                    await client.call_tool("wait", {}, progress_callback=has_begun if begun_stream else None)
                failures.append(caught.value)

            await client.list_tools()
            tasks.start_soon(ask)
            await begun.wait()
            service.server.stop(Stage.CUTTING)
    [failure] = failures
    assert failure.error.code == INTERNAL_ERROR
    assert "Call again" in failure.error.message


async def test_a_stream_of_changes_ends_in_good_order_as_soon_as_the_service_is_to_stop() -> None:
    document, headers = message(MODERN, 3, "subscriptions/listen", {"notifications": {"toolsListChanged": True}})
    lines: list[str] = []
    with anyio.fail_after(30):
        async with running_service(Offer()) as service, httpx2.AsyncClient(timeout=30) as http:
            headers["Authorization"] = f"Bearer {service.issuer.token()}"
            async with http.stream("POST", service.resource, json=document, headers=headers) as response:
                async for line in response.aiter_lines():
                    lines.append(line)
                    if "acknowledged" in line:
                        service.server.stop(Stage.LEAVING)
    last = [json.loads(line.removeprefix("data: ")) for line in lines if line.startswith("data: ")][-1]
    assert last["id"] == 3
    assert "result" in last
