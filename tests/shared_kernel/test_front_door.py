"""What stands before both services, driven by hand-written ASGI messages."""

import json
from collections.abc import Callable, Sequence
from typing import Any

import anyio
import pytest

from shared_kernel.asgi import WHOLE_BODY, Message, Receive, Scope, Send, WholeBody, body_at_once, read_body, send_json
from shared_kernel.front_door import FrontDoor, host_names

pytestmark = pytest.mark.anyio

HOSTS = host_names(["https://Auth.example.com", "https://mcp.example.com:8443/mcp"])


class Answer:
    """What came back."""

    def __init__(self) -> None:
        self.messages: list[Message] = []

    @property
    def status(self) -> int:
        """The status, or 0 before there is one."""
        return self.messages[0]["status"] if self.messages else 0

    @property
    def headers(self) -> dict[str, str]:
        """The headers."""
        return {name.decode(): value.decode() for name, value in self.messages[0]["headers"]}

    @property
    def document(self) -> Any:
        """The JSON body."""
        return json.loads(self.messages[1]["body"])

    async def send(self, message: Message) -> None:
        """The ASGI callable."""
        self.messages.append(message)


async def whole_request() -> Message:
    """A request without a body."""
    return {"type": "http.request", "body": b"", "more_body": False}


async def ask(
    door: FrontDoor,
    path: bytes = b"/token",
    *,
    hosts: Sequence[bytes] = (b"auth.example.com",),
    receive: Receive = whole_request,
    send: Callable[[Message], Any] | None = None,
    state: dict[str, Any] | None = None,
    whole_body: WholeBody | None = None,
) -> Answer:
    """One request through the door."""
    answer = Answer()
    scope: Scope = {
        "type": "http",
        "http_version": "1.1",
        "method": "POST",
        "path": path.decode().replace("%74", "t"),
        "raw_path": path,
        "headers": [(b"host", host) for host in hosts],
        "state": state or {},
    }
    if whole_body is not None:
        scope["extensions"] = {WHOLE_BODY: whole_body}
    await door(scope, receive, send or answer.send)
    return answer


async def echo(scope: Scope, receive: Receive, send: Send) -> None:
    """Answers with the path."""
    await read_body(receive, 100)
    await send_json(send, 200, {"path": scope["path"]})


@pytest.mark.parametrize(
    "host",
    [
        b"auth.example.com",
        b"AUTH.example.com:443",
        b"mcp.example.com",
        b"localhost:9000",
        b"127.0.0.1",
        b"[::1]:8000",
    ],
)
async def test_public_names_and_loopback_are_served_on_any_port(host: bytes) -> None:
    answer = await ask(FrontDoor(echo, hosts=HOSTS, limit=1), hosts=[host])
    assert answer.status == 200


@pytest.mark.parametrize(
    "host", [b"evil.example.com", b"auth.example.com.evil.test", b"", b"10.0.0.7:9000", b"[::2]", b"auth.example.com@x"]
)
async def test_i04_a_foreign_host_is_misdirected(host: bytes) -> None:
    """RFC 9110 §15.5.20; DNS rebinding makes a browser send such a name."""
    answer = await ask(FrontDoor(echo, hosts=HOSTS, limit=1), hosts=[host])
    assert (answer.status, answer.document["error"]) == (421, "misdirected_request")
    assert "evil" not in str(answer.document)


@pytest.mark.parametrize("hosts", [[], [b"auth.example.com", b"auth.example.com"]])
async def test_i04_a_request_needs_exactly_one_host(hosts: list[bytes]) -> None:
    """RFC 9112 §3.2 demands 400."""
    answer = await ask(FrontDoor(echo, hosts=HOSTS, limit=1), hosts=hosts)
    assert answer.status == 400


@pytest.mark.parametrize("path", [b"/livez", b"/readyz"])
async def test_a_probe_may_call_the_machine_by_its_address(path: bytes) -> None:
    answer = await ask(FrontDoor(echo, hosts=HOSTS, limit=1), path, hosts=[b"10.0.0.7:9000"])
    assert answer.status == 200


async def test_i04_a_path_is_what_was_sent_and_not_what_it_decodes_to() -> None:
    """A proxy that guards `/token` compares what it sees."""
    answer = await ask(FrontDoor(echo, hosts=HOSTS, limit=1), b"/%74oken")
    assert answer.document == {"path": "/%74oken"}


