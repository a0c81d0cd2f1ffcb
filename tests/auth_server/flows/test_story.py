"""The main job, without HTTP: a person's client and an automation get, use up and renew tokens."""

import pytest

from auth_server.flows.authorize import Continue
from tests.auth_server.flows.world import (
    ISSUER,
    PASSWORD,
    RESOURCE,
    World,
    basic,
    error,
    ok,
    query,
    unverified_header,
)

pytestmark = pytest.mark.anyio


async def test_browser_flow(world: World) -> None:
    client = await world.register()
    began = await world.begin(client.client_id, scope="query schemas:read")
    assert isinstance(began, Continue)
    assert began.needs_sign_in
    await world.signed_in(began.transaction_id)
    redirect = query(await world.decided(began.transaction_id))
    assert redirect.keys() == {"code", "state", "iss"}
    assert redirect["iss"] == [ISSUER]
    assert redirect["state"] == ["xyz"]

    answer = ok(await world.redeem(client.client_id, redirect["code"][0]))
    assert answer.keys() == {"access_token", "token_type", "expires_in", "scope", "refresh_token"}
    assert (answer["token_type"], answer["expires_in"], answer["scope"]) == ("Bearer", 600, "schemas:read query")
    claims = await world.claims(answer["access_token"])
    assert claims.subject.startswith("usr_")
    assert claims.client_id == client.client_id
    assert claims.tenant == "default"
    assert claims.scopes == {"query", "schemas:read"}
    assert claims.audience == RESOURCE
    assert claims.grant_handle not in redirect["code"][0]
    assert claims.grant_handle not in answer["refresh_token"]
    assert unverified_header(answer["access_token"]) == {"alg": "ES256", "typ": "at+jwt", "kid": claims.key_id}

    renewed = ok(await world.refresh(client.client_id, answer["refresh_token"]))
    again = await world.claims(renewed["access_token"])
    assert (again.subject, again.grant_handle, again.scopes) == (claims.subject, claims.grant_handle, claims.scopes)
    assert again.token_id != claims.token_id

    revoked = await world.revoke(client_id=client.client_id, token=renewed["refresh_token"])
    assert (revoked.status, revoked.body) == (200, None)
    assert error(await world.refresh(client.client_id, renewed["refresh_token"])) == (400, "invalid_grant")


async def test_second_authorization_needs_no_sign_in(world: World) -> None:
    client = await world.register()
    await world.code(client.client_id)
    again = await world.begin(client.client_id)
    assert isinstance(again, Continue)
    assert not again.needs_sign_in


@pytest.mark.parametrize("post", [False, True], ids=["basic", "post"])
async def test_client_credentials(world: World, post: bool) -> None:
    made = await world.machine()
    client_id, secret = made.client.client_id, made.client_secret
    assert secret is not None
    if post:
        answer = await world.exchange(grant_type="client_credentials", client_id=client_id, client_secret=secret)
    else:
        answer = await world.exchange(basic(client_id, secret), grant_type="client_credentials")
    body = ok(answer)
    assert body.keys() == {"access_token", "token_type", "expires_in", "scope"}
    claims = await world.claims(body["access_token"])
    assert claims.subject == claims.client_id == client_id
    assert claims.scopes == {"query", "schemas:read"}
    assert PASSWORD not in repr(made.client)
    assert secret not in repr(made.client)
