"""What happens beside a call while it is under way: notifications, questions, cancellations, over ASGI."""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import anyio
import pytest
from mcp.types import ElicitRequest, ElicitRequestFormParams, ElicitResult, Resource

from mcp_server.domain.principal import Principal
from mcp_server.ports.log_levels import LIFETIME_SECONDS, SetLevel
from mcp_server.ports.relay import Relay, Relayed
from mcp_server.surface.call import Call
from mcp_server.surface.log_levels import LogLevels
from mcp_server.surface.offer import Offer
from mcp_server.surface.resources.served_resource import Contents, ServedResource
from mcp_server.surface.sessions import HEADER as SESSION_HEADER
from mcp_server.surface.tools.served_tool import Arguments, serve
from tests.mcp_server.surface.exchanges import PRINCIPAL, Answer, Exchanges
from tests.mcp_server.surface.service import Done
from tests.support.clock import SettableClock
from tests.support.mcp_wire import ERAS, MODERN, Era, message

pytestmark = pytest.mark.anyio

HANDSHAKE: Era = "2025-11-25"
OTHER_SIGN_IN = replace(PRINCIPAL, grant="another")


class Served(Exchanges):
    """A server with one tool, and exchanges with it."""

    def __init__(self, call: Any, relay: Relay | None = None, log_levels: LogLevels | None = None) -> None:
        tool = serve(
            call,
            name="work",
            title="Work",
            description="Works.",
            scopes=frozenset({"query"}),
            arguments=Arguments,
            result=Done,
        )
        super().__init__(Offer(tools=(tool,)), relay=relay, log_levels=log_levels)

    @asynccontextmanager
    async def calling(self, era: Era, **meta: Any) -> AsyncIterator[Answer]:
        """A call of the tool, under way."""
        answer = Answer()
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(lambda: self.post(*call(era, **meta), answer=answer))
            yield answer


def call(era: Era, **meta: Any) -> tuple[dict[str, Any], dict[str, str]]:
    """A call of the tool, with these entries in its `_meta`."""
    document, headers = message(era, 7, "tools/call", {"name": "work", "arguments": {}})
    document["params"]["_meta"] = {**document["params"].get("_meta", {}), **meta}
    return document, headers


def notification(method: str, **params: Any) -> tuple[dict[str, Any], dict[str, str]]:
    """A notification of a handshake revision."""
    _, headers = message(HANDSHAKE, 1, "ping", {})
    return {"jsonrpc": "2.0", "method": method, "params": params}, headers


@pytest.mark.parametrize("era", ERAS)
@pytest.mark.parametrize("token", ["t", 7, None])
async def test_progress_goes_ahead_of_the_reply_to_a_client_that_asked_for_it(
    era: Era, token: str | int | None
) -> None:
    async def work(call: Call, _arguments: Arguments) -> Done:
        await call.progress(1, 2, "half")
        return {"done": True}

    answer = await Served(work).post(*call(era, **({} if token is None else {"progressToken": token})))
    *before, reply = answer.messages
    assert reply["result"]["structuredContent"] == {"done": True}
    expected = {"progressToken": token, "progress": 1, "total": 2, "message": "half"}
    sent = [{"jsonrpc": "2.0", "method": "notifications/progress", "params": expected}]
    assert before == ([] if token is None else sent)
    assert answer.content_type == ("application/json" if token is None else "text/event-stream")


async def logging_work(call: Call, _arguments: Arguments) -> Done:
    await call.log("debug", "small")
    await call.log("warning", {"large": True})
    return {"done": True}


@pytest.mark.parametrize(
    ("level", "logged"), [(None, []), ("debug", ["small", {"large": True}]), ("error", []), ("info", [{"large": True}])]
)
async def test_since_2026_07_28_each_request_says_which_log_messages_it_takes(
    level: str | None, logged: list[Any]
) -> None:
    meta = {} if level is None else {"io.modelcontextprotocol/logLevel": level}
    *before, _reply = (await Served(logging_work).post(*call(MODERN, **meta))).messages
    assert [one["params"]["data"] for one in before] == logged
    assert {one["method"] for one in before} <= {"notifications/message"}


