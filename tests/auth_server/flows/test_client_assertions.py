"""Clients that prove who they are by a key (private_key_jwt): cases D13–D16."""

import asyncio
import hmac
import json
from dataclasses import replace
from typing import Any

import pytest
from joserfc.util import urlsafe_b64encode
from structlog.testing import capture_logs

from auth_server.domain.client import Client
from auth_server.domain.failures import Reason
from auth_server.flows.administration.problems import CannotDo
from auth_server.protocol import public_keys
from tests.auth_server.flows.world import ADDRESS, ISSUER, REDIRECT_URI, VERIFIER, Answer, World, basic, error, ok
from tests.support.client_keys import ASSERTION_TYPE, ClientKey, presented

pytestmark = pytest.mark.anyio

INVALID_CLIENT = (401, "invalid_client")
KEY, OTHER_KEY = ClientKey(), ClientKey()
RSA = {name: ClientKey(name) for name in ("RS256", "PS256")}
TOKEN_ENDPOINT = f"{ISSUER}/token"


async def _client(world: World, key: ClientKey = KEY, *redirect_uris: str) -> Client:
    made = await world.administration.clients.create(
        name="Agent", confidential=True, redirect_uris=redirect_uris, scope="query offline_access", jwks=key.jwks()
    )
    assert made.client_secret is None
    return made.client


async def _grant(world: World, assertion: str, **parameters: str) -> Answer:
    return await world.exchange(grant_type="client_credentials", **presented(assertion), **parameters)


def _assertion(world: World, client: Client, key: ClientKey = KEY, audience: Any = ISSUER, **changes: Any) -> str:
    return key.assertion(client.client_id, audience, world.clock.now(), **changes)


@pytest.mark.parametrize("algorithm", ["ES256", "RS256", "PS256", "EdDSA", "Ed25519"])
async def test_a_client_proves_who_it_is_by_its_key(world: World, algorithm: str) -> None:
    key = RSA.get(algorithm) or ClientKey(algorithm)
    client = await _client(world, key)
    token = ok(await _grant(world, _assertion(world, client, key)))["access_token"]
    claims = await world.claims(token)
    assert (claims.subject, claims.client_id) == (client.client_id, client.client_id)


@pytest.mark.parametrize("audience", [ISSUER, TOKEN_ENDPOINT, [ISSUER]], ids=str)
async def test_the_audience_is_this_server(world: World, audience: Any) -> None:
    client = await _client(world)
    ok(await _grant(world, _assertion(world, client, audience=audience), client_id=client.client_id))


async def test_code_and_refresh_token_of_a_client_with_a_key(world: World) -> None:
    client = await _client(world, KEY, "http://localhost/callback")
    code = await world.code(client.client_id, scope="query offline_access")
    redemption = {"grant_type": "authorization_code", "code": code, "redirect_uri": REDIRECT_URI}
    assert error(await world.exchange(client_id=client.client_id, code_verifier=VERIFIER, **redemption)) == (
        INVALID_CLIENT
    )
    proof = presented(_assertion(world, client))
    tokens = ok(await world.exchange(code_verifier=VERIFIER, **redemption, **proof))
    assert error(await world.refresh(client.client_id, tokens["refresh_token"])) == INVALID_CLIENT
    proof = presented(_assertion(world, client))
    refresh = {"grant_type": "refresh_token", "refresh_token": tokens["refresh_token"]}
    refreshed = ok(await world.exchange(**refresh, **proof))
    revoked = await world.revoke(token=refreshed["refresh_token"], **presented(_assertion(world, client)))
    assert revoked.status == 200
    refresh = {"grant_type": "refresh_token", "refresh_token": refreshed["refresh_token"]}
    assert error(await world.exchange(**refresh, **presented(_assertion(world, client)))) == (400, "invalid_grant")


