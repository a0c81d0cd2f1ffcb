"""Exchanging an access token for one that may do less (RFC 8693)."""

from dataclasses import dataclass, replace
from typing import Any

import pytest

from auth_server.domain.client import GrantType
from auth_server.domain.failures import Reason
from auth_server.domain.user import User
from auth_server.flows.administration.clients import NewClient
from auth_server.flows.living_tokens import LivingTokens
from auth_server.flows.revocation_feed import ANSWER_SECONDS
from auth_server.protocol.token_exchange import ACCESS_TOKEN
from shared_kernel import access_token, revocations
from tests.auth_server.flows.world import EMAIL, ISSUER, OTHER_RESOURCE, RESOURCE, Answer, World, basic, error, ok
from tests.support.dpop import DpopKey

pytestmark = pytest.mark.anyio


async def exchange(
    world: World, token: str, client: NewClient | str, proof: str | None = None, **changes: str | None
) -> Answer:
    """A request for an exchange, changed."""
    given: dict[str, str | None] = {
        "grant_type": GrantType.TOKEN_EXCHANGE,
        "subject_token": token,
        "subject_token_type": ACCESS_TOKEN,
    }
    if isinstance(client, str):
        return await world.exchange(proof=proof, **{**given, "client_id": client, **changes})
    assert client.client_secret
    authorization = basic(client.client.client_id, client.client_secret)
    return await world.exchange(authorization, proof=proof, **{**given, **changes})


async def broker(world: World, scope: str | None = None, **changes: Any) -> NewClient:
    """A client of the operator's that may exchange tokens of its workspace."""
    given: dict[str, Any] = {"confidential": True, "grants": [GrantType.TOKEN_EXCHANGE], **changes}
    return await world.administration.clients.create(name="Gateway", scope=scope, **given)


@dataclass(frozen=True, slots=True)
class Person:
    """A person's token, and the public client that has it."""

    user: User
    client_id: str
    token: str


@pytest.fixture
async def person(world: World) -> Person:
    client = await world.register()
    tokens = await world.tokens(client.client_id, scope="query schemas:read")
    user = await world.store.user_by_email(EMAIL)
    assert user is not None
    return Person(user, client.client_id, tokens["access_token"])


async def machine_token(world: World, made: NewClient) -> str:
    assert made.client_secret
    authorization = basic(made.client.client_id, made.client_secret)
    return str(ok(await world.exchange(authorization, grant_type="client_credentials"))["access_token"])


async def lives(world: World, token: str) -> bool:
    """Whether a token counts, as introspection has it; resource servers that follow the feed must think the same."""
    world.clock.time += ANSWER_SECONDS
    text = await world.flows.revocation_feed.feed(None)
    keys = await world.keys.published_keys()
    feed = revocations.read(text, keys[revocations.unverified_key_id(text)], issuer=ISSUER, now=world.clock.now())
    tokens = LivingTokens(
        deployment=world.deployment, clients=world.store, grants=world.store, revocations=world.store, keys=world.keys
    )
    found = await tokens.find(token, world.clock.now()) is not None
    assert feed.ends(await world.claims(token)) is not found
    return found


async def test_a_client_gives_up_rights_of_its_own_token(world: World, person: Person) -> None:
    old = await world.claims(person.token)
    answer = ok(await exchange(world, person.token, person.client_id, scope="query"))
    assert set(answer) == {"access_token", "token_type", "expires_in", "scope", "issued_token_type"}
    assert (answer["scope"], answer["issued_token_type"], answer["token_type"]) == ("query", ACCESS_TOKEN, "Bearer")
    new = await world.claims(answer["access_token"])
    assert new.scopes == {"query"}
    unchanged = replace(new, scopes=old.scopes, token_id=old.token_id)
    assert unchanged == old
    assert new.token_id != old.token_id


async def test_a_trusted_client_exchanges_tokens_of_its_workspace(world: World, person: Person) -> None:
    gateway = await broker(world, scope="query")
    answer = ok(await exchange(world, person.token, gateway))
    new, old = await world.claims(answer["access_token"]), await world.claims(person.token)
    assert (new.subject, new.audience, new.tenant, new.grant_handle) == (
        person.user.user_id,
        RESOURCE,
        old.tenant,
        old.grant_handle,
    )
    assert new.client_id == gateway.client.client_id
    assert new.scopes == {"query"}


