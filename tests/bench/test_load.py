"""The load generator reads answers to their end, and lets no wrong one pass."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.bench.load import Load, WrongAnswer, drive, parse
from tests.bench.requests import Chain, Repeat, Supply, get
from tests.bench.usage import Usage

PLAIN = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"
CHUNKED = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nhel\r\n7\r\nlo0\r\n\r\n\r\n0\r\n\r\n"


def nothing() -> Usage:
    """A meter that stands still."""
    return Usage(0.0, 0.0)


@contextmanager
def answering(answer: bytes, connections: int = 1, *, thinking: float = 0.0) -> Iterator[int]:
    """A server that gives every request the same answer, or hangs up where that is empty; its port.

    It thinks for so many seconds before it answers.
    """
    closed = threading.Event()

    def serve(connection: socket.socket) -> None:
        with connection:
            while connection.recv(65536) and answer:
                closed.wait(thinking)
                connection.sendall(answer)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        threads = [threading.Thread(target=lambda: serve(listener.accept()[0])) for _ in range(connections)]
        for thread in threads:
            thread.start()
        yield listener.getsockname()[1]
        closed.set()
        for thread in threads:
            thread.join(10)


@pytest.mark.parametrize(("raw", "body"), [(PLAIN, b"hello"), (CHUNKED, b"hello0\r\n\r\n")])
def test_an_answer_is_read_to_its_end_and_not_before(raw: bytes, body: bytes) -> None:
    """RFC 9112 §6.3: by its length, or chunk by chunk; what looks like a last chunk inside a chunk is none."""
    assert all(parse(raw[:length]) is None for length in range(len(raw)))
    answer = parse(raw)
    assert answer is not None
    assert (answer.status, answer.body) == (200, body)


def test_bytes_after_the_end_of_an_answer_are_an_error() -> None:
    with pytest.raises(ValueError, match="after the end"):
        parse(PLAIN + b"x")


def test_every_answer_in_the_window_counts_once() -> None:
    with answering(PLAIN, 2) as port:
        callers = [Repeat(get(port, "/"), b"hello")] * 2
        window = drive(Load([port], callers), warm_up=0.01, seconds=0.1, mark=nothing)
    assert len(window.latencies) > 10
    assert all(latency > 0 for latency in window.latencies)


def test_a_window_without_an_answer_goes_on_to_the_first_one() -> None:
    """There would be nothing to say of it: a slow server, or a slow machine."""
    with answering(PLAIN, thinking=0.3) as port:
        window = drive(Load([port], [Repeat(get(port, "/"), b"hello")]), warm_up=0.0, seconds=0.01, mark=nothing)
    assert len(window.latencies) == 1
    assert window.seconds > 0.2


def test_connections_go_to_the_ports_in_turn() -> None:
    """Each server takes one connection only: a second one to the same would wait for ever."""
    with answering(PLAIN) as first, answering(PLAIN) as second:
        callers = [Repeat(get(first, "/"), b"hello")] * 2
        window = drive(Load([first, second], callers), warm_up=0.0, seconds=0.1, mark=nothing)
    assert len(window.latencies) >= 2


def test_a_connection_pauses_between_an_answer_and_its_next_request() -> None:
    with answering(PLAIN) as port:
        load = Load([port], [Repeat(get(port, "/"), b"hello")], pause=0.05)
        window = drive(load, warm_up=0.0, seconds=0.3, mark=nothing)
    assert len(window.latencies) <= 6


def test_calls_beside_the_measured_ones_do_not_count() -> None:
    """They are checked all the same."""
    with answering(PLAIN, 2) as port:
        beside = [Repeat(get(port, "/"), b"hello")]
        window = drive(Load([port], [Supply()], beside), warm_up=0.0, seconds=0.1, mark=nothing)
    assert window.latencies == ()
    with answering(PLAIN, 2) as port:
        load = Load([port], [Repeat(get(port, "/"), b"hello")], [Repeat(get(port, "/"), b"other")])
        with pytest.raises(WrongAnswer):
            drive(load, warm_up=0.0, seconds=1.0, mark=nothing)


def test_a_window_ends_when_the_supply_does() -> None:
    token = b'HTTP/1.1 200 OK\r\nContent-Length: 22\r\n\r\n{"access_token":"eyJ"}'
    with answering(token) as port:
        window = drive(Load([port], [Supply([get(port, "/")] * 20)]), warm_up=0.0, seconds=60.0, mark=nothing)
    assert 0 < len(window.latencies) <= 20
    assert window.seconds < 60.0


@pytest.mark.parametrize(
    ("answer", "expected"), [(PLAIN, b"other"), (b"HTTP/1.1 503 No\r\nContent-Length: 5\r\n\r\nhello", b"hello")]
)
def test_one_wrong_answer_ends_the_run(answer: bytes, expected: bytes) -> None:
    with answering(answer) as port, pytest.raises(WrongAnswer):
        drive(Load([port], [Repeat(get(port, "/"), expected)]), warm_up=0.0, seconds=1.0, mark=nothing)


def test_a_connection_that_ends_without_an_answer_ends_the_run() -> None:
    with answering(b"") as port, pytest.raises(ConnectionResetError):
        drive(Load([port], [Repeat(get(port, "/"), b"")]), warm_up=0.0, seconds=1.0, mark=nothing)


def test_a_refresh_token_that_does_not_change_is_wrong() -> None:
    same = b'{"access_token":"eyJ","token_type":"Bearer","refresh_token":"rt_1"}'
    answer = parse(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(same), same))
    assert answer is not None
    chain = Chain(port=1, path="/token", client_id="app", refresh_token="rt_0")
    chain.check(answer)
    with pytest.raises(WrongAnswer):
        chain.check(answer)
