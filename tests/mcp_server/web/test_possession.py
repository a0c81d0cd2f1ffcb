"""Tokens that are bound to a key, at the guard (RFC 9449 §7): nothing but a proof for this very request will do."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import httpx2
import pytest

from mcp_server.access.bearer import Denial
from mcp_server.adapters.single_use import SingleUseInMemory
from mcp_server.web.possession import ProofVerifier, Unproven
from shared_kernel.clock import SystemClock
from shared_kernel.dpop_nonce import Nonces
from tests.mcp_server.web.conftest import RESOURCE
from tests.mcp_server.web.serving import Issuer
from tests.mcp_server.web.test_guard import LIST, METADATA, Fixture, call
from tests.support.clock import SettableClock
from tests.support.dpop import DpopKey

pytestmark = pytest.mark.anyio


@asynccontextmanager
async def guarding(issuer: Issuer, **settings: Any) -> AsyncIterator[Fixture]:
    """A guard with these settings."""
    async with httpx2.AsyncClient() as fetching:
        fixture = Fixture(issuer, fetching, **settings)
        async with fixture.client:
            yield fixture


@pytest.fixture
async def fixture(issuer: Issuer) -> AsyncIterator[Fixture]:
    """A guard that takes bearers and proofs."""
    async with guarding(issuer) as fixture:
        yield fixture


KEY = DpopKey()


def bound(issuer: Issuer, key: DpopKey = KEY, **changes: Any) -> str:
    """A token that is bound to the key."""
    return issuer.token(key_thumbprint=key.thumbprint, **changes)


async def post(
    fixture: Fixture, token: str, *proofs: str, scheme: str = "DPoP", message: object = LIST
) -> httpx2.Response:
    """A request with these DPoP headers."""
    headers = [("Authorization", f"{scheme} {token}"), *(("DPoP", proof) for proof in proofs)]
    return await fixture.client.post("/mcp", json=message, headers=headers)


async def test_a_bound_token_with_its_proof_reaches_the_application(fixture: Fixture) -> None:
    token = bound(fixture.issuer)
    for scheme in ("DPoP", "dpop"):
        response = await post(
            fixture, token, KEY.proof("POST", RESOURCE, token), scheme=scheme, message=call("run_sql")
        )
        assert response.status_code == 200, response.text
    assert [principal.subject for principal in fixture.inner.principals] == ["usr_1", "usr_1"]


async def test_i16_a_bound_token_is_no_bearer_s(fixture: Fixture) -> None:
    """The downgrade that a thief would try: the same token, without its proof."""
    token = bound(fixture.issuer)
    proof = KEY.proof("POST", RESOURCE, token)
    for proofs in ((), (proof,)):
        response = await post(fixture, token, *proofs, scheme="Bearer")
        assert response.status_code == 401
        bearer, offer = response.headers.get_list("www-authenticate")
        assert bearer.startswith('Bearer error="invalid_token", error_description="The access token is bound to a key')
        assert offer.startswith("DPoP algs=")
    assert (await post(fixture, token, proof)).status_code == 200, "the proof was not used up"
    assert len(fixture.inner.principals) == 1


async def test_i16_a_bearer_s_token_is_not_taken_with_a_proof(fixture: Fixture) -> None:
    token = fixture.issuer.token()
    response = await post(fixture, token, KEY.proof("POST", RESOURCE, token))
    assert response.status_code == 401
    (challenge,) = response.headers.get_list("www-authenticate")
    assert challenge.startswith(
        'DPoP error="invalid_token", error_description="The access token is not bound to a key.'
    )
    assert fixture.inner.principals == []


Attack = Callable[[str], list[str]]
ATTACKS: dict[str, Attack] = {
    "i16 no proof": lambda _: [],
    "i16 two proofs": lambda t: [KEY.proof("POST", RESOURCE, t), KEY.proof("POST", RESOURCE, t)],
    "i16 garbage": lambda _: ["e30.e30.e30"],
    "i16 by another key": lambda t: [DpopKey().proof("POST", RESOURCE, t)],
    "i16 of another method": lambda t: [KEY.proof("GET", RESOURCE, t)],
    "i16 of another path": lambda t: [KEY.proof("POST", "http://localhost:8000/other", t)],
    "i16 of another host": lambda t: [KEY.proof("POST", "http://127.0.0.1:8000/mcp", t)],
    "i16 of the token endpoint": lambda t: [KEY.proof("POST", "http://localhost:9000/token", t)],
    "i16 of another token": lambda _: [KEY.proof("POST", RESOURCE, "another")],
    "i16 without a token": lambda _: [KEY.proof("POST", RESOURCE)],
    "i16 of an hour ago": lambda t: [KEY.proof("POST", RESOURCE, t, iat=int(SystemClock().now()) - 3600)],
    "i16 of the future": lambda t: [KEY.proof("POST", RESOURCE, t, iat=int(SystemClock().now()) + 3600)],
}


@pytest.mark.parametrize("attack", ATTACKS.values(), ids=list(ATTACKS))
async def test_a_proof_of_something_else_is_refused(fixture: Fixture, attack: Attack) -> None:
    """The token is good, and remembered as good: the proof is judged all the same."""
    token = bound(fixture.issuer)
    assert (await post(fixture, token, KEY.proof("POST", RESOURCE, token))).status_code == 200
    response = await post(fixture, token, *attack(token))
    assert response.status_code == 401
    (challenge,) = response.headers.get_list("www-authenticate")
    assert challenge.startswith('DPoP error="invalid_dpop_proof", error_description="')
    assert f'resource_metadata="{METADATA}"' in challenge
    assert response.json()["error"] == "invalid_dpop_proof"
    assert response.headers["dpop-nonce"]
    assert len(fixture.inner.principals) == 1


async def test_i16_a_proof_is_good_for_one_request(fixture: Fixture) -> None:
    token = bound(fixture.issuer)
    once = KEY.proof("POST", RESOURCE, token)
    assert (await post(fixture, token, once)).status_code == 200
    again = await post(fixture, token, once)
    assert (again.status_code, again.json()["error_description"]) == (401, "The DPoP proof has been used before.")
    assert (await post(fixture, token, KEY.proof("POST", RESOURCE, token))).status_code == 200


async def test_i16_forgeries_under_the_scheme_of_proofs_are_refused(fixture: Fixture) -> None:
    """The token is judged before its proof, as with a bearer."""
    expired = bound(fixture.issuer, now=SystemClock().now() - 1000)
    foreign = bound(fixture.issuer, audience="http://localhost:8000/other")
    for token in ("nonsense", expired, foreign):
        response = await post(fixture, token, KEY.proof("POST", RESOURCE, token))
        assert response.status_code == 401
        assert response.headers["www-authenticate"].startswith('DPoP error="invalid_token"')


async def test_a_missing_scope_is_told_in_the_scheme_of_the_request(fixture: Fixture) -> None:
    token = bound(fixture.issuer, scopes=())
    response = await post(fixture, token, KEY.proof("POST", RESOURCE, token), message=call("run_sql"))
    assert response.status_code == 403
    (challenge,) = response.headers.get_list("www-authenticate")
    assert challenge.startswith('DPoP error="insufficient_scope"')


async def test_every_answer_to_a_proof_brings_a_nonce_and_no_other_does(fixture: Fixture) -> None:
    token = bound(fixture.issuer)
    key = DpopKey(KEY.private, clock=SettableClock(0.0))
    refused = await post(fixture, token, key.proof("POST", RESOURCE, token))
    assert refused.status_code == 401
    key.nonce = refused.headers["dpop-nonce"]
    response = await post(fixture, token, key.proof("POST", RESOURCE, token))
    assert response.status_code == 200, "a nonce stands in for a clock that is wrong"
    assert response.headers["dpop-nonce"]
    assert "dpop-nonce" not in (await fixture.post(fixture.issuer.token())).headers


async def test_i16_a_nonce_can_be_demanded(issuer: Issuer) -> None:
    async with guarding(issuer, nonce_required=True) as fixture:
        token, key = bound(issuer), DpopKey(KEY.private)
        refused = await post(fixture, token, key.proof("POST", RESOURCE, token))
        assert (refused.status_code, refused.json()["error"]) == (401, "use_dpop_nonce")
        assert refused.headers["www-authenticate"].startswith('DPoP error="use_dpop_nonce"')
        key.nonce = refused.headers["dpop-nonce"]
        assert (await post(fixture, token, key.proof("POST", RESOURCE, token))).status_code == 200
        assert (await fixture.post(issuer.token())).status_code == 200


async def test_bearers_can_be_kept_away(issuer: Issuer) -> None:
    async with guarding(issuer, dpop_required=True) as fixture:
        for response in (await fixture.post(issuer.token()), await fixture.client.post("/mcp", json=LIST)):
            assert response.status_code == 401
            (challenge,) = response.headers.get_list("www-authenticate")
            assert challenge.startswith("DPoP ")
        token = bound(issuer)
        assert (await post(fixture, token, KEY.proof("POST", RESOURCE, token))).status_code == 200


async def test_a_proof_is_used_once_wherever_it_is_remembered() -> None:
    clock = SettableClock()
    key, used = DpopKey(clock=clock), SingleUseInMemory(clock)
    first, second = [
        ProofVerifier(
            resource=RESOURCE, nonces=Nonces(b"k" * 32, "tests"), nonce_required=False, used=used, clock=clock
        )
        for _ in range(2)
    ]
    text = key.proof("POST", RESOURCE, "token")
    await first.check([text], method="POST", token="token", thumbprint=key.thumbprint)
    for verifier in (first, second):
        with pytest.raises(Unproven, match="dpop_reused") as reused:
            await verifier.check([text], method="POST", token="token", thumbprint=key.thumbprint)
        assert reused.value.denial is Denial.INVALID_PROOF
