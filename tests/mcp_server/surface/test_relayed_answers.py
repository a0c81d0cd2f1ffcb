"""What another replica gets than the one that it concerns, over a real Redis."""

from dataclasses import replace
from pathlib import Path

import anyio
import pytest
from mcp.types import ElicitRequest, ElicitRequestFormParams, ElicitResult
from structlog.testing import capture_logs

from mcp_server.adapters.redis_store.connection import SharedRedis
from mcp_server.adapters.redis_store.relay import RelayInRedis
from mcp_server.surface.call import Call
from mcp_server.surface.offer import Offer
from mcp_server.surface.tools.served_tool import Arguments
from shared_kernel.entropy import SystemEntropy
from tests.mcp_server.surface.exchanges import PRINCIPAL, Answer, Exchanges
from tests.mcp_server.surface.service import Done, waiting_tool
from tests.support.mcp_wire import MODERN, message
from tests.support.redis_server import redis_serving

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

SECRET = "what the person wrote"
ANSWERS = 5


async def ask(call: Call, _arguments: Arguments) -> Done:
    """Done is what the person says."""
    form = ElicitRequestFormParams(message="Go on?", requested_schema={"type": "object", "properties": {}})
    answer = await call.ask(ElicitRequest(params=form), ElicitResult)
    return {"done": (answer.content or {}) == {"text": SECRET}}


async def test_answers_reach_the_replica_that_asked_and_redis_and_the_log_never_read_them(tmp_path: Path) -> None:
    seen: list[bytes] = []
    with anyio.fail_after(60), redis_serving(tmp_path) as redis, capture_logs() as logged:
        async with SharedRedis(redis.url) as first, SharedRedis(redis.url) as second:
            one, other = (
                Exchanges(
                    Offer(tools=(waiting_tool(ask),)),
                    relay=RelayInRedis(shared, cursor_key=b"k" * 32, entropy=SystemEntropy()),
                )
                for shared in (first, second)
            )
            async with anyio.create_task_group() as tasks, first.listening(first.key("relay")) as spying:
                tasks.start_soon(one.keep_hearing)
                while (await first.asked(lambda asked: asked.pubsub_numsub(first.key("relay"))))[0][1] < 2:
                    await anyio.lowlevel.checkpoint()
                for _ in range(ANSWERS):
                    assert await answered(one, other) == {"done": True}
                while len(seen) < ANSWERS:
                    heard = await spying.get_message(ignore_subscribe_messages=True, timeout=5)
                    seen += [heard["data"]] if heard is not None else []
                tasks.cancel_scope.cancel()
    assert SECRET.encode() not in b"".join(seen)
    assert SECRET not in repr(logged)


async def answered(one: Exchanges, other: Exchanges) -> object:
    """What a call at one replica makes of the answer that another gets."""
    answer = Answer()
    document, headers = message("2025-11-25", 1, "tools/call", {"name": "wait", "arguments": {}})
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(lambda: one.post(document, headers, answer=answer))
        question = await answer.of_method("elicitation/create")
        accepted = {"action": "accept", "content": {"text": SECRET}}
        reply = {"jsonrpc": "2.0", "id": question["id"], "result": accepted}
        assert (await other.post(reply, headers)).status == 202
    return answer.messages[-1]["result"]["structuredContent"]


async def test_a_listener_is_told_of_scopes_that_come_to_another_replica_first(tmp_path: Path) -> None:
    listening, headers = message(MODERN, 3, "subscriptions/listen", {"notifications": {"toolsListChanged": True}})
    listing = message(MODERN, 4, "tools/list", {})
    wider = replace(PRINCIPAL, scopes=frozenset({"query", "more"}))
    with anyio.fail_after(60), redis_serving(tmp_path) as redis:
        async with SharedRedis(redis.url) as first, SharedRedis(redis.url) as second:
            one, other = (
                Exchanges(
                    Offer(tools=(waiting_tool(ask),)),
                    relay=RelayInRedis(shared, cursor_key=b"k" * 32, entropy=SystemEntropy()),
                )
                for shared in (first, second)
            )
            answer = Answer()
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(one.keep_hearing)
                while (await first.asked(lambda asked: asked.pubsub_numsub(first.key("relay"))))[0][1] < 1:
                    await anyio.lowlevel.checkpoint()
                tasks.start_soon(lambda: one.post(listening, headers, answer=answer))
                await answer.of_method("notifications/subscriptions/acknowledged")
                await other.post(*listing)
                await other.post(*listing, principal=replace(wider, subject="usr_2"))
                await other.post(*listing, principal=wider)
                await answer.of_method("notifications/tools/list_changed")
                await one.post(*listing, principal=wider)
                one.subscriptions.close()
                tasks.cancel_scope.cancel()
    changes = [one for one in answer.messages if one.get("method") == "notifications/tools/list_changed"]
    assert len(changes) == 1