async def test_the_new_token_lives_no_longer_than_the_old_one(world: World, person: Person) -> None:
    old = await world.claims(person.token)
    world.clock.time += 400
    answer = ok(await exchange(world, person.token, person.client_id))
    new = await world.claims(answer["access_token"])
    assert new.expires_at == old.expires_at
    assert answer["expires_in"] == 200
    again = ok(await exchange(world, answer["access_token"], person.client_id))
    assert (await world.claims(again["access_token"])).expires_at == old.expires_at


async def test_an_expired_token_is_not_exchanged(world: World, person: Person) -> None:
    """Resource servers allow for clocks that differ; the clock that made the token is no reason for that."""
    world.clock.time += access_token.LIFETIME
    refused = await exchange(world, person.token, person.client_id)
    assert (error(refused), refused.reason) == ((400, "invalid_request"), Reason.SUBJECT_TOKEN_NOT_VALID)


async def test_nothing_is_widened(world: World, person: Person) -> None:
    narrow = ok(await exchange(world, person.token, person.client_id, scope="query"))["access_token"]
    gateway = await broker(world, scope="schemas:read")
    for token, client, scope in (
        (narrow, person.client_id, "query schemas:read"),
        (narrow, person.client_id, "offline_access"),
        (narrow, person.client_id, 'a"b'),
        (narrow, gateway, None),
        (person.token, gateway, "query"),
    ):
        assert error(await exchange(world, token, client, scope=scope)) == (400, "invalid_scope")


@pytest.mark.parametrize("name", ["resource", "audience"])
async def test_the_resource_stays_the_same(world: World, person: Person, name: str) -> None:
    for same in (RESOURCE, f"{RESOURCE}/"):
        answer = ok(await exchange(world, person.token, person.client_id, **{name: same}))
        assert (await world.claims(answer["access_token"])).audience == RESOURCE
    for other in (OTHER_RESOURCE, "https://elsewhere.example", "a logical name"):
        assert error(await exchange(world, person.token, person.client_id, **{name: other})) == (400, "invalid_target")


@pytest.mark.parametrize(
    "changes",
    [
        {"subject_token": None},
        {"subject_token_type": None},
        {"subject_token_type": "urn:ietf:params:oauth:token-type:refresh_token"},
        {"subject_token_type": "urn:ietf:params:oauth:token-type:jwt"},
        {"requested_token_type": "urn:ietf:params:oauth:token-type:refresh_token"},
        {"requested_token_type": "urn:ietf:params:oauth:token-type:id-jag"},
        {"actor_token": "x", "actor_token_type": ACCESS_TOKEN},
        {"actor_token_type": ACCESS_TOKEN},
        {"subject_token": "garbage"},
        {"subject_token": "a.b.c"},
        {"subject_token": "x" * 9000},
    ],
)
async def test_what_is_not_exchanged_is_an_invalid_request(
    world: World, person: Person, changes: dict[str, str | None]
) -> None:
    assert error(await exchange(world, person.token, person.client_id, **changes)) == (400, "invalid_request")


async def test_a_refresh_token_is_not_exchanged(world: World) -> None:
    client = await world.register()
    tokens = await world.tokens(client.client_id)
    refused = await exchange(world, tokens["refresh_token"], client.client_id)
    assert error(refused) == (400, "invalid_request")


async def test_whoever_is_not_trusted_learns_nothing_of_a_stolen_token(world: World, person: Person) -> None:
    """Whether it works or not: the answer is the same."""
    thief = await world.register(client_name="Thief")
    machine = await world.machine()
    elsewhere = await world.administration.workspaces.create("elsewhere", "Elsewhere")
    foreign = await broker(world, workspace=elsewhere.name)
    for client in (thief.client_id, machine, foreign):
        alive = await exchange(world, person.token, client)
        dead = await exchange(world, person.token[:-5] + "AAAAA", client)
        assert alive == dead
        assert (error(alive), alive.reason) == ((400, "invalid_request"), Reason.SUBJECT_TOKEN_NOT_VALID)
    unauthenticated = await world.exchange(
        grant_type=GrantType.TOKEN_EXCHANGE, subject_token=person.token, subject_token_type=ACCESS_TOKEN
    )
    assert error(unauthenticated) == (401, "invalid_client")