async def test_a_handshake_client_sets_its_log_level_for_its_own_sign_in() -> None:
    served = Served(logging_work)
    await served.post(*message(HANDSHAKE, 1, "logging/setLevel", {"level": "error"}))
    [_reply] = (await served.post(*call(HANDSHAKE))).messages
    document, headers = call(HANDSHAKE)
    *before, _reply = (await served.post(document, headers, principal=OTHER_SIGN_IN)).messages
    assert [one["params"]["level"] for one in before] == ["warning"]


class Kept:
    """The levels that are kept for all replicas, in this process."""

    def __init__(self) -> None:
        self.levels: list[SetLevel] = []

    async def put(self, level: SetLevel) -> None:
        self.levels.append(level)

    async def all(self) -> Sequence[SetLevel]:
        return self.levels


async def test_a_log_level_counts_on_every_replica_also_on_one_that_comes_later() -> None:
    line, kept, clock = Line(), Kept(), SettableClock()

    def replica() -> Served:
        return Served(logging_work, line, LogLevels(clock, store=kept, relay=line))

    async def logged(served: Served, principal: Principal = PRINCIPAL) -> list[str]:
        document, headers = call(HANDSHAKE)
        *before, _reply = (await served.post(document, headers, principal=principal)).messages
        return [one["params"]["level"] for one in before]

    one, other, late = replica(), replica(), replica()
    with anyio.fail_after(30):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(other.keep_hearing)
            await anyio.wait_all_tasks_blocked()
            await one.post(*message(HANDSHAKE, 1, "logging/setLevel", {"level": "error"}))
            assert (await logged(one), await logged(other), await logged(late)) == ([], [], ["warning"])
            tasks.start_soon(late.keep_hearing)
            await anyio.wait_all_tasks_blocked()
            assert (await logged(late), await logged(late, OTHER_SIGN_IN)) == ([], ["warning"])
            clock.time += 1
            await late.post(*message(HANDSHAKE, 1, "logging/setLevel", {"level": "debug"}))
            assert await logged(other) == ["debug", "warning"]
            line.hearing[0](line.sent[0])  # heard late: what was set after it goes on counting
            assert await logged(other) == ["debug", "warning"]
            clock.time += LIFETIME_SECONDS
            assert await logged(other) == ["warning"]
            tasks.cancel_scope.cancel()
    assert not any(said in repr(line.sent) for said in (PRINCIPAL.subject, PRINCIPAL.grant))


async def asking_work(call: Call, _arguments: Arguments) -> Done:
    form = ElicitRequestFormParams(message="Go on?", requested_schema={"type": "object", "properties": {}})
    answer = await call.ask(ElicitRequest(params=form), ElicitResult)
    return {"done": answer.action == "accept"}


async def test_a_question_is_answered_by_another_post_of_the_same_sign_in_only() -> None:
    served = Served(asking_work)
    async with served.calling(HANDSHAKE) as answer:
        question = await answer.of_method("elicitation/create")
        _, headers = call(HANDSHAKE)
        reply = {"jsonrpc": "2.0", "id": question["id"], "result": {"action": "accept", "content": {}}}
        foreign = await served.post(reply, headers, principal=OTHER_SIGN_IN)
        unasked = await served.post({**reply, "id": "guessed"}, headers)
        modern = await served.post(reply, call(MODERN)[1])
        assert (foreign.status, unasked.status, modern.status, answer.complete) == (400, 400, 400, False)
        assert (await served.post(reply, headers)).status == 202
    assert answer.messages[-1]["result"]["structuredContent"] == {"done": True}
    assert (await served.post(reply, headers)).status == 400