WRONG: dict[str, dict[str, Any]] = {
    "alg-none": {"header": {"alg": "none"}},
    "alg-unknown": {"header": {"alg": "ES384"}},
    "alg-of-another-key": {"header": {"alg": "RS256"}},
    "alg-missing": {"header": {"alg": None}},
    "critical-header": {"header": {"crit": ["b64"], "b64": False}},
    "access-token-type": {"header": {"typ": "at+jwt"}},
    "proof-type": {"header": {"typ": "dpop+jwt"}},
    "unknown-key": {"header": {"kid": "other"}},
    "key-id-no-text": {"header": {"kid": 1}},
    "audience-of-another": {"aud": "https://other.example"},
    "audience-with-a-slash": {"aud": f"{ISSUER}/"},
    "audiences": {"aud": [ISSUER, "https://other.example"]},
    "no-audience": {"aud": None},
    "foreign-issuer": {"iss": "https://other.example"},
    "foreign-subject": {"sub": "client_other"},
    "no-issuer": {"iss": None},
    "no-subject": {"sub": None},
    "no-id": {"jti": None},
    "empty-id": {"jti": ""},
    "id-no-text": {"jti": 7},
    "long-id": {"jti": "x" * 257},
    "no-expiry": {"exp": None},
    "expiry-no-number": {"exp": "soon"},
    "expiry-true": {"exp": True},
    "expiry-huge": {"exp": 10**400},
}


@pytest.mark.parametrize("changes", WRONG.values(), ids=WRONG.keys())
async def test_d13_assertions_that_prove_nothing(world: World, changes: dict[str, Any]) -> None:
    client = await _client(world)
    answer = await _grant(world, _assertion(world, client, **changes))
    assert error(answer) == INVALID_CLIENT
    unknown = await _grant(world, KEY.assertion("client_unknown", ISSUER, world.clock.now()))
    assert answer == unknown


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"exp": 359}, 200),
        ({"exp": 361}, 401),
        ({"exp": -59}, 200),
        ({"exp": -60}, 401),
        ({"nbf": 59}, 200),
        ({"nbf": 61}, 401),
        ({"iat": 59}, 200),
        ({"iat": 61}, 401),
        ({"iat": -10_000}, 200),
    ],
    ids=str,
)
async def test_d13_i18_times_of_an_assertion(world: World, changes: dict[str, int], status: int) -> None:
    """Five minutes ahead at most, and clocks may differ by 60 seconds."""
    client = await _client(world)
    times: dict[str, Any] = {name: world.clock.now() + seconds for name, seconds in changes.items()}
    assert (await _grant(world, _assertion(world, client, **times))).status == status


async def test_d13_a_signature_by_another_key(world: World) -> None:
    client = await _client(world)
    assert error(await _grant(world, _assertion(world, client, OTHER_KEY))) == INVALID_CLIENT
    good = _assertion(world, client)
    head, payload, signature = good.split(".")
    forged = urlsafe_b64encode(json.dumps({"iss": client.client_id, "sub": client.client_id}).encode()).decode()
    for text in (f"{head}.{forged}.{signature}", f"{head}.{payload}.", f"{head}.{payload}", "", "é.é.é", good + ".x"):
        assert (await _grant(world, text)).status == 401
    ok(await _grant(world, good))


async def test_d13_an_hmac_with_the_public_key(world: World) -> None:
    client = await _client(world, RSA["RS256"])
    public = RSA["RS256"].key.as_pem(private=False)
    head, payload, _ = _assertion(world, client, RSA["RS256"], header={"alg": "HS256"}).split(".")
    mac = hmac.digest(public, f"{head}.{payload}".encode(), "sha256")
    assert error(await _grant(world, f"{head}.{payload}.{urlsafe_b64encode(mac).decode()}")) == INVALID_CLIENT


