"""The issuer's keys, fetched over real HTTP."""

import json
from collections.abc import AsyncIterator
from typing import Any

import anyio
import httpx2
import pytest
from joserfc import jws
from joserfc.jwk import ECKey, RSAKey
from starlette.responses import JSONResponse, PlainTextResponse, RedirectResponse, Response
from structlog.testing import capture_logs

from mcp_server.adapters.jwks import COOL_DOWN_SECONDS, LONGEST_OUTAGE_SECONDS, RETRY_SECONDS, PublishedKeys
from mcp_server.ports.keys import KeySetUnavailable
from mcp_server.web.verification import TokenVerifier
from shared_kernel.access_token import Refusal, TokenRefused
from shared_kernel.clock import SystemClock
from tests.mcp_server.web.conftest import RESOURCE
from tests.mcp_server.web.serving import Issuer, follower, new_key
from tests.support.clock import SettableClock

pytestmark = [pytest.mark.anyio, pytest.mark.slow]


class Reader:
    """A key set, its clock, and a verifier over it."""

    def __init__(self, issuer: Issuer, client: httpx2.AsyncClient, refresh_seconds: float = 300) -> None:
        self.clock = SettableClock()
        url = f"{issuer.url}/.well-known/jwks.json"
        self.keys = PublishedKeys(client, url, clock=self.clock, refresh_seconds=refresh_seconds)
        self.verifier = TokenVerifier(
            self.keys, follower(issuer, client, self.keys), issuer=issuer.url, audience=RESOURCE, clock=SystemClock()
        )

    async def refusal(self, token: str) -> Refusal | None:
        try:
            await self.verifier.verified(token)
        except TokenRefused as refused:
            return refused.reason
        return None


@pytest.fixture
async def client() -> AsyncIterator[httpx2.AsyncClient]:
    async with httpx2.AsyncClient() as client:
        yield client


async def test_fifty_cold_requests_make_one_fetch_and_none_is_refused(
    own_issuer: Issuer, client: httpx2.AsyncClient
) -> None:
    reader, own_issuer.gate = Reader(own_issuer, client), anyio.Event()
    results: list[Refusal | None] = []

    async def ask(token: str) -> None:
        results.append(await reader.refusal(token))

    with anyio.fail_after(60):
        async with anyio.create_task_group() as tasks:
            for number in range(50):
                tasks.start_soon(ask, own_issuer.token(subject=f"usr_{number}"))
            await own_issuer.asked.wait()
            own_issuer.gate.set()
    assert results == [None] * 50
    assert own_issuer.fetches == 1


async def test_fifty_cold_requests_in_an_outage_make_one_fetch_and_are_told(
    own_issuer: Issuer, client: httpx2.AsyncClient
) -> None:
    reader, own_issuer.response = Reader(own_issuer, client), PlainTextResponse("down", 503)
    unavailable = 0

    async def ask() -> None:
        nonlocal unavailable
        with pytest.raises(KeySetUnavailable):
            await reader.keys.key("any")
        unavailable += 1

    async with anyio.create_task_group() as tasks:
        for _ in range(50):
            tasks.start_soon(ask)
    assert (unavailable, own_issuer.fetches) == (50, 1)


async def test_a_cancelled_first_request_does_not_spoil_it_for_those_who_wait(
    own_issuer: Issuer, client: httpx2.AsyncClient
) -> None:
    reader, own_issuer.gate = Reader(own_issuer, client), anyio.Event()
    with anyio.fail_after(60):
        async with anyio.create_task_group() as tasks:
            with anyio.CancelScope() as first:

                async def give_up() -> None:
                    await own_issuer.asked.wait()
                    first.cancel()

                tasks.start_soon(give_up)
                await reader.refusal(own_issuer.token())
            own_issuer.gate.set()
            assert await reader.refusal(own_issuer.token()) is None


