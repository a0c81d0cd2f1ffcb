"""Identity assertions of a company's provider (ID-JAG): case I17, with a provider that publishes its keys in a lab."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from auth_server.domain.client import Client, GrantType
from auth_server.domain.deployment import AssertionIssuer
from auth_server.domain.failures import Reason
from auth_server.domain.workspace import Role
from auth_server.flows.key_sets import COOL_DOWN_SECONDS, MOST_AGE, STALE_SECONDS
from tests.auth_server.flows.world import (
    EMAIL,
    ISSUER,
    OTHER_RESOURCE,
    RESOURCE,
    Answer,
    World,
    basic,
    error,
    ok,
    open_world,
)
from tests.support.client_keys import ClientKey
from tests.support.document_lab import Lab, Site, laboratory, published, raw, text
from tests.support.dpop import DpopKey

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

HOST = "login.acme.example"
PROVIDER = "https://login.acme.example"
WORKSPACE = "acme"
INVALID_GRANT = (400, "invalid_grant")


@dataclass(slots=True)
class Company:
    """A world in which one company's provider is trusted, a client of the company, and the provider's key."""

    world: World
    lab: Lab
    site: Site
    key: ClientKey
    client: Client
    secret: str

    def publish(self, *keys: ClientKey) -> None:
        """From now on these are the provider's keys."""
        self.site.answer = published({"keys": [key.jwk() for key in keys]})

    def assertion(self, key: ClientKey | None = None, kind: str | None = "oauth-id-jag+jwt", **changes: Any) -> str:
        """A good assertion, changed: None leaves a claim out."""
        now = int(self.world.clock.now())
        claims = {
            "iss": PROVIDER,
            "sub": "00u1a2b3",
            "iat": now,
            "exp": now + 300,
            "client_id": self.client.client_id,
            "email": "Ada@Example.com",
            "resource": RESOURCE,
            "scope": "query schemas:read",
            **changes,
        }
        audience = claims.pop("aud", ISSUER)
        return (key or self.key).assertion("", audience, now, header={"typ": kind}, **claims)

    async def exchange(self, assertion: str, proof: str | None = None, **more: str) -> Answer:
        """The company's client presents an assertion."""
        given = {"grant_type": GrantType.JWT_BEARER, "assertion": assertion, **more}
        return await self.world.exchange(basic(self.client.client_id, self.secret), proof=proof, **given)

    async def handed_in(self, **changes: Any) -> Answer:
        """As exchange, of an assertion that is good but for the changes."""
        return await self.exchange(self.assertion(**changes))


async def client_of(world: World, workspace: str = WORKSPACE) -> tuple[Client, str]:
    """A confidential client of that workspace that may hand in assertions."""
    made = await world.administration.clients.create(
        name="Assistant",
        confidential=True,
        scope="query schemas:read offline_access",
        workspace=workspace,
        grants=[GrantType.JWT_BEARER],
    )
    assert made.client_secret
    return made.client, made.client_secret


@pytest.fixture
async def company(tmp_path: Path, anyio_backend: str) -> AsyncIterator[Company]:
    """Ada belongs to the company's workspace, and to the default one."""
    with laboratory() as lab:
        async with (
            open_world(tmp_path / "auth.sqlite", documents=lab.source) as world,
            lab.site(HOST, answer=raw(b"")) as site,
        ):
            await world.administration.workspaces.create(WORKSPACE)
            await world.administration.workspaces.add_member(WORKSPACE, EMAIL, Role.ADMIN)
            trusted = AssertionIssuer(WORKSPACE, PROVIDER, f"https://{HOST}:{site.port}/keys")
            world.deploy(replace(world.deployment, assertion_issuers=(trusted,)))
            company = Company(world, lab, site, ClientKey(), *await client_of(world))
            company.publish(company.key)
            yield company