async def test_d13_an_assertion_is_used_once(world: World) -> None:
    """Of forty that come at once one gets a token, and a program that repeats its request to the byte gets none."""
    client = await _client(world)
    assertion = _assertion(world, client, jti="the same")
    statuses = [answer.status for answer in await asyncio.gather(*(_grant(world, assertion) for _ in range(40)))]
    assert statuses.count(200) == 1
    assert statuses.count(401) + statuses.count(429) == 39
    world.clock.time += 61
    other = await _client(world)
    ok(await _grant(world, _assertion(world, other, jti="the same")))
    with capture_logs() as lines:
        assert error(await _grant(world, _assertion(world, client, jti="the same"))) == INVALID_CLIENT
    (alarm,) = [line for line in lines if line.get("alarm")]
    assert (alarm["event"], alarm["log_level"]) == ("client_assertion_refused", "error")
    assert (alarm["reason"], alarm["client_id"]) == ("client_assertion_reused", client.client_id)


async def test_an_assertion_that_is_refused_is_not_used_up(world: World) -> None:
    """Nobody who guesses ids keeps a client out."""
    client = await _client(world)
    forged = _assertion(world, client, OTHER_KEY, jti="guessed")
    assert error(await _grant(world, forged)) == INVALID_CLIENT
    ok(await _grant(world, _assertion(world, client, jti="guessed")))


async def test_d14_an_assertion_and_another_method(world: World) -> None:
    client = await _client(world)
    proof = {"grant_type": "client_credentials", **presented(_assertion(world, client))}
    assert error(await world.exchange(basic(client.client_id, "x"), **proof)) == (400, "invalid_request")
    assert error(await world.exchange(client_secret="x", **proof)) == (400, "invalid_request")
    ok(await world.exchange(**proof))


async def test_d16_another_kind_of_assertion(world: World) -> None:
    client = await _client(world)
    for parameters in (
        {"client_assertion": _assertion(world, client)},
        {"client_assertion_type": ASSERTION_TYPE, "client_id": client.client_id},
        {**presented(_assertion(world, client)), "client_assertion_type": "urn:ietf:params:oauth:x:saml2-bearer"},
        {**presented(_assertion(world, client)), "client_id": "client_other"},
    ):
        assert error(await world.exchange(grant_type="client_credentials", **parameters)) == INVALID_CLIENT


async def test_d12_wrong_assertions_are_slowed_down_and_right_ones_are_not(world: World) -> None:
    client = await _client(world)
    wrong = [await _grant(world, _assertion(world, client, OTHER_KEY)) for _ in range(11)]
    assert [answer.status for answer in wrong] == [401] * 10 + [429]
    ok(await _grant(world, _assertion(world, client)))


async def test_a_client_with_a_key_has_no_other_way(world: World) -> None:
    client = await _client(world)
    assert error(await world.exchange(grant_type="client_credentials", client_id=client.client_id)) == INVALID_CLIENT
    secret = await world.machine()
    ok(await world.exchange(basic(secret.client.client_id, str(secret.client_secret)), grant_type="client_credentials"))
    await world.administration.clients.update(secret.client.client_id, jwks=KEY.jwks())
    header = basic(secret.client.client_id, str(secret.client_secret))
    assert error(await world.exchange(header, grant_type="client_credentials")) == INVALID_CLIENT
    ok(await _grant(world, _assertion(world, secret.client)))
    with pytest.raises(CannotDo, match="has no secret"):
        await world.administration.clients.rotate_secret(client.client_id)


async def test_a_client_with_a_secret_cannot_use_a_key(world: World) -> None:
    made = await world.machine()
    assert error(await _grant(world, _assertion(world, made.client))) == INVALID_CLIENT


async def test_a_public_client_of_the_operators_becomes_confidential_with_its_key(world: World) -> None:
    made = await world.administration.clients.create(
        name="App", confidential=False, redirect_uris=("http://localhost/callback",)
    )
    changed = await world.administration.clients.update(made.client.client_id, jwks=KEY.jwks())
    assert changed.confidential
    assert await world.store.client(made.client.client_id) == changed
    ok(await _grant(world, _assertion(world, changed)))


