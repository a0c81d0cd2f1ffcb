"""Tokens of another issuer: only access tokens of the named clients pass, whatever else the same key has signed."""

from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import httpx2
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from mcp_server.adapters.jwks import OtherIssuersKeys, PublishedKeys
from mcp_server.domain.issuer import OtherIssuer, TokenForm
from mcp_server.web.other_issuers import OtherIssuersTokens
from mcp_server.web.verification import TokenVerifier
from shared_kernel.access_token import CLOCK_SKEW, AccessToken, Refusal, TokenRefused
from tests.mcp_server.web.serving import Issuer
from tests.support.client_keys import ClientKey
from tests.support.clock import NOON, SettableClock
from tests.support.token_pool import CLIENT, SUBJECT, TokenPool

pytestmark = pytest.mark.anyio

RESOURCE = "https://mcp.example.com/mcp"
OWN = "https://auth.example.com"
POOL = TokenPool("https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_Pool")
COGNITO = OtherIssuer(
    name="pool",
    issuer=POOL.issuer,
    jwks_url=f"{POOL.issuer}/.well-known/jwks.json",
    form=TokenForm.COGNITO,
    algorithms=frozenset({"RS256"}),
    client_ids=frozenset({CLIENT}),
    audience=RESOURCE,
    tenant="acme",
    tenant_claim=None,
    tenants={},
    scope_prefix=f"{RESOURCE}/",
    most_seconds=3600,
)
RFC9068 = replace(COGNITO, form=TokenForm.RFC9068)
AT_JWT: dict[str, Any] = {"typ": "at+jwt"}
FOR_US: dict[str, Any] = {"aud": RESOURCE, "token_use": None}
A_KEY_OF_OURS = ClientKey("ES256", "own-key")


class NothingRevoked:
    """Revocations of our own issuer, which knows nothing of other issuers."""

    def __init__(self) -> None:
        self.asked: list[AccessToken] = []

    def ends(self, token: AccessToken) -> bool:
        """See Revocations."""
        self.asked.append(token)
        return False


class World:
    """A verifier that trusts our issuer and others, whose documents it fetches."""

    def __init__(self, *others: OtherIssuer, own: Issuer) -> None:
        self.clock, self.own, self.revocations = SettableClock(NOON), own, NothingRevoked()
        self.documents: dict[str, Any] = {"/pool": POOL.jwks()}
        routes = [Route("/{path:path}", self._answer)]
        self.fetching = httpx2.AsyncClient(transport=httpx2.ASGITransport(Starlette(routes=routes)))
        own_keys = PublishedKeys(self.fetching, f"{OWN}/own", clock=self.clock)
        self.documents["/own"] = {"keys": [key.as_dict(private=False) for key in own.published]}
        judged = [
            OtherIssuersTokens(
                rules,
                OtherIssuersKeys(self.fetching, f"{OWN}/pool", algorithms=rules.algorithms, clock=self.clock),
            )
            for rules in others
        ]
        self.verifier = TokenVerifier(
            own_keys, self.revocations, issuer=OWN, audience=RESOURCE, clock=self.clock, others=judged
        )

    async def _answer(self, request: Request) -> JSONResponse:
        return JSONResponse(self.documents[request.url.path])

    async def said(self, token: str) -> AccessToken | Refusal:
        """What a token says, or why it is refused."""
        try:
            return (await self.verifier.verified(token)).claims
        except TokenRefused as refused:
            return refused.reason


@pytest.fixture
async def own() -> Issuer:
    """Our issuer, whose keys the test publishes."""
    return Issuer(OWN, RESOURCE)


@pytest.fixture
async def cognito(own: Issuer) -> AsyncIterator[World]:
    """A verifier that trusts a pool of Cognito's."""
    world = World(COGNITO, own=own)
    async with world.fetching:
        yield world


@pytest.fixture
async def rfc9068(own: Issuer) -> AsyncIterator[World]:
    """A verifier that trusts an issuer of tokens in the form of RFC 9068."""
    world = World(RFC9068, own=own)
    async with world.fetching:
        yield world


async def test_an_access_token_of_a_named_client_passes(cognito: World) -> None:
    said = await cognito.said(POOL.token(NOON))
    assert isinstance(said, AccessToken)
    assert (said.tenant, said.subject, said.client_id) == ("acme", f"pool:{SUBJECT}", CLIENT)
    assert said.scopes == {"query", "schemas:read"}
    assert (said.issuer, said.audience, said.grant_handle, said.roles) == (POOL.issuer, RESOURCE, "", frozenset())
    # A token for us may also say so.
    assert isinstance(await cognito.said(POOL.token(NOON, {"aud": RESOURCE})), AccessToken)
    assert isinstance(await cognito.said(POOL.token(NOON, {"aud": ["x", RESOURCE]})), AccessToken)