async def test_an_employee_is_let_in_by_the_companys_provider(company: Company) -> None:
    answer = ok(await company.handed_in())
    assert set(answer) == {"access_token", "token_type", "expires_in", "scope"}
    assert (answer["scope"], answer["expires_in"]) == ("schemas:read query", 600)
    claims = await company.world.claims(answer["access_token"])
    user = await company.world.store.user_by_email(EMAIL)
    assert user is not None
    assert (claims.subject, claims.client_id, claims.audience) == (user.user_id, company.client.client_id, RESOURCE)
    assert (claims.tenant, claims.roles) == (WORKSPACE, frozenset({"admin"}))
    (grant,) = await company.world.store.grants(company.world.clock.now(), user.user_id)
    assert (grant.handle, grant.refreshable, grant.scopes) == (claims.grant_handle, False, claims.scopes)


async def test_what_was_let_in_can_be_thrown_out(company: Company) -> None:
    """The grant is stored, so that it is listed, and ends like any other."""
    answer = ok(await company.handed_in())
    world, header = company.world, basic(company.client.client_id, company.secret)
    claims = await world.claims(answer["access_token"])
    assert await world.store.grant_by_handle(claims.grant_handle, world.clock.now())
    assert (await world.revoke(header, token=answer["access_token"])).status == 200
    assert await world.store.grant_by_handle(claims.grant_handle, world.clock.now()) is None


@pytest.mark.parametrize(
    ("changes", "scope", "granted"),
    [
        ({"scope": "query"}, None, "query"),
        ({"scope": "query admin"}, None, "query"),
        ({"scope": None}, None, "schemas:read query"),
        ({"scope": None}, "query", "query"),
        ({}, "schemas:read", "schemas:read"),
        ({"scope": "query offline_access"}, None, "query"),
    ],
)
async def test_the_token_may_do_what_client_and_provider_both_allow(
    company: Company, changes: dict[str, Any], scope: str | None, granted: str
) -> None:
    answer = ok(await company.exchange(company.assertion(**changes), **({"scope": scope} if scope else {})))
    assert answer["scope"] == granted
    assert "refresh_token" not in answer


@pytest.mark.parametrize(
    ("changes", "scope"),
    [({"scope": "query"}, "query schemas:read"), ({"scope": "admin"}, None), ({"scope": ""}, None), ({}, 'a"b')],
)
async def test_i17_no_scope_is_widened(company: Company, changes: dict[str, Any], scope: str | None) -> None:
    answer = await company.exchange(company.assertion(**changes), **({"scope": scope} if scope else {}))
    assert error(answer) == (400, "invalid_scope")


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"kind": None}, id="i17-no-type"),
        pytest.param({"kind": "JWT"}, id="i17-another-type"),
        pytest.param({"kind": "at+jwt"}, id="i17-an-access-token"),
        pytest.param({"iss": "https://login.other.example"}, id="i17-a-foreign-issuer"),
        pytest.param({"iss": f"{PROVIDER}/"}, id="i17-an-issuer-with-a-slash"),
        pytest.param({"iss": [PROVIDER]}, id="i17-a-list-of-issuers"),
        pytest.param({"aud": "https://auth.other.example"}, id="i17-another-audience"),
        pytest.param({"aud": [ISSUER, "https://auth.other.example"]}, id="i17-several-audiences"),
        pytest.param({"aud": [ISSUER, ISSUER]}, id="i17-an-audience-twice"),
        pytest.param({"aud": f"{ISSUER}/token"}, id="i17-the-token-endpoint-as-audience"),
        pytest.param({"aud": []}, id="i17-no-audience"),
        pytest.param({"client_id": "client_other"}, id="i17-another-client"),
        pytest.param({"client_id": None}, id="i17-no-client"),
        pytest.param({"jti": ""}, id="i17-no-id"),
        pytest.param({"jti": "x" * 257}, id="i17-an-endless-id"),
        pytest.param({"sub": None}, id="i17-no-subject"),
        pytest.param({"exp": None}, id="i17-no-expiry"),
        pytest.param({"iat": None}, id="i17-no-time-of-issue"),
        pytest.param({"iat": True}, id="i17-a-time-that-is-none"),
        pytest.param({"exp": 1e400}, id="i17-the-end-of-time"),
        pytest.param({"cnf": {"jkt": "x"}}, id="i17-a-key-to-be-bound-to"),
        pytest.param({"authorization_details": []}, id="i17-rich-authorization"),
        pytest.param({"resource": "https://mcp.other.example"}, id="i17-a-foreign-resource"),
        pytest.param({"resource": [RESOURCE, OTHER_RESOURCE]}, id="i17-several-resources"),
        pytest.param({"resource": None}, id="i17-no-resource"),
        pytest.param({"scope": 'a"b'}, id="i17-a-malformed-scope"),
        pytest.param({"email": None}, id="i17-no-email"),
        pytest.param({"email": "nobody@example.com"}, id="i17-an-unknown-person"),
        pytest.param({"email": "ada"}, id="i17-a-malformed-email"),
        pytest.param({"email_verified": False}, id="i17-an-unverified-email"),
    ],
)
async def test_assertions_that_are_not_good(company: Company, changes: dict[str, Any]) -> None:
    refused = await company.handed_in(**changes)
    assert (error(refused), refused.reason) == (INVALID_GRANT, Reason.ASSERTION_NOT_VALID)
    assert company.world.sql("SELECT 1 FROM grants") == []