class Working:
    """An application that answers when it is told to."""

    def __init__(self) -> None:
        self.working, self.finish = 0, anyio.Event()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Reads, works, answers."""
        if scope["path"] != "/livez":
            await read_body(receive, 100)
            self.working += 1
            await self.finish.wait()
        await send_json(send, 200, {})


async def turn_until(condition: Callable[[], bool]) -> None:
    """Lets the other tasks run until it holds."""
    with anyio.fail_after(60):
        while not condition():
            await anyio.lowlevel.checkpoint()


async def test_i22_one_request_too_many_is_answered_at_once_and_probes_always() -> None:
    app = Working()
    door = FrontDoor(app, hosts=HOSTS, limit=2)
    with anyio.fail_after(60):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(ask, door)
            tasks.start_soon(ask, door)
            await turn_until(lambda: app.working == 2)
            refused = await ask(door)
            assert (refused.status, refused.document["error"]) == (503, "temporarily_unavailable")
            assert refused.headers["retry-after"] == "1"
            assert door.working == 2
            assert (await ask(door, b"/livez")).status == 200
            app.finish.set()
        assert (await ask(door)).status == 200
        assert door.working == 0


async def test_i22_a_request_whose_body_came_at_once_counts_while_it_is_worked_on() -> None:
    """Who then awaits the end of the connection beside the work awaits nothing of the client."""
    watching, finish = 0, anyio.Event()

    async def watched(scope: Scope, receive: Receive, send: Send) -> None:
        nonlocal watching

        async def await_its_end() -> None:
            await receive()

        assert body_at_once(scope) == b"{}"
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(await_its_end)
            await anyio.lowlevel.checkpoint()
            watching += 1
            await finish.wait()
            tasks.cancel_scope.cancel()
        await send_json(send, 200, {})

    async def never() -> Message:
        await anyio.sleep_forever()
        raise AssertionError

    async def ask_at_once() -> None:
        answers.append((await ask(door, receive=never, whole_body=lambda: b"{}")).status)

    door, answers = FrontDoor(watched, hosts=HOSTS, limit=1), list[int]()
    with anyio.fail_after(60):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(ask_at_once)
            await turn_until(lambda: watching == 1)
            assert door.working == 1
            await ask_at_once()
            assert answers == [503]
            finish.set()
    assert (answers, door.working) == ([503, 200], 0)


async def test_i03_slow_clients_do_not_count_against_the_limit() -> None:
    """Otherwise a few hundred connections that never send their body would shut the service."""
    app = Working()
    app.finish.set()
    door = FrontDoor(app, hosts=HOSTS, limit=1)
    slow, waiting = anyio.Event(), 0

    async def slowly(*_message: Message) -> Message:
        nonlocal waiting
        waiting += 1
        await slow.wait()
        return await whole_request()

    async def read_slowly(door: FrontDoor) -> None:
        await ask(door, send=slowly)

    async def send_slowly(door: FrontDoor) -> None:
        await ask(door, receive=slowly)

    with anyio.fail_after(60):
        async with anyio.create_task_group() as tasks:
            for client in (send_slowly, read_slowly, send_slowly, read_slowly):
                before = waiting
                tasks.start_soon(client, door)
                await turn_until(lambda: waiting > before)  # noqa: B023 # it is over before the loop goes on
            assert (await ask(door)).status == 200
            slow.set()


async def test_a_crash_gives_its_place_back() -> None:
    async def crash(_scope: Scope, _receive: Receive, _send: Send) -> None:
        raise ZeroDivisionError

    door = FrontDoor(crash, hosts=HOSTS, limit=1)
    for _ in range(3):
        with pytest.raises(ZeroDivisionError):
            await ask(door)


async def test_a_stopping_service_is_alive_but_not_ready() -> None:
    door = FrontDoor(echo, hosts=HOSTS, limit=1)
    unready = await ask(door, b"/readyz", state={"stopping": True})
    assert (unready.status, unready.document) == (503, {"status": "stopping"})
    for path in (b"/livez", b"/token"):
        assert (await ask(door, path, state={"stopping": True})).status == 200


async def test_what_is_not_a_request_passes_through() -> None:
    seen = []

    async def app(scope: Scope, _receive: Receive, _send: Send) -> None:
        seen.append(scope)

    await FrontDoor(app, hosts=HOSTS, limit=1)({"type": "lifespan"}, whole_request, Answer().send)
    assert seen == [{"type": "lifespan"}]