async def test_our_own_tokens_pass_beside_them(cognito: World) -> None:
    said = await cognito.said(cognito.own.token(now=NOON))
    assert isinstance(said, AccessToken)
    assert (said.tenant, said.subject) == ("default", "usr_1")
    assert cognito.revocations.asked == [said]


async def test_our_issuers_revocations_say_nothing_of_other_issuers(cognito: World) -> None:
    assert isinstance(await cognito.said(POOL.token(NOON)), AccessToken)
    assert cognito.revocations.asked == []


@pytest.mark.parametrize(
    ("claims", "header", "reason"),
    [
        ({"token_use": "id", "aud": CLIENT}, {}, Refusal.WRONG_TYPE),
        ({"token_use": None}, {}, Refusal.WRONG_TYPE),
        ({"token_use": ["access"]}, {}, Refusal.WRONG_TYPE),
        ({"client_id": "the-web-site"}, {}, Refusal.WRONG_CLIENT),
        ({"client_id": None}, {}, Refusal.BAD_CLAIMS),
        ({"client_id": [CLIENT]}, {}, Refusal.BAD_CLAIMS),
        ({"aud": "https://other.example.com"}, {}, Refusal.WRONG_AUDIENCE),
        ({"aud": ""}, {}, Refusal.WRONG_AUDIENCE),
        ({"aud": []}, {}, Refusal.WRONG_AUDIENCE),
        ({"aud": {"a": RESOURCE}}, {}, Refusal.WRONG_AUDIENCE),
        ({"sub": ""}, {}, Refusal.BAD_CLAIMS),
        ({"scope": ["query"]}, {}, Refusal.BAD_CLAIMS),
        ({"exp": int(NOON) + 3601}, {}, Refusal.TOO_LONG_LIVED),
        ({"iat": None}, {}, Refusal.BAD_CLAIMS),
        ({"exp": NOON + 60.5}, {}, Refusal.BAD_CLAIMS),
        ({"exp": True}, {}, Refusal.BAD_CLAIMS),
        ({"nbf": int(NOON) + CLOCK_SKEW + 1}, {}, Refusal.NOT_YET_VALID),
        ({"iat": int(NOON) - 3600, "exp": int(NOON) - CLOCK_SKEW}, {}, Refusal.EXPIRED),
        ({"cnf": {"x5t#S256": "abc"}}, {}, Refusal.BAD_CLAIMS),
        ({}, {"alg": "none"}, Refusal.WRONG_ALGORITHM),
        ({}, {"alg": "HS256"}, Refusal.WRONG_ALGORITHM),
        ({}, {"alg": "ES256"}, Refusal.WRONG_ALGORITHM),
        ({}, {"crit": ["exp"]}, Refusal.CRITICAL_HEADER),
        ({}, {"kid": None}, Refusal.UNKNOWN_KEY),
        ({}, {"kid": "other"}, Refusal.UNKNOWN_KEY),
        ({"iss": None}, {}, Refusal.BAD_CLAIMS),
    ],
)
async def test_what_does_not_pass(
    claims: dict[str, Any], header: dict[str, Any], reason: Refusal, cognito: World
) -> None:
    assert await cognito.said(POOL.token(NOON, claims, header)) is reason


@pytest.mark.parametrize(
    ("claims", "header", "reason"),
    [
        (FOR_US, AT_JWT, None),
        (FOR_US, {"typ": "application/at+JWT"}, None),
        (FOR_US, {}, Refusal.WRONG_TYPE),
        (FOR_US, {"typ": "JWT"}, Refusal.WRONG_TYPE),
        ({"token_use": "access"}, AT_JWT, Refusal.WRONG_AUDIENCE),
        ({**FOR_US, "aud": [CLIENT]}, AT_JWT, Refusal.WRONG_AUDIENCE),
    ],
)
async def test_the_form_of_rfc_9068(
    claims: dict[str, Any], header: dict[str, Any], reason: Refusal | None, rfc9068: World
) -> None:
    said = await rfc9068.said(POOL.token(NOON, claims, header))
    assert said is reason if reason else isinstance(said, AccessToken)