@pytest.mark.parametrize(
    ("issued", "expires", "good"),
    [
        (-50, 250, True),
        (0, 301, False),
        (-350, -50, True),
        (-360, -60, False),
        (60, 300, True),
        (61, 300, False),
        (0, 0, False),
    ],
)
async def test_i17_i18_assertions_live_five_minutes_and_clocks_may_differ_by_one(
    company: Company, issued: int, expires: int, good: bool
) -> None:
    now = int(company.world.clock.now())
    company.world.clock.time = float(now)
    answer = await company.handed_in(iat=now + issued, exp=now + expires)
    assert answer.status == (200 if good else 400), answer


async def test_i17_an_assertion_works_once_forty_times_at_once(company: Company) -> None:
    ok(await company.handed_in())
    assertion = company.assertion()
    with capture_logs() as lines:
        answers = await asyncio.gather(*(company.exchange(assertion) for _ in range(40)))
    assert sorted(answer.status for answer in answers) == [200] + [400] * 39
    alarms = [(line["event"], line["reason"], line["log_level"]) for line in lines if line.get("alarm")]
    assert alarms == [("identity_assertion_refused", "assertion_reused", "error")] * 39
    assert {error(answer) for answer in answers if answer.status == 400} == {INVALID_GRANT}
    assert len(company.world.sql("SELECT 1 FROM grants")) == 2


async def test_i17_what_is_refused_is_not_used_up(company: Company) -> None:
    assertion = company.assertion(scope="query")
    assert error(await company.exchange(assertion, scope="schemas:read")) == (400, "invalid_scope")
    assert error(await company.exchange(assertion, resource=OTHER_RESOURCE)) == (400, "invalid_target")
    ok(await company.exchange(assertion, resource=RESOURCE))


@pytest.mark.parametrize("bad", ["signature", "algorithm", "another key", "garbage", "a JWE"])
async def test_i17_only_the_provider_can_make_assertions(company: Company, bad: str) -> None:
    good = company.assertion()
    head, payload, signature = good.split(".")
    assertion = {
        "signature": f"{head}.{payload}.{signature[:-4]}AAAA",
        "algorithm": f"{ClientKey().assertion('x', ISSUER, 0.0, header={'alg': 'none'}).split('.')[0]}.{payload}.",
        "another key": company.assertion(ClientKey()),
        "garbage": "x" * 5000,
        "a JWE": f"{good}.x.y",
    }[bad]
    assert error(await company.exchange(assertion)) == INVALID_GRANT
    ok(await company.exchange(good))