async def test_f03_unknown_kids_cause_one_fetch_per_cool_down(own_issuer: Issuer, client: httpx2.AsyncClient) -> None:
    reader = Reader(own_issuer, client)
    assert await reader.refusal(own_issuer.token()) is None
    for _ in range(20):
        assert await reader.refusal(own_issuer.token(key=new_key())) is Refusal.UNKNOWN_KEY
    assert own_issuer.fetches == 2
    reader.clock.time += COOL_DOWN_SECONDS + 1
    for _ in range(20):
        assert await reader.refusal(own_issuer.token(key=new_key())) is Refusal.UNKNOWN_KEY
    assert own_issuer.fetches == 3


@pytest.mark.parametrize("jump", [-30 * 86400, 30 * 86400])
async def test_f03_a_wall_clock_that_is_set_neither_ends_nor_prolongs_the_cool_down(
    own_issuer: Issuer, client: httpx2.AsyncClient, jump: float
) -> None:
    reader, unknown = Reader(own_issuer, client), str(new_key().kid)
    assert await reader.keys.key(unknown) is None
    assert await reader.keys.key(unknown) is None
    assert own_issuer.fetches == 2
    reader.clock.wall += jump
    assert await reader.keys.key(unknown) is None
    assert await reader.keys.key(str(own_issuer.key.kid)) is not None
    assert own_issuer.fetches == 2
    reader.clock.time += COOL_DOWN_SECONDS
    assert await reader.keys.key(unknown) is None
    assert own_issuer.fetches == 3


async def test_f18_a_rotation_costs_no_request_its_answer(own_issuer: Issuer, client: httpx2.AsyncClient) -> None:
    reader = Reader(own_issuer, client)
    old_token = own_issuer.token()
    assert await reader.refusal(old_token) is None
    upcoming = new_key()
    own_issuer.published = [own_issuer.key, upcoming]  # published before use ...
    assert await reader.refusal(own_issuer.token(key=upcoming)) is None  # ... and asked for at its first use
    assert await reader.refusal(old_token) is None
    assert own_issuer.fetches == 2


async def test_f19_a_withdrawn_key_is_refused_after_the_next_refresh_remembered_tokens_too(
    own_issuer: Issuer, client: httpx2.AsyncClient
) -> None:
    reader = Reader(own_issuer, client, refresh_seconds=0.05)
    token = own_issuer.token()
    assert await reader.refusal(token) is None
    own_issuer.published = [new_key()]
    with anyio.fail_after(30):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(reader.keys.keep_fresh)
            for _ in range(2):  # the second fetch begins when the first one's answer is in place
                own_issuer.fetched = anyio.Event()
                await own_issuer.fetched.wait()
            assert await reader.refusal(token) is Refusal.UNKNOWN_KEY
            tasks.cancel_scope.cancel()


async def test_a_kid_that_names_another_key_now_does_not_keep_old_tokens_alive(
    own_issuer: Issuer, client: httpx2.AsyncClient
) -> None:
    reader = Reader(own_issuer, client)
    token = own_issuer.token()
    assert await reader.refusal(token) is None
    impostor = ECKey.import_key({**new_key().as_dict(private=True), "kid": str(own_issuer.key.kid)})
    own_issuer.published = [impostor]
    await reader.refusal(own_issuer.token(key=new_key()))  # causes a fetch
    assert await reader.refusal(token) is Refusal.BAD_SIGNATURE


OUTAGES: dict[str, Response] = {
    "status 500": PlainTextResponse("down", 500),
    "status 404 with a key set": JSONResponse({"keys": []}, 404),
    "redirect": RedirectResponse("/elsewhere"),
    "not JSON": PlainTextResponse("<html>"),
    "not a key set": JSONResponse({"keys": {"a": 1}}),
    "a list": JSONResponse([]),
    "too long": PlainTextResponse(json.dumps({"keys": [], "x": "y" * 70_000})),
    "too many keys": JSONResponse({"keys": [{}] * 33}),
    "deeply nested": PlainTextResponse("[" * 50_000),
    "no key": JSONResponse({"keys": []}),
    "no usable key": JSONResponse({"keys": [{"kty": "RSA", "kid": "r", "n": "AQAB", "e": "AQAB"}]}),
}