async def test_an_answer_that_another_replica_gets_reaches_the_one_that_asked_that_sign_in() -> None:
    line = Line()
    one, other = Served(asking_work, line), Served(asking_work, line)
    with anyio.fail_after(30):
        async with anyio.create_task_group() as tasks:
            for replica in (one, other):
                tasks.start_soon(replica.keep_hearing)
            async with one.calling(HANDSHAKE) as answer:
                question = await answer.of_method("elicitation/create")
                _, headers = call(HANDSHAKE)
                reply = {"jsonrpc": "2.0", "id": question["id"], "result": {"action": "accept", "content": {}}}
                long = {**reply, "result": {"action": "accept", "content": {"text": "x" * 65_536}}}
                statuses = [
                    (await other.post(reply, headers, principal=OTHER_SIGN_IN)).status,
                    (await other.post({**reply, "id": "guessed"}, headers)).status,
                    (await other.post(reply, call(MODERN)[1])).status,
                    (await other.post(long, headers)).status,
                ]
                assert (statuses, answer.complete) == ([202, 202, 400, 413], False)
                assert (await other.post(reply, headers)).status == 202
            late = (await other.post(reply, headers)).status
            tasks.cancel_scope.cancel()
    assert answer.messages[-1]["result"]["structuredContent"] == {"done": True}
    assert late == 202
    assert not any(said in repr(sent) for sent in line.sent for said in (PRINCIPAL.subject, PRINCIPAL.grant))


async def test_a_call_that_waits_for_an_answer_is_cancelled_as_any_other() -> None:
    served = Served(asking_work)
    with anyio.fail_after(30):
        async with served.calling(HANDSHAKE) as answer:
            question = await answer.of_method("elicitation/create")
            await served.post(*notification("notifications/cancelled", requestId=7))
    assert answer.messages[-1]["error"]["message"] == "Request cancelled"
    late = {"jsonrpc": "2.0", "id": question["id"], "result": {"action": "accept", "content": {}}}
    assert (await served.post(late, call(HANDSHAKE)[1])).status == 400


async def test_an_error_for_an_answer_fails_the_call_in_its_words() -> None:
    served = Served(asking_work)
    async with served.calling(HANDSHAKE) as answer:
        question = await answer.of_method("elicitation/create")
        error = {"jsonrpc": "2.0", "id": question["id"], "error": {"code": -1, "message": "not today"}}
        await served.post(error, call(HANDSHAKE)[1])
    assert answer.messages[-1]["error"]["message"] == "not today"


@pytest.mark.parametrize(
    ("era", "accept"), [(MODERN, "application/json, text/event-stream"), (HANDSHAKE, "application/json")]
)
async def test_a_client_that_cannot_be_asked_is_not(era: Era, accept: str) -> None:
    document, headers = call(era)
    answer = await Served(asking_work).post(document, {**headers, "Accept": accept})
    [reply] = answer.messages
    assert reply["error"]["code"] == -32600


@dataclass
class Endless:
    """A tool that ends only when it is cancelled."""

    begun: anyio.Event = field(default_factory=anyio.Event)
    cancelled: bool = False

    async def work(self, _call: Call, _arguments: Arguments) -> Done:
        """The tool."""
        self.begun.set()
        try:
            await anyio.sleep_forever()
        finally:
            self.cancelled = True
        raise AssertionError


async def test_a_handshake_client_cancels_its_call_by_a_notification() -> None:
    tool = Endless()
    served = Served(tool.work)
    with anyio.fail_after(30):
        async with served.calling(HANDSHAKE) as answer:
            await tool.begun.wait()
            cancellation, headers = notification("notifications/cancelled", requestId=7)
            await served.post(cancellation, headers, principal=OTHER_SIGN_IN)
            await served.post(*notification("notifications/cancelled", requestId=8))
            await served.post(*notification("notifications/cancelled"))
            assert not tool.cancelled
            assert (await served.post(cancellation, headers)).status == 202
    assert tool.cancelled
    [reply] = answer.messages
    assert (reply["id"], reply["error"]["message"]) == (7, "Request cancelled")