async def test_neither_issuer_signs_for_the_other(cognito: World) -> None:
    """Each token is tried with the keys of the issuer that it names, and no others."""
    # The pool's key, our issuer's name.
    assert await cognito.said(POOL.token(NOON, {"iss": OWN}, AT_JWT)) is Refusal.WRONG_ALGORITHM
    # Our issuer's key, the pool's name.
    forged = cognito.own.token(now=NOON, issuer=POOL.issuer)
    assert await cognito.said(forged) is Refusal.WRONG_ALGORITHM
    # Nobody's.
    assert await cognito.said(POOL.token(NOON, key=ClientKey("RS256", "pool-key"))) is Refusal.BAD_SIGNATURE
    stranger = POOL.token(NOON, {"iss": "https://stranger.example.com"})
    assert await cognito.said(stranger) is Refusal.WRONG_ALGORITHM


async def test_a_secret_made_of_a_public_key_signs_nothing(own: Issuer) -> None:
    """Two kinds of keys, and a token that claims the algorithm of the other one."""
    world = World(replace(COGNITO, algorithms=frozenset({"RS256", "ES256"})), own=own)
    other = ClientKey("ES256", "ec-key")
    world.documents["/pool"] = {"keys": [POOL.key.jwk(), other.jwk()]}
    async with world.fetching:
        assert isinstance(await world.said(POOL.token(NOON)), AccessToken)
        assert isinstance(await world.said(POOL.token(NOON, key=other)), AccessToken)
        crossed = POOL.token(NOON, header={"kid": "pool-key"}, key=other)
        assert await world.said(crossed) is Refusal.WRONG_ALGORITHM


@pytest.mark.parametrize(
    "entry",
    [
        {**POOL.key.jwk(), "use": "enc"},
        {**POOL.key.jwk(), "alg": "PS256"},
        {**ClientKey("RS256", "pool-key").key.as_dict(private=True), "kid": "pool-key"},
        {"kty": "RSA", "kid": "pool-key", "n": "AQAB", "e": "AQAB"},
        {"kty": "RSA", "kid": "pool-key"},
        {"kty": "oct", "kid": "pool-key", "k": "c2VjcmV0"},
        "pool-key",
    ],
    ids=["encryption", "algorithm", "private", "short", "members", "secret", "text"],
)
async def test_keys_that_are_none_are_passed_over(entry: Any, own: Issuer) -> None:
    world = World(COGNITO, own=own)
    second = ClientKey("RS256", "second")
    world.documents["/pool"] = {"keys": [entry, second.jwk()]}
    async with world.fetching:
        assert isinstance(await world.said(POOL.token(NOON, key=second)), AccessToken)
        assert await world.said(POOL.token(NOON)) is Refusal.UNKNOWN_KEY


async def test_a_remembered_token_ends_when_it_expires_and_when_its_key_does(cognito: World) -> None:
    token = POOL.token(NOON, {"exp": int(NOON) + 900})
    assert isinstance(await cognito.said(token), AccessToken)
    cognito.clock.time += 901 + CLOCK_SKEW
    assert await cognito.said(token) is Refusal.EXPIRED


@pytest.mark.parametrize(
    ("claim", "tenant"), [("globex-inc", "globex"), ("globex", None), (None, None), (["globex-inc"], None)]
)
async def test_a_claim_says_whose_a_token_is(claim: Any, tenant: str | None, own: Issuer) -> None:
    rules = replace(COGNITO, tenant=None, tenant_claim="custom:company", tenants={"globex-inc": "globex"})
    world = World(rules, own=own)
    async with world.fetching:
        said = await world.said(POOL.token(NOON, {"custom:company": claim}))
        assert said is Refusal.WRONG_TENANT if tenant is None else isinstance(said, AccessToken)
        assert tenant is None or (isinstance(said, AccessToken) and said.tenant == tenant)


async def test_scopes_of_other_services_are_none_of_ours(cognito: World) -> None:
    said = await cognito.said(
        POOL.token(NOON, {"scope": f"query {RESOURCE}/query {RESOURCE}/admin x/{RESOURCE}/query"})
    )
    assert isinstance(said, AccessToken)
    assert said.scopes == {"query"}
    bare = await cognito.said(POOL.token(NOON, {"scope": "query schemas:read"}))
    assert isinstance(bare, AccessToken)
    assert bare.scopes == frozenset()


@pytest.mark.parametrize(
    "token", ["", "a.b", "a.b.c", "é.é.é", "e30.e30.e30", "e30.W10.e30", "e30." + "A" * 4000 + ".e30"]
)
async def test_what_is_no_token_is_refused(token: str, cognito: World) -> None:
    assert isinstance(await cognito.said(token), Refusal)