@pytest.mark.parametrize("response", OUTAGES.values(), ids=list(OUTAGES))
async def test_the_last_good_copy_outlives_a_bad_answer_for_a_day(
    own_issuer: Issuer, client: httpx2.AsyncClient, response: Response
) -> None:
    reader = Reader(own_issuer, client)
    assert await reader.refusal(own_issuer.token()) is None
    own_issuer.response = response
    assert await reader.refusal(own_issuer.token(key=new_key())) is Refusal.UNKNOWN_KEY
    assert own_issuer.fetches == 2
    assert await reader.refusal(own_issuer.token(subject="usr_2")) is None
    reader.clock.time += LONGEST_OUTAGE_SECONDS + 1
    with pytest.raises(KeySetUnavailable):
        await reader.keys.key(str(own_issuer.key.kid))


async def test_an_issuer_that_comes_up_later_is_found(own_issuer: Issuer, client: httpx2.AsyncClient) -> None:
    reader, own_issuer.response = Reader(own_issuer, client), PlainTextResponse("down", 503)
    for _ in range(5):
        with pytest.raises(KeySetUnavailable):
            await reader.keys.key("any")
    assert own_issuer.fetches == 1
    own_issuer.response = None
    reader.clock.time += RETRY_SECONDS + 1
    assert await reader.refusal(own_issuer.token()) is None


async def test_an_issuer_that_is_not_there_is_an_outage() -> None:
    async with httpx2.AsyncClient() as client:
        keys = PublishedKeys(client, "http://127.0.0.1:1/.well-known/jwks.json", clock=SystemClock())
        with pytest.raises(KeySetUnavailable):
            await keys.key("any")


async def test_only_public_p256_signature_keys_are_taken(own_issuer: Issuer, client: httpx2.AsyncClient) -> None:
    good = new_key().as_dict(private=False)
    bad: list[Any] = [
        {**good, "kid": "enc", "use": "enc"},
        {**good, "kid": "alg", "alg": "ES384"},
        {**new_key().as_dict(private=True), "kid": "private"},
        {**ECKey.generate_key("P-384", private=False).as_dict(), "kid": "p384"},
        {"kty": "oct", "k": "c2VjcmV0", "kid": "oct"},
        {**good, "kid": "off-curve", "y": good["x"]},
        {name: value for name, value in good.items() if name != "y"} | {"kid": "half"},
        {**good, "kid": 7},
        {name: value for name, value in good.items() if name != "kid"},
        "text",
    ]
    own_issuer.response = JSONResponse({"keys": [*bad, good]})
    keys = Reader(own_issuer, client).keys
    assert await keys.key(str(good["kid"])) is not None
    for name in ("enc", "alg", "private", "p384", "oct", "off-curve", "half", "7"):
        assert await keys.key(name) is None


async def test_f07_a_key_of_id_tokens_is_passed_over_in_silence(own_issuer: Issuer, client: httpx2.AsyncClient) -> None:
    """The issuer publishes it beside its own; nothing that it signs is an access token."""
    rsa = RSAKey.generate_key(2048, {"use": "sig", "alg": "RS256"}, auto_kid=True)
    own = own_issuer.key.as_dict(private=False)
    own_issuer.response = JSONResponse({"keys": [rsa.as_dict(private=False), own]})
    reader = Reader(own_issuer, client)
    with capture_logs() as lines:
        assert await reader.refusal(own_issuer.token()) is None
        assert await reader.keys.key(str(rsa.kid)) is None
    assert not [line for line in lines if line["event"] == "jwk_ignored"]
    payload = jws.extract_compact(own_issuer.token().encode()).payload
    for header in ({"alg": "RS256", "typ": "at+jwt", "kid": rsa.kid}, {"alg": "RS256", "typ": "JWT", "kid": rsa.kid}):
        forged = jws.serialize_compact(header, payload, rsa, algorithms=["RS256"])
        assert await reader.refusal(forged) is Refusal.WRONG_ALGORITHM
