"""OpenID Connect: ID tokens, and what an authorization request asks about the person."""

import hashlib
import json
from base64 import urlsafe_b64encode
from typing import Any

import pytest
from authlib.oidc.core import CodeIDToken
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from joserfc import jwt
from joserfc.jwk import ECKey

from auth_server.adapters.key_generations import new_rsa_key
from auth_server.adapters.signing_keys import SNAPSHOT_AGE
from auth_server.flows.authorize import Continue, ErrorRedirect
from auth_server.protocol import sealed_response
from auth_server.protocol.authorize import MAX_NONCE
from auth_server.protocol.token import IssuedTokens
from shared_kernel import access_token
from shared_kernel.access_token import Refusal, TokenRefused
from shared_kernel.entropy import SystemEntropy
from tests.auth_server.flows.old_keys import made_by_the_first_release
from tests.auth_server.flows.world import (
    ADDRESS,
    EMAIL,
    ISSUER,
    PASSWORD,
    REDIRECT_URI,
    RESOURCE,
    World,
    basic,
    error,
    ok,
    query,
    unverified_header,
)

pytestmark = pytest.mark.anyio

NONCE = "nönce-0123456789"


async def _claims(world: World, id_token: str, algorithm: str = "RS256") -> dict[str, Any]:
    """The claims of an ID token whose signature is that of a published key."""
    key = (await world.keys.published()).key_set[unverified_header(id_token)["kid"]]
    return dict(jwt.decode(id_token, key, algorithms=[algorithm]).claims)


async def _user_id(world: World) -> str:
    user = await world.store.user_by_email(EMAIL)
    assert user is not None
    return user.user_id


async def test_an_id_token_says_who_has_signed_in_and_when(world: World) -> None:
    client = await world.register()
    transaction_id = await world.began(client.client_id, scope="openid query", nonce=NONCE)
    await world.signed_in(transaction_id)
    signed_in_at = int(world.clock.now())
    world.clock.time += 30
    code = query(await world.decided(transaction_id))["code"][0]
    tokens = ok(await world.redeem(client.client_id, code))
    half = hashlib.sha256(tokens["access_token"].encode()).digest()[:16]
    assert await _claims(world, tokens["id_token"]) == {
        "iss": ISSUER,
        "sub": await _user_id(world),
        "aud": client.client_id,
        "iat": int(world.clock.now()),
        "exp": int(world.clock.now()) + 600,
        "auth_time": signed_in_at,
        "nonce": NONCE,
        "at_hash": urlsafe_b64encode(half).rstrip(b"=").decode(),
    }
    assert (await world.claims(tokens["access_token"])).audience == RESOURCE


async def test_authlib_finds_no_fault_with_an_id_token(world: World) -> None:
    client = await world.register()
    tokens = await world.tokens(client.client_id, scope="openid", nonce=NONCE, max_age="3600")
    claims = await _claims(world, tokens["id_token"])
    asked = {"nonce": NONCE, "client_id": client.client_id, "max_age": 3600}
    judged = CodeIDToken(
        claims,
        unverified_header(tokens["id_token"]),
        {"iss": {"value": ISSUER}, "aud": {"value": client.client_id}},
        {**asked, "access_token": tokens["access_token"]},
    )
    judged.validate(now=int(world.clock.now()), leeway=0)


@pytest.mark.parametrize("scope", [None, "query", "query profile email"])
async def test_without_the_scope_openid_there_is_no_id_token(world: World, scope: str | None) -> None:
    client = await world.register()
    tokens = await world.tokens(client.client_id, scope=scope, nonce=NONCE)
    assert "id_token" not in tokens
    assert "id_token" not in ok(await world.refresh(client.client_id, tokens["refresh_token"]))


async def test_a_request_without_nonce_gets_none(world: World) -> None:
    client = await world.register()
    tokens = await world.tokens(client.client_id, scope="openid")
    assert "nonce" not in await _claims(world, tokens["id_token"])


async def test_an_absurd_nonce_is_refused(world: World) -> None:
    client = await world.register()
    assert isinstance(await world.begin(client.client_id, scope="openid", nonce="n" * MAX_NONCE), Continue)
    outcome = await world.begin(client.client_id, scope="openid", nonce="n" * (MAX_NONCE + 1))
    assert isinstance(outcome, ErrorRedirect)
    assert query(outcome.url)["error"] == ["invalid_request"]


async def test_a_refresh_repeats_who_and_when_and_not_the_nonce(world: World) -> None:
    """Core §12.2."""
    client = await world.register()
    first = await world.tokens(client.client_id, scope="openid query", nonce=NONCE)
    then = await _claims(world, first["id_token"])
    world.clock.time += 1000
    second = ok(await world.refresh(client.client_id, first["refresh_token"]))
    now = await _claims(world, second["id_token"])
    assert {name: now[name] for name in ("iss", "sub", "aud", "auth_time")} == {
        name: then[name] for name in ("iss", "sub", "aud", "auth_time")
    }
    assert now["iat"] == then["iat"] + 1000
    assert "nonce" not in now
    assert now["at_hash"] != then["at_hash"]


