"""What the issuer has revoked stops working here: the feed, followed over real HTTP."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import anyio
import httpx2
import pytest
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from structlog.testing import capture_logs

from mcp_server.adapters import revocations as following
from mcp_server.adapters.jwks import PublishedKeys
from mcp_server.adapters.revocations import SILENCE_SECONDS, FollowedRevocations
from mcp_server.ports.revocations import RevocationsUnknown
from mcp_server.web.verification import TokenVerifier
from shared_kernel import revocations
from shared_kernel.access_token import CLOCK_SKEW, Refusal, TokenRefused
from shared_kernel.clock import SystemClock
from shared_kernel.revocations import FRESH_SECONDS, MEMORY
from tests.mcp_server.web.conftest import RESOURCE
from tests.mcp_server.web.serving import Issuer, follower, new_key
from tests.support.clock import SettableClock

pytestmark = [pytest.mark.anyio, pytest.mark.slow]


class Reader:
    """A verifier that follows an issuer, by a clock of the test's."""

    def __init__(self, issuer: Issuer, followed: FollowedRevocations, verifier: TokenVerifier) -> None:
        self._issuer, self._followed, self._verifier = issuer, followed, verifier

    async def refusal(self, token: str) -> Refusal | None:
        """Why a token is refused."""
        try:
            await self._verifier.verified(token)
        except TokenRefused as refused:
            return refused.reason
        return None

    async def look(self) -> None:
        """Returns when the feed has been looked at once more, and what it said has been taken in."""
        with anyio.fail_after(30):
            for _ in range(2):  # a look begins once the one before has ended
                self._issuer.followed = anyio.Event()
                await self._issuer.followed.wait()


@asynccontextmanager
async def reading(issuer: Issuer, *, strict: bool = False, clock: SettableClock | None = None) -> AsyncIterator[Reader]:
    """A reader that looks without a pause."""
    clock = clock or SettableClock(SystemClock().now())
    async with httpx2.AsyncClient() as fetching, anyio.create_task_group() as tasks:
        keys = PublishedKeys(fetching, f"{issuer.url}/.well-known/jwks.json", clock=clock)
        followed = follower(issuer, fetching, keys, strict=strict, clock=clock)
        tasks.start_soon(followed.follow)
        yield Reader(issuer, followed, TokenVerifier(keys, followed, issuer=issuer.url, audience=RESOURCE, clock=clock))
        tasks.cancel_scope.cancel()


@pytest.fixture(autouse=True)
def without_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    """The follower looks again at once."""
    monkeypatch.setattr(following, "INTERVAL_SECONDS", 0.01)


@pytest.mark.parametrize("what", ["grants", "clients", "users", "members"])
async def test_f15_a_token_that_was_good_a_moment_ago_ends(own_issuer: Issuer, what: str) -> None:
    name = {"grants": "gid-1", "clients": "client-1", "users": "usr_1", "members": "default/usr_1"}[what]
    async with reading(own_issuer) as reader:
        token = own_issuer.token()
        await reader.look()
        assert await reader.refusal(token) is None
        getattr(own_issuer, what)[name] = SystemClock().now()
        await reader.look()
        assert await reader.refusal(token) is Refusal.REVOKED
        getattr(own_issuer, what).clear()  # a later feed need not repeat it
        await reader.look()
        assert await reader.refusal(token) is Refusal.REVOKED


async def test_others_go_on(own_issuer: Issuer) -> None:
    own_issuer.grants["gid-2"] = own_issuer.clients["client-2"] = own_issuer.users["usr_2"] = SystemClock().now()
    async with reading(own_issuer) as reader:
        await reader.look()
        assert await reader.refusal(own_issuer.token()) is None


async def test_a_person_who_is_let_in_again_gets_tokens_that_count(own_issuer: Issuer) -> None:
    now = SystemClock().now()
    own_issuer.users["usr_1"] = barred_at = now - CLOCK_SKEW - 30
    async with reading(own_issuer) as reader:
        await reader.look()
        # Another process may have dated a token by a clock that is ahead of the one that barred the person.
        for issued_at in (barred_at - 60, barred_at + CLOCK_SKEW):
            assert await reader.refusal(own_issuer.token(now=issued_at)) is Refusal.REVOKED
        assert await reader.refusal(own_issuer.token(now=now)) is None


async def test_f19_a_withdrawn_key_is_believed_no_more(own_issuer: Issuer) -> None:
    """Long before the key set is fetched again."""
    other = new_key()
    own_issuer.published.append(other)
    async with reading(own_issuer) as reader:
        await reader.look()
        assert await reader.refusal(own_issuer.token(key=other)) is None
        own_issuer.published.remove(other)
        await reader.look()
        assert await reader.refusal(own_issuer.token(key=other)) is Refusal.REVOKED
        assert await reader.refusal(own_issuer.token()) is None
        assert own_issuer.fetches == 1


async def test_each_look_asks_for_what_came_after_the_last(own_issuer: Issuer) -> None:
    async with reading(own_issuer) as reader:
        await reader.look()
    assert own_issuer.cursors[0] is None
    assert all(cursor is not None and cursor.isdecimal() for cursor in own_issuer.cursors[1:])


