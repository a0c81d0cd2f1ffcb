"""run_sql tells a client that asked for progress what it has read."""

from typing import Any, cast

import anyio
import pytest

from mcp_server.adapters.single_use import SingleUseInMemory
from mcp_server.domain.failures import Failure
from mcp_server.domain.failures.limits import ServerFull
from mcp_server.engine.limits import Limits
from mcp_server.engine.meter import Meter
from mcp_server.engine.results import QueryResult
from mcp_server.ports.items import Consumption
from mcp_server.surface.offer import Offer
from mcp_server.surface.tools.confirmation import Confirmations
from mcp_server.surface.tools.run_sql import run_sql
from shared_kernel.clock import SystemClock
from shared_kernel.entropy import SystemEntropy
from tests.mcp_server.engine.test_meter import read
from tests.mcp_server.surface.exchanges import Answer, Exchanges
from tests.support.mcp_wire import ERAS, Era, message

pytestmark = pytest.mark.anyio
CONFIRMATIONS = Confirmations(SingleUseInMemory(SystemClock()), SystemEntropy(), lifetime_seconds=600)


class Reading:
    """Stands for the engine: it reads when it is told, and ends when it may."""

    def __init__(self) -> None:
        self.meter: Meter | None = None
        self.begun, self.finish = anyio.Event(), anyio.Event()

    async def run_sql(self, *_principal: Any, watch: Any, **_arguments: Any) -> QueryResult:
        """A query that has read 20 items before anybody looks, and waits."""
        self.meter = Meter(Limits(), max_read_units=None, allow_full_scan=True)
        if watch is not None:
            watch(self.meter)
        self.read()
        self.begun.set()
        await self.finish.wait()
        raise Failure(ServerFull())

    def read(self) -> None:
        """One page of 20 items."""
        assert self.meter is not None
        self.meter.observer(read())(Consumption(items=20, scanned=20, bytes=100, read_units=2.5))


def call(era: Era, token: str | None) -> tuple[dict[str, Any], dict[str, str]]:
    document, headers = message(era, 7, "tools/call", {"name": "run_sql", "arguments": {"sql": "SELECT 1"}})
    if token is not None:
        document["params"]["_meta"] = {**document["params"].get("_meta", {}), "progressToken": token}
    return document, headers


@pytest.mark.parametrize("era", ERAS)
async def test_what_was_read_is_reported_as_it_grows(era: Era) -> None:
    reading, answer = Reading(), Answer()
    served = Exchanges(Offer(tools=(run_sql(cast("Any", reading), CONFIRMATIONS, progress_seconds=0.001),)))
    with anyio.fail_after(30):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(lambda: served.post(*call(era, "t"), answer=answer))
            first = await answer.of_method("notifications/progress")
            reading.read()
            while len(answer.messages) < 2:
                await answer.changed.wait()
            reading.finish.set()
    expected = {"progressToken": "t", "progress": 20, "message": "20 items read, 2.5 read units"}
    assert first["params"] == expected
    second = answer.messages[1]["params"]
    assert (second["progress"], second["message"]) == (40, "40 items read, 5.0 read units")
    assert answer.messages[-1]["result"]["isError"]


async def test_nobody_watches_for_a_client_that_did_not_ask() -> None:
    reading, answer = Reading(), Answer()
    served = Exchanges(Offer(tools=(run_sql(cast("Any", reading), CONFIRMATIONS, progress_seconds=0.001),)))
    with anyio.fail_after(30):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(lambda: served.post(*call("2026-07-28", None), answer=answer))
            await reading.begun.wait()
            reading.finish.set()
    assert answer.content_type == "application/json"