async def test_i17_one_companys_provider_never_speaks_for_people_of_another(company: Company) -> None:
    world = company.world
    await world.administration.people.create("bob@example.com", "correct horse battery")
    assert error(await company.handed_in(email="bob@example.com")) == INVALID_GRANT
    company.client, company.secret = await client_of(world, "default")
    assert error(await company.handed_in()) == INVALID_GRANT


@pytest.mark.parametrize("end", ["disabled", "left"])
async def test_i17_nobody_is_let_in_who_has_left(company: Company, end: str) -> None:
    world, now = company.world, company.world.clock.now()
    user = await world.store.user_by_email(EMAIL)
    assert user is not None
    if end == "disabled":
        await world.store.disable_user(user.user_id, now)
    else:
        await world.store.end_membership(user.user_id, WORKSPACE, now)
    assert error(await company.handed_in()) == INVALID_GRANT


async def test_i17_only_a_confidential_client_that_was_given_the_grant_may_hand_one_in(company: Company) -> None:
    world = company.world
    await world.store.update_client(replace(company.client, grant_types=frozenset({GrantType.CLIENT_CREDENTIALS})))
    assert error(await company.handed_in()) == (400, "unauthorized_client")
    public = await world.register()
    given = {"grant_type": GrantType.JWT_BEARER, "client_id": public.client_id}
    assert error(await world.exchange(**given, assertion=company.assertion())) == (400, "unauthorized_client")
    company.secret = "cs_wrong"
    assert error(await company.handed_in()) == (401, "invalid_client")


async def test_without_a_trusted_provider_the_grant_is_not_served(company: Company) -> None:
    company.world.deploy(replace(company.world.deployment, assertion_issuers=()))
    assert error(await company.handed_in()) == (400, "unsupported_grant_type")


async def test_a_request_without_an_assertion_says_what_is_missing(company: Company) -> None:
    assert error(await company.exchange("")) == (400, "invalid_request")


@pytest.mark.parametrize("algorithm", ["ES256", "RS256", "PS256", "EdDSA"])
async def test_providers_sign_with_what_they_have(company: Company, algorithm: str) -> None:
    company.key = ClientKey(algorithm)
    company.publish(company.key)
    ok(await company.handed_in(aud=[ISSUER]))


async def test_the_token_can_be_bound_to_the_clients_key(company: Company) -> None:
    key = DpopKey(clock=company.world.clock)
    answer = ok(await company.exchange(company.assertion(), key.proof("POST", f"{ISSUER}/token")))
    assert (await company.world.claims(answer["access_token"])).key_thumbprint == key.thumbprint


async def test_everybody_who_comes_at_once_waits_for_one_request_for_the_keys(company: Company) -> None:
    answers = await asyncio.gather(*(company.handed_in() for _ in range(20)))
    assert {answer.status for answer in answers} == {200}
    assert company.site.connections == 1


async def test_a_new_key_of_the_provider_is_found(company: Company) -> None:
    ok(await company.handed_in())
    company.key = ClientKey(key_id="key-2")
    company.publish(company.key)
    company.world.clock.time += COOL_DOWN_SECONDS
    ok(await company.handed_in())
    assert company.site.connections == 2


async def test_employees_are_let_in_while_the_provider_publishes_no_keys_for_a_while(company: Company) -> None:
    ok(await company.handed_in())
    company.site.answer = text("503 Service Unavailable", b"down")
    company.world.clock.time += MOST_AGE + 1
    ok(await company.handed_in())
    company.world.clock.time += STALE_SECONDS
    refused = await company.handed_in()
    assert (error(refused), refused.retry_after) == ((503, "temporarily_unavailable"), COOL_DOWN_SECONDS)


async def test_a_provider_that_publishes_nonsense_vouches_for_nobody(company: Company) -> None:
    company.site.answer = published({"keys": "none"})
    for _ in range(2):
        assert error(await company.handed_in()) == INVALID_GRANT
    assert company.site.connections == 1