async def test_what_can_have_no_token_left_is_forgotten(own_issuer: Issuer) -> None:
    now = SystemClock().now()
    own_issuer.grants["gid-1"] = now - MEMORY + 60
    clock = SettableClock(now)
    async with reading(own_issuer, clock=clock) as reader:
        await reader.look()
        assert await reader.refusal(own_issuer.token(now=now)) is Refusal.REVOKED
        own_issuer.grants.clear()
        clock.time = now + 61
        own_issuer.feed = own_issuer.written_feed(now=now + 61)
        await reader.look()
        assert await reader.refusal(own_issuer.token(now=now + 61)) is None


@pytest.mark.parametrize(
    "answer",
    [
        "",
        "a.b.c",
        "é",
        PlainTextResponse("gone", 404),
        PlainTextResponse("down", 503),
        RedirectResponse("/elsewhere"),
        Response(b"x" * (revocations.LIMIT + 1)),
    ],
)
async def test_what_is_no_feed_changes_nothing_and_ends_nothing(own_issuer: Issuer, answer: str | Response) -> None:
    own_issuer.grants["gid-1"] = SystemClock().now()
    async with reading(own_issuer) as reader:
        await reader.look()
        own_issuer.feed = answer
        await reader.look()
        assert await reader.refusal(own_issuer.token()) is Refusal.REVOKED
        own_issuer.feed, own_issuer.users["usr_2"] = None, SystemClock().now()
        await reader.look()
        assert await reader.refusal(own_issuer.token(subject="usr_2")) is Refusal.REVOKED


async def test_f25_only_the_issuer_itself_and_of_now_is_heard(own_issuer: Issuer) -> None:
    """A token is no feed, and neither is one of another issuer, of another key, or of another time."""
    now = SystemClock().now()
    own_issuer.grants["gid-1"] = now
    forged = [
        own_issuer.token(),
        own_issuer.written_feed(key=new_key()),
        own_issuer.written_feed(issuer="https://elsewhere.example.com"),
        own_issuer.written_feed(now=now - FRESH_SECONDS - 1),
        own_issuer.written_feed(now=now + FRESH_SECONDS + 1),
    ]
    for text in forged:
        own_issuer.feed = text
        async with reading(own_issuer) as reader:
            await reader.look()
            assert await reader.refusal(own_issuer.token()) is None


async def test_f25_a_key_that_the_feed_does_not_publish_cannot_sign_it(own_issuer: Issuer) -> None:
    """Whoever stole a key that was withdrawn since must not tell us that it is good."""
    stolen = new_key()
    own_issuer.published.append(stolen)
    async with reading(own_issuer) as reader:
        await reader.look()
        own_issuer.grants["gid-1"] = SystemClock().now()
        own_issuer.published.remove(stolen)
        own_issuer.feed = own_issuer.written_feed(key=stolen)
        await reader.look()
        assert await reader.refusal(own_issuer.token()) is None


async def test_silence_is_an_alarm_and_tokens_go_on(own_issuer: Issuer) -> None:
    clock = SettableClock(SystemClock().now())
    async with reading(own_issuer, clock=clock) as reader:
        await reader.look()
        own_issuer.feed = PlainTextResponse("down", 503)
        with capture_logs() as lines:
            await reader.look()
            assert not lines
            clock.time += SILENCE_SECONDS + 1
            await reader.look()
            assert [(line["event"], line["log_level"]) for line in lines] == [("revocations_silent", "error")]
            assert await reader.refusal(own_issuer.token()) is None
            own_issuer.feed = None
            await reader.look()
            assert lines[-1]["event"] == "revocations_heard"


async def test_in_strict_mode_silence_ends_all_trust_until_the_issuer_is_heard_again(own_issuer: Issuer) -> None:
    clock = SettableClock(SystemClock().now())
    own_issuer.feed = PlainTextResponse("down", 503)
    async with reading(own_issuer, strict=True, clock=clock) as reader:
        await reader.look()
        with pytest.raises(RevocationsUnknown):
            await reader.refusal(own_issuer.token())
        own_issuer.feed = None
        await reader.look()
        assert await reader.refusal(own_issuer.token()) is None
        own_issuer.feed = PlainTextResponse("down", 503)
        await reader.look()
        clock.time += SILENCE_SECONDS - 1
        await reader.look()
        assert await reader.refusal(own_issuer.token()) is None
        clock.time += 2
        await reader.look()
        with pytest.raises(RevocationsUnknown):
            await reader.refusal(own_issuer.token())
        own_issuer.feed = own_issuer.written_feed(now=clock.time)
        await reader.look()
        assert await reader.refusal(own_issuer.token()) is None


def test_a_feed_holds_as_much_as_a_large_deployment_revokes(own_issuer: Issuer) -> None:
    now = SystemClock().now()
    own_issuer.grants |= {f"grant-{number:016}": now for number in range(100_000)}
    text = own_issuer.written_feed()
    assert len(text) < revocations.LIMIT
    assert revocations.read(text, own_issuer.key, issuer=own_issuer.url, now=now).grants == own_issuer.grants