class Line:
    """What relays messages between replicas in one process."""

    def __init__(self) -> None:
        self.hearing: list[Callable[[Relayed], None]] = []
        self.sent: list[Relayed] = []

    async def send(self, message: Relayed) -> None:
        self.sent.append(message)
        for hear in self.hearing:
            hear(message)

    async def keep_hearing(self, hear: Callable[[Relayed], None], caught_up: Callable[[], Awaitable[None]]) -> None:
        self.hearing.append(hear)
        await caught_up()
        await anyio.sleep_forever()


async def test_a_cancellation_that_another_replica_gets_cancels_the_call_of_that_sign_in() -> None:
    tool, line = Endless(), Line()
    one, other = Served(tool.work, line), Served(tool.work, line)
    with anyio.fail_after(30):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(one.keep_hearing)
            async with one.calling(HANDSHAKE) as answer:
                await tool.begun.wait()
                cancellation, headers = notification("notifications/cancelled", requestId=7)
                await other.post(cancellation, headers, principal=OTHER_SIGN_IN)
                await other.post(*notification("notifications/cancelled", requestId=8))
                assert not tool.cancelled
                assert (await other.post(cancellation, headers)).status == 202
            tasks.cancel_scope.cancel()
    assert tool.cancelled
    assert answer.messages[-1]["error"]["message"] == "Request cancelled"
    assert not any(said in repr(sent) for sent in line.sent for said in (PRINCIPAL.subject, PRINCIPAL.grant))


async def session_of(served: Served) -> str:
    """The session of a connection whose client shows forms."""
    client = {"name": "c", "version": "1"}
    params: dict[str, Any] = {"protocolVersion": HANDSHAKE, "capabilities": {"elicitation": {}}, "clientInfo": client}
    return (await served.post(*message(HANDSHAKE, 1, "initialize", params))).headers[SESSION_HEADER]


@pytest.mark.parametrize("on_another_replica", [False, True])
async def test_a_cancellation_ends_a_call_of_its_own_session_alone(on_another_replica: bool) -> None:
    line, tool = Line(), Endless()
    one = Served(tool.work, line)
    addressed = Served(tool.work, line) if on_another_replica else one
    mine, other = await session_of(one), await session_of(one)
    cancellation, headers = notification("notifications/cancelled", requestId=7)
    answer = Answer()
    with anyio.fail_after(30):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(one.keep_hearing)
            async with anyio.create_task_group() as calling:
                document, of_call = call(HANDSHAKE)
                calling.start_soon(lambda: one.post(document, {**of_call, SESSION_HEADER: mine}, answer=answer))
                await tool.begun.wait()
                for session in ({SESSION_HEADER: other}, {}):
                    assert (await addressed.post(cancellation, headers | session)).status == 202
                await anyio.wait_all_tasks_blocked()
                assert not tool.cancelled
                await addressed.post(cancellation, {**headers, SESSION_HEADER: mine})
            tasks.cancel_scope.cancel()
    assert answer.messages[-1]["error"]["message"] == "Request cancelled"


async def test_a_cancellation_that_could_mean_two_calls_cancels_neither() -> None:
    tool, finished = Endless(), []
    served = Served(tool.work)
    with anyio.fail_after(30):
        async with anyio.create_task_group() as tasks, served.calling(HANDSHAKE), served.calling(HANDSHAKE):
            await anyio.wait_all_tasks_blocked()
            await served.post(*notification("notifications/cancelled", requestId=7))
            finished.append(tool.cancelled)
            tasks.cancel_scope.cancel()
    assert finished == [False]


async def test_a_call_that_is_cancelled_as_it_ends_is_answered_once() -> None:
    finish, begun = anyio.Event(), anyio.Event()

    async def work(_call: Call, _arguments: Arguments) -> Done:
        begun.set()
        await finish.wait()
        return {"done": True}

    served = Served(work)
    with anyio.fail_after(30):
        async with served.calling(HANDSHAKE) as answer:
            await begun.wait()
            finish.set()
            await served.post(*notification("notifications/cancelled", requestId=7))
    [reply] = answer.messages
    assert ("result" in reply) != ("error" in reply)