async def test_a_key_is_found_by_its_id_or_because_no_other_fits(world: World) -> None:
    """We choose it: never a library, and never one after the other."""
    unnamed, named = ClientKey(key_id=None), ClientKey(key_id="b")
    rsa = RSA["RS256"]

    async def statuses(keys: list[dict[str, Any]], *assertions: tuple[ClientKey, dict[str, Any]]) -> list[int]:
        made = await world.administration.clients.create(
            name="Agent", confidential=True, jwks=json.dumps({"keys": keys}).encode()
        )
        return [
            (await _grant(world, _assertion(world, made.client, key, header=header))).status
            for key, header in assertions
        ]

    keys = [unnamed.jwk(), rsa.jwk(), {"kty": "EC", "crv": "P-521", "x": "AA", "y": "AA"}, {"kty": "AKP"}]
    assert await statuses(keys, (unnamed, {}), (unnamed, {"kid": "x"}), (rsa, {}), (rsa, {"kid": None})) == [200] * 4
    two = [unnamed.jwk(), named.jwk()]
    assert await statuses(two, (unnamed, {}), (named, {}), (named, {"kid": None}), (unnamed, {"kid": "b"})) == [
        401,
        200,
        401,
        401,
    ]
    same = [named.jwk(), KEY.jwk(kid="b")]
    assert await statuses(same, (named, {})) == [401]


@pytest.mark.parametrize(
    "jwk",
    {
        "for-encryption": KEY.jwk(use="enc"),
        "for-signing": KEY.jwk(key_ops=["sign"]),
        "for-another-algorithm": KEY.jwk(alg="ES384"),
        "not-on-the-curve": KEY.jwk(y=KEY.jwk()["x"]),
        "id-no-text": KEY.jwk(kid=7),
        "even-exponent": RSA["RS256"].jwk(e="Ag"),
        "short-modulus": RSA["RS256"].jwk(n="AQAB"),
        "long-modulus": RSA["RS256"].jwk(n=RSA["RS256"].jwk()["n"] * 4),
        "private": {**KEY.jwk(), "d": "AA"},
        "symmetric": {"kty": "oct", "k": "AA"},
    }.items(),
    ids=lambda item: item[0],
)
async def test_keys_that_are_of_no_use_are_not_taken(world: World, jwk: tuple[str, dict[str, Any]]) -> None:
    with pytest.raises(CannotDo, match="the keys are not usable"):
        await world.administration.clients.create(
            name="Agent", confidential=True, jwks=json.dumps({"keys": [jwk[1]]}).encode()
        )


@pytest.mark.parametrize("text", [b"", b"[]", b"{}", b'{"keys": {}}', b'{"keys": [1]}', b'{"keys": []}', b"\xff"])
async def test_what_is_no_key_set_is_not_taken(world: World, text: bytes) -> None:
    with pytest.raises(CannotDo, match="the keys are not usable"):
        await world.administration.clients.create(name="Agent", confidential=True, jwks=text)


async def test_d02_an_unknown_client_takes_the_steps_of_a_known_one(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A signature is verified for both, so that the time says nothing."""
    verified: list[str] = []
    verifies = public_keys.verifies

    def counting(*arguments: Any) -> bool:
        verified.append(arguments[1])
        return verifies(*arguments)

    monkeypatch.setattr(public_keys, "verifies", counting)
    client, without = await _client(world), await world.machine()
    for wrong in (
        _assertion(world, client, OTHER_KEY),
        _assertion(world, replace(client, client_id="client_unknown")),
        _assertion(world, without.client),
    ):
        assert (await _grant(world, wrong)).reason is Reason.CLIENT_NOT_AUTHENTICATED
    assert verified == ["ES256"] * 3


async def test_no_assertion_is_in_the_store(world: World) -> None:
    client = await _client(world)
    assertion = _assertion(world, client, jti="secret id")
    ok(await _grant(world, assertion))
    dump = world.dump()
    assert "secret id" not in dump
    assert assertion not in dump
    assert ADDRESS not in dump