async def test_the_losers_of_a_race_get_the_winner_s_id_token(world: World) -> None:
    client = await world.register()
    first = await world.tokens(client.client_id, scope="openid")
    second = ok(await world.refresh(client.client_id, first["refresh_token"]))
    assert ok(await world.refresh(client.client_id, first["refresh_token"])) == second
    assert second["id_token"]


async def test_a_refresh_that_leaves_openid_out_gets_no_id_token(world: World) -> None:
    client = await world.register()
    first = await world.tokens(client.client_id, scope="openid query")
    narrow = ok(await world.refresh(client.client_id, first["refresh_token"], scope="query"))
    assert "id_token" not in narrow
    assert "id_token" in ok(await world.refresh(client.client_id, narrow["refresh_token"]))


def test_a_response_that_was_sealed_before_there_were_id_tokens_opens() -> None:
    issued, entropy = IssuedTokens("at", "query", 7, "rt"), SystemEntropy()
    sealed = sealed_response.seal("old", issued, entropy)
    assert sealed_response.unseal("old", sealed) == issued
    nonce = sealed[:12]
    key = AESGCM(sealed_response._key("old"))
    plain = json.loads(key.decrypt(nonce, sealed[12:], sealed_response._INFO))
    shorter = nonce + key.encrypt(nonce, json.dumps(plain[:4]).encode(), sealed_response._INFO)
    assert sealed_response.unseal("old", shorter) == issued


async def test_programs_have_no_person_to_be_told_of(world: World) -> None:
    made = await world.machine("query openid email")
    header = basic(made.client.client_id, str(made.client_secret))
    everything = ok(await world.exchange(header, grant_type="client_credentials"))
    assert everything["scope"] == "query"
    assert "id_token" not in everything
    answer = await world.exchange(header, grant_type="client_credentials", scope="openid")
    assert error(answer) == (400, "invalid_scope")


async def test_an_operator_s_client_asks_only_for_what_it_was_given(world: World) -> None:
    given, denied = await world.machine("query openid", REDIRECT_URI), await world.machine("query", REDIRECT_URI)
    for made, expected in ((given, "query openid"), (denied, "query")):
        header = basic(made.client.client_id, str(made.client_secret))
        code = await world.code(made.client.client_id, scope="query openid email")
        assert ok(await world.redeem(None, code, authorization=header))["scope"] == expected


async def test_a_client_that_registered_before_there_was_openid_may_ask_for_it(world: World) -> None:
    client = await world.register()
    world.sql("UPDATE clients SET scopes = 'schemas:read query offline_access'")
    tokens = await world.tokens(client.client_id, scope="openid email")
    assert tokens["scope"] == "openid email"


async def test_f07_an_id_token_is_no_access_token(world: World) -> None:
    """Whichever key has signed it, and whatever it claims to be."""
    client = await world.register()
    tokens = await world.tokens(client.client_id, scope="openid query")
    with pytest.raises(TokenRefused) as refused:
        await world.claims(tokens["id_token"])
    assert refused.value.reason is Refusal.WRONG_ALGORITHM
    rsa = await world.keys.id_token_key()
    keys: Any = (await world.keys.published()).key_set
    payload = {"iss": ISSUER, "aud": RESOURCE, "sub": "usr_x"}
    for typ in ("at+jwt", "JWT"):
        forged = jwt.encode({"alg": "RS256", "kid": rsa.kid, "typ": typ}, payload, rsa, algorithms=["RS256"])
        with pytest.raises(TokenRefused) as refused:
            access_token.verify(forged, keys=keys, issuer=ISSUER, audience=RESOURCE, now=world.clock.now())
        assert refused.value.reason is Refusal.WRONG_ALGORITHM
    signed_with_the_other = jwt.encode(
        {"alg": "ES256", "kid": (await world.keys.signing_key()).key_id, "typ": "JWT"},
        payload,
        ECKey.generate_key("P-256"),
        algorithms=["ES256"],
    )
    with pytest.raises(TokenRefused) as refused:
        await world.claims(signed_with_the_other)
    assert refused.value.reason is Refusal.WRONG_TYPE


async def test_keys_that_knew_no_id_tokens_sign_them_with_es256(world: World) -> None:
    await made_by_the_first_release(world)
    world.clock.time += SNAPSHOT_AGE
    client = await world.register()
    tokens = await world.tokens(client.client_id, scope="openid")
    assert (await _claims(world, tokens["id_token"], "ES256"))["sub"] == await _user_id(world)
    assert (await world.keys.published()).id_token_algorithm == "ES256"
    with pytest.raises(TokenRefused) as refused:
        await world.claims(tokens["id_token"])
    assert refused.value.reason is Refusal.WRONG_TYPE