def listening(**asked: Any) -> tuple[dict[str, Any], dict[str, str]]:
    """A request for the stream of changes."""
    return message(MODERN, 3, "subscriptions/listen", {"notifications": asked})


async def done(_call: Call, _arguments: Arguments) -> Done:
    return {"done": True}


async def test_a_listener_is_told_once_its_sign_in_comes_with_other_scopes() -> None:
    served, answer = Served(done), Answer()
    with anyio.fail_after(30):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(lambda: served.post(*listening(toolsListChanged=True), answer=answer))
            await answer.of_method("notifications/subscriptions/acknowledged")
            document, headers = message(MODERN, 4, "tools/list", {})
            await served.post(document, headers)
            await served.post(document, headers, principal=replace(PRINCIPAL, subject="usr_2", scopes=frozenset()))
            assert len(answer.messages) == 1
            await served.post(document, headers, principal=replace(PRINCIPAL, scopes=frozenset({"query", "more"})))
            changed = await answer.of_method("notifications/tools/list_changed")
            served.subscriptions.close()
    assert changed["params"]["_meta"] == {"io.modelcontextprotocol/subscriptionId": 3}
    *before, reply = answer.messages
    assert "result" in reply
    assert len(before) == 2


async def test_nobody_is_promised_word_of_a_single_resource() -> None:
    async def read(_call: Call) -> Contents:
        return []

    watched = ServedResource(Resource(uri="test://watched", name="watched"), frozenset(), read)
    served, answer = Exchanges(Offer(resources=(watched,))), Answer()
    discovered = await served.result(MODERN, "server/discover", {})
    assert discovered["capabilities"]["resources"] == {"listChanged": True, "subscribe": False}
    with anyio.fail_after(30):
        async with anyio.create_task_group() as tasks:
            asked = listening(resourcesListChanged=True, resourceSubscriptions=["test://watched"])
            tasks.start_soon(lambda: served.post(*asked, answer=answer))
            acknowledged = await answer.of_method("notifications/subscriptions/acknowledged")
            served.subscriptions.close()
    assert acknowledged["params"]["notifications"] == {"resourcesListChanged": True}


async def test_streams_of_one_client_are_bounded() -> None:
    served = Served(done)
    with anyio.fail_after(30):
        async with anyio.create_task_group() as tasks:
            for _ in range(4):
                answer = Answer()
                tasks.start_soon(lambda one: served.post(*listening(toolsListChanged=True), answer=one), answer)
                await answer.of_method("notifications/subscriptions/acknowledged")
            [refused] = (await served.post(*listening(toolsListChanged=True))).messages
            assert refused["error"]["message"] == "Too many subscriptions are open"
            served.subscriptions.close()
    answered = Answer()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(lambda: served.post(*listening(toolsListChanged=True), answer=answered))
        await answered.of_method("notifications/subscriptions/acknowledged")
        served.subscriptions.close()


async def test_whoever_is_refused_a_stream_leaves_nothing_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mcp_server.surface.subscriptions.MOST_STREAMS", 1)
    served, answer = Served(done), Answer()
    with anyio.fail_after(30):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(lambda: served.post(*listening(toolsListChanged=True), answer=answer))
            await answer.of_method("notifications/subscriptions/acknowledged")
            for number in range(3):
                stranger = replace(PRINCIPAL, subject=f"usr_{number}")
                [refused] = (await served.post(*listening(toolsListChanged=True), principal=stranger)).messages
                assert refused["error"]["message"] == "Too many subscriptions are open"
            assert len(served.subscriptions._listeners) == 1
            served.subscriptions.close()
    assert served.subscriptions._listeners == {}