async def test_a_program_gives_up_rights_of_its_own_token(world: World) -> None:
    machine = await world.machine()
    token = await machine_token(world, machine)
    answer = ok(await exchange(world, token, machine, scope="query"))
    new, old = await world.claims(answer["access_token"]), await world.claims(token)
    assert (new.subject, new.client_id, new.grant_handle) == (old.subject, old.client_id, old.grant_handle)
    assert new.scopes == {"query"}


@pytest.mark.parametrize("end", ["revoked", "disabled", "deleted", "outside"])
async def test_what_has_ended_is_not_exchanged(world: World, person: Person, end: str) -> None:
    gateway, now = await broker(world), world.clock.now()
    if end == "revoked":
        await world.revoke(token=person.token, client_id=person.client_id)
    elif end == "disabled":
        await world.store.disable_user(person.user.user_id, now)
    elif end == "deleted":
        await world.administration.clients.delete(person.client_id)
    else:
        await world.store.end_membership(person.user.user_id, (await world.claims(person.token)).tenant, now)
    refused = await exchange(world, person.token, gateway)
    assert refused.reason is Reason.SUBJECT_TOKEN_NOT_VALID


async def test_a_program_that_is_gone_is_not_spoken_for(world: World) -> None:
    machine, gateway = await world.machine(), await broker(world)
    revoked, token = await machine_token(world, machine), await machine_token(world, machine)
    exchanged = ok(await exchange(world, token, gateway))["access_token"]
    assert await lives(world, exchanged)
    assert machine.client_secret
    authorization = basic(machine.client.client_id, machine.client_secret)
    await world.revoke(authorization, token=revoked)
    assert (await exchange(world, revoked, gateway)).reason is Reason.SUBJECT_TOKEN_NOT_VALID
    await world.administration.clients.delete(machine.client.client_id)
    assert (await exchange(world, token, gateway)).reason is Reason.SUBJECT_TOKEN_NOT_VALID
    assert not await lives(world, exchanged)


async def test_the_end_of_the_grant_is_felt_by_what_came_of_its_tokens(world: World, person: Person) -> None:
    gateway = await broker(world)
    exchanged = ok(await exchange(world, person.token, gateway))["access_token"]
    assert await lives(world, exchanged)
    await world.revoke(token=person.token, client_id=person.client_id)
    assert not await lives(world, exchanged)


async def test_the_end_of_the_client_that_exchanged_is_felt(world: World, person: Person) -> None:
    gateway = await broker(world)
    exchanged = ok(await exchange(world, person.token, gateway))["access_token"]
    await world.administration.clients.delete(gateway.client.client_id)
    assert not await lives(world, exchanged)
    assert await lives(world, person.token)


async def test_whoever_exchanged_a_token_cannot_end_the_grant(world: World, person: Person) -> None:
    gateway = await broker(world)
    exchanged = ok(await exchange(world, person.token, gateway))["access_token"]
    assert gateway.client_secret
    authorization = basic(gateway.client.client_id, gateway.client_secret)
    assert (await world.revoke(authorization, token=exchanged)).status == 200
    assert await lives(world, person.token)


async def test_i16_a_bound_token_is_exchanged_by_the_holder_of_its_key_only(world: World) -> None:
    key, another = DpopKey(clock=world.clock), DpopKey(clock=world.clock)
    machine, gateway = await world.machine(), await broker(world)
    assert machine.client_secret

    def proof(of: DpopKey) -> str:
        return of.proof("POST", f"{ISSUER}/token")

    authorization = basic(machine.client.client_id, machine.client_secret)
    tokens = ok(await world.exchange(authorization, proof=proof(key), grant_type="client_credentials"))
    bound = tokens["access_token"]
    for client in (machine, gateway):
        assert (await exchange(world, bound, client)).reason is Reason.DPOP_PROOF_MISSING
        assert (await exchange(world, bound, client, proof(another))).reason is Reason.SUBJECT_TOKEN_NOT_VALID
    answer = ok(await exchange(world, bound, machine, proof(key), scope="query"))
    assert answer["token_type"] == "DPoP"
    assert (await world.claims(answer["access_token"])).key_thumbprint == key.thumbprint


async def test_an_unbound_token_may_become_bound(world: World, person: Person) -> None:
    key = DpopKey(clock=world.clock)
    answer = ok(await exchange(world, person.token, person.client_id, key.proof("POST", f"{ISSUER}/token")))
    assert (await world.claims(answer["access_token"])).key_thumbprint == key.thumbprint