async def _silent(world: World, client_id: str, **changes: Any) -> str:
    outcome = await world.begin(client_id, prompt="none", **changes)
    assert isinstance(outcome, ErrorRedirect)
    assert "code" not in query(outcome.url)
    return query(outcome.url)["error"][0]


async def test_a37_prompt_none_is_about_the_person_in_the_hint(world: World) -> None:
    """Core §3.1.2.1: if somebody else is signed in, login_required."""
    client = await world.register()
    tokens = await world.tokens(client.client_id, scope="openid")
    hint, other = tokens["id_token"], "bob@example.com"
    world.clock.time += 7200  # an old token is as good a hint
    assert await _silent(world, client.client_id, id_token_hint=hint) == "consent_required"
    await world.administration.people.create(other, PASSWORD)
    world.session_id = None
    again = await world.began(client.client_id)
    await world.signed_in(again, email=other)
    assert await _silent(world, client.client_id, id_token_hint=hint) == "login_required"
    assert await _silent(world, client.client_id) == "consent_required"


async def test_a37_a_hint_that_is_no_id_token_of_ours_is_nobody_s(world: World) -> None:
    client = await world.register()
    tokens = await world.tokens(client.client_id, scope="openid")
    claims, key = await _claims(world, tokens["id_token"]), await world.keys.id_token_key()
    header = {"alg": "RS256", "kid": key.kid, "typ": "JWT"}
    stranger = new_rsa_key()
    forged = [
        jwt.encode(header, {**claims, "iss": "https://evil.example"}, key, algorithms=["RS256"]),
        jwt.encode({**header, "typ": "at+jwt"}, claims, key, algorithms=["RS256"]),
        jwt.encode(header, claims, stranger, algorithms=["RS256"]),
        jwt.encode({**header, "kid": "unknown"}, claims, stranger, algorithms=["RS256"]),
        tokens["access_token"],
        "a.b.c",
        "é",
    ]
    for hint in forged:
        assert await _silent(world, client.client_id, id_token_hint=hint) == "login_required", hint


@pytest.mark.parametrize("prompt", ["consent", "login consent", "select_account", "consent unheard_of"])
async def test_prompts_that_ask_for_a_page_get_one(world: World, prompt: str) -> None:
    client = await world.register()
    await world.code(client.client_id)
    world.clock.time += 1
    outcome = await world.begin(client.client_id, prompt=prompt)
    assert isinstance(outcome, Continue)
    assert outcome.needs_sign_in is bool({"login", "select_account"} & {*prompt.split()})


async def test_a39_auth_time_is_that_of_the_sign_in_that_max_age_forced(world: World) -> None:
    client = await world.register()
    await world.tokens(client.client_id)
    world.clock.time += 100
    transaction_id = await world.began(client.client_id, scope="openid", max_age="60")
    await world.signed_in(transaction_id)
    code = query(await world.decided(transaction_id))["code"][0]
    claims = await _claims(world, ok(await world.redeem(client.client_id, code))["id_token"])
    assert claims["auth_time"] == int(world.clock.now())


@pytest.mark.parametrize(
    "hint", [{"display": "popup"}, {"ui_locales": "de fr"}, {"acr_values": "urn:x"}, {"claims": '{"userinfo": {}}'},
             {"claims_locales": "de"}, {"id_token_hint": "nonsense"}, {"login_hint": "+49 30 12"}, {"other": "x"}]
)  # fmt: skip
async def test_what_only_hints_at_something_is_ignored(world: World, hint: dict[str, str]) -> None:
    """Core §15.1, §5.5: none of these may cause an error."""
    client = await world.register()
    claims = await _claims(world, (await world.tokens(client.client_id, scope="openid", **hint))["id_token"])
    assert claims["sub"] == await _user_id(world)


async def test_registration_within_a_request_is_refused(world: World) -> None:
    client = await world.register()
    outcome = await world.begin(client.client_id, scope="openid", registration="{}")
    assert isinstance(outcome, ErrorRedirect)
    assert query(outcome.url)["error"] == ["registration_not_supported"]


@pytest.mark.parametrize(
    ("hint", "shown"),
    [
        (" Ada@Example.com ", "ada@example.com"),
        ("<script>@example.com", "<script>@example.com"),
        ("ada", ""),
        ("a" * 250 + "@example.com", ""),
        ("a@b.c\r\nSet-Cookie: x", ""),
        (None, ""),
    ],
)
async def test_a_login_hint_fills_in_an_address_and_decides_nothing(world: World, hint: str | None, shown: str) -> None:
    client = await world.register()
    transaction_id = await world.began(client.client_id, login_hint=hint)
    page = await world.flows.sign_in.view(transaction_id, world.browser_id, ADDRESS)
    assert page.login_hint == shown
    await world.signed_in(transaction_id)  # as somebody else
    assert (await world.consent_page(transaction_id)).user_email == EMAIL
