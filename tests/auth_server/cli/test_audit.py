"""`auth-server audit` and `auth-server flow`, on a trail of their own."""

import asyncio
import sqlite3
from collections.abc import Callable, Iterator

import pytest

from auth_server.adapters.audit_trail import StoreAuditTrail
from auth_server.adapters.sqlite_store.store import SqliteStore
from auth_server.domain.audit import EventName
from auth_server.domain.failures import Reason
from shared_kernel.clock import SystemClock
from shared_kernel.entropy import SystemEntropy
from shared_kernel.logs import REQUEST_ID
from shared_kernel.request_id import new_request_id
from tests.auth_server.cli.command_line import CommandLine, assert_failed

ADDRESS = "203.0.113.7"


def _told(run: CommandLine, *stories: Callable[[StoreAuditTrail], None]) -> None:
    """Records what each story records, in a batch of its own."""

    async def tell() -> None:
        store = SqliteStore.open(run.directory / "auth.db")
        try:
            trail = StoreAuditTrail(store, SystemClock(), SystemEntropy())
            for story in stories:
                story(trail)
                assert await trail.flush()
        finally:
            store.close()

    asyncio.run(tell())


def _request() -> str:
    request_id = new_request_id(SystemClock().now(), SystemEntropy())
    REQUEST_ID.set(request_id)
    return request_id


def _started(trail: StoreAuditTrail) -> None:
    facts = {"scope": "query", "resource": "https://r/mcp", "redirect": "localhost"}
    trail.record(EventName.AUTHORIZATION_STARTED, flow_id="-f1", client_id="c1", address=ADDRESS, **facts)


def _issued(trail: StoreAuditTrail) -> None:
    facts = {"grant_type": "authorization_code", "scope": "query"}
    trail.record(EventName.TOKENS_ISSUED, flow_id="-f1", client_id="c1", user_id="u1", address=ADDRESS, **facts)


def _reused(trail: StoreAuditTrail) -> None:
    about = {"flow_id": "-f1", "client_id": "c1", "user_id": "u1", "address": "198.51.100.9"}
    trail.record(EventName.REFUSED, **about, reason=Reason.CODE_REUSED.value, path="/token", status=400)


@pytest.fixture(autouse=True)
def _no_request() -> Iterator[None]:
    """What a test sets as the request that is served ends with it."""
    yield
    REQUEST_ID.set("")


def test_a_flow_is_explained_in_words(run: CommandLine) -> None:
    _told(run, _started, _issued)
    request_id = _request()
    _told(run, _reused)
    for identifier in ("-f1", request_id):
        text = run("flow", "explain", identifier).out
        assert text.splitlines()[0] == "Flow      -f1"
        for part in (
            "Client    c1 (not known any more)",
            "The client sent a browser here. It asks for query at https://r/mcp, and wants the answer at localhost.",
            "The client was given tokens for authorization_code: query.",
            "ALARM: A request to /token was refused, with status 400.",
            f"from 198.51.100.9 {request_id}",
            "Reason: code_reused. The client was told: invalid_grant: The authorization code is not valid",
            "To be changed by the maker of the client: Redeem a code once.",
            "What it came to",
        ):
            assert part in text, part
        document = run("flow", "explain", identifier, "--json").document
        assert document["gid"] == "-f1"
        assert [step["event"] for step in document["steps"]] == ["authorization_started", "tokens_issued", "refused"]
        assert document["steps"][2]["alarm"]
        assert document["steps"][2]["remedy"].startswith("Redeem a code once.")


def test_an_unknown_id_is_one_line(run: CommandLine) -> None:
    assert_failed(run("flow", "explain", "nothing"), "knows nothing", "AUTH_AUDIT_DAYS")
    assert_failed(run("flow", "explain", new_request_id(1e9, SystemEntropy())), "knows nothing")
    assert run("flow", "explain", "x", "--since", "yesterday").status == 2


def test_events_are_listed_and_chosen(run: CommandLine) -> None:
    _told(run, _started, _issued)
    listed = run("audit", "list", "--json").document["events"]
    assert [event["event"] for event in listed] == ["authorization_started", "tokens_issued"]
    assert listed[1]["facts"] == {"grant_type": "authorization_code", "scope": "query"}
    for option, value, count in (("--user", "u1", 1), ("--user", "u2", 0), ("--client", "c1", 2), ("--since", "0s", 0)):
        assert len(run("audit", "list", option, value, "--json").document["events"]) == count, option
    assert run("audit", "list").out.count("\n") == 2


def test_a_whole_trail_is_verified(run: CommandLine) -> None:
    assert run("audit", "verify").out == "The trail is whole: 0 events in 0 batches.\n"
    _told(run, _started, _issued)
    document = run("audit", "verify", "--json").document
    assert (document["batches"], document["events"], document["sequence"]) == (2, 2, 2)
    noted = f"2:{document['hash']}"
    assert noted in run("audit", "verify", "--expect", noted).out
    assert_failed(run("audit", "verify", "--expect", f"2:{'0' * 64}"), "batch 2", "another than was noted")
    assert_failed(run("audit", "verify", "--expect", f"3:{'0' * 64}"), "batch 3", "missing")
    assert run("audit", "verify", "--expect", "2:short").status == 2


@pytest.mark.parametrize(
    ("tampering", "place", "words"),
    [
        ("UPDATE audit SET body = (SELECT body FROM audit WHERE sequence = 1) WHERE sequence = 2", 2, "changed"),
        ("UPDATE audit SET time_ms = time_ms + 1 WHERE sequence = 1", 1, "changed"),
        ("DELETE FROM audit WHERE sequence = 2", 3, "missing"),
        ("DELETE FROM audit WHERE sequence = 3", 2, "last batches are missing"),
        ("DELETE FROM audit", 3, "last batches are missing"),
        ("UPDATE audit SET body = x'00' WHERE sequence = 1", 1, "changed"),
    ],
)
def test_whoever_changes_the_trail_shows_at_the_place(run: CommandLine, tampering: str, place: int, words: str) -> None:
    _told(run, _started, _issued, _reused)
    with sqlite3.connect(run.directory / "auth.db") as db:
        db.execute(tampering)
    db.close()
    assert_failed(run("audit", "verify"), f"broken at batch {place}:", words)
    assert '"broken_trail"' in run("audit", "verify", "--json").err


def test_a_trail_that_cannot_be_read_is_one_line(run: CommandLine) -> None:
    _told(run, _started)
    with sqlite3.connect(run.directory / "auth.db") as db:
        db.execute("UPDATE audit SET body = x'00'")
    db.close()
    assert_failed(run("audit", "list"), "audit verify")
