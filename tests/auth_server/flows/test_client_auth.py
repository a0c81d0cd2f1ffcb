"""How clients prove who they are: cases D01–D16."""

import base64

import pytest

from auth_server.flows.administration.clients import SECRET_OVERLAP
from tests.auth_server.flows.world import Answer, World, basic, error, ok

pytestmark = pytest.mark.anyio

INVALID_CLIENT = (401, "invalid_client")


async def _grant(world: World, authorization: str | None = None, **parameters: str) -> Answer:
    return await world.exchange(authorization, grant_type="client_credentials", **parameters)


async def test_d01_d02_wrong_secret_and_unknown_client_look_the_same(world: World) -> None:
    made = await world.machine()
    wrong = await _grant(world, basic(made.client.client_id, "cs_wrong"))
    unknown = await _grant(world, basic("client_unknown", "cs_wrong"))
    assert error(wrong) == error(unknown) == INVALID_CLIENT
    assert wrong == unknown


@pytest.mark.parametrize("wrong", [{"scope": '"'}, {"scope": "admin"}, {"resource": "https://evil.example/mcp"}])
async def test_who_is_not_authenticated_learns_nothing_else(world: World, wrong: dict[str, str]) -> None:
    made = await world.machine()
    assert error(await _grant(world, basic(made.client.client_id, "cs_wrong"), **wrong)) == INVALID_CLIENT


@pytest.mark.parametrize(
    "authorization",
    [
        "Basic",
        "Basic ",
        "Basic !!!YTpi",
        "Basic YTpi=",
        "Basic " + base64.b64encode(b"\xff\xfe:x").decode(),
        "Basic " + base64.b64encode(b"%ff:x").decode(),
        "Basic " + base64.b64encode(b"no-colon").decode(),
        "Basic " + base64.b64encode(b":secret").decode(),
        "Basic " + base64.b64encode(b"id:").decode(),
        "Basic é",
        "Bearer abc",
        "Digest username=x",
        "",
        "\x00",
    ],
)
async def test_d04_unreadable_authorization(world: World, authorization: str) -> None:
    assert error(await _grant(world, authorization)) == INVALID_CLIENT


async def test_d06_d14_more_than_one_method(world: World) -> None:
    made = await world.machine()
    client_id, secret = made.client.client_id, str(made.client_secret)
    header = basic(client_id, secret)
    assert error(await _grant(world, header, client_secret=secret)) == (400, "invalid_request")
    assert error(await _grant(world, header, client_assertion="x")) == (400, "invalid_request")
    assert error(await _grant(world, client_secret=secret, client_assertion="x")) == (400, "invalid_request")


async def test_d07_basic_and_body_must_name_one_client(world: World) -> None:
    made = await world.machine()
    header = basic(made.client.client_id, str(made.client_secret))
    assert error(await _grant(world, header, client_id="client_other")) == (400, "invalid_request")
    ok(await _grant(world, header, client_id=made.client.client_id))


async def test_d08_confidential_client_without_its_secret(world: World) -> None:
    made = await world.machine()
    assert error(await _grant(world, client_id=made.client.client_id)) == INVALID_CLIENT
    assert error(await world.refresh(made.client.client_id, "rt_a.b")) == INVALID_CLIENT


async def test_d09_public_client_with_a_secret(world: World) -> None:
    client = await world.register()
    code = await world.code(client.client_id)
    assert error(await world.redeem(client.client_id, code, client_secret="x")) == INVALID_CLIENT
    ok(await world.redeem(client.client_id, code))


async def test_d10_public_client_gets_no_client_credentials(world: World) -> None:
    client = await world.register(grant_types=["authorization_code", "client_credentials"])
    assert error(await _grant(world, client_id=client.client_id)) == INVALID_CLIENT
    assert error(await _grant(world, basic(client.client_id, "x"))) == INVALID_CLIENT


async def test_d11_two_secrets_during_a_rotation(world: World) -> None:
    made = await world.machine()
    client_id, first = made.client.client_id, str(made.client_secret)
    second = await world.administration.clients.rotate_secret(client_id)
    for secret in (first, second):
        ok(await _grant(world, basic(client_id, secret)))
    world.clock.time += SECRET_OVERLAP
    assert error(await _grant(world, basic(client_id, first))) == INVALID_CLIENT
    ok(await _grant(world, basic(client_id, second)))


async def test_d11_no_more_than_two_secrets(world: World) -> None:
    made = await world.machine()
    client_id = made.client.client_id
    secrets = [str(made.client_secret)]
    secrets += [await world.administration.clients.rotate_secret(client_id) for _ in range(2)]
    works = [(await _grant(world, basic(client_id, secret))).status == 200 for secret in secrets]
    assert works == [False, True, True]


async def test_scope_of_client_credentials(world: World) -> None:
    made = await world.machine("query")
    header = basic(made.client.client_id, str(made.client_secret))
    assert ok(await _grant(world, header))["scope"] == "query"
    assert ok(await _grant(world, header, scope="query"))["scope"] == "query"
    for scope in ("query schemas:read", "schemas:read", "admin", '"', "query  query", "é"):
        assert error(await _grant(world, header, scope=scope)) == (400, "invalid_scope")


async def test_offline_access_means_nothing_without_a_person(world: World) -> None:
    made = await world.machine(None)
    header = basic(made.client.client_id, str(made.client_secret))
    assert ok(await _grant(world, header))["scope"] == "schemas:read query"
    assert error(await _grant(world, header, scope="query offline_access")) == (400, "invalid_scope")


@pytest.mark.parametrize(
    ("grant_type", "expected"),
    [
        (None, "invalid_request"),
        ("", "invalid_request"),
        ("password", "unsupported_grant_type"),
        ('client_credentials"', "unsupported_grant_type"),
        ("urn:ietf:params:oauth:grant-type:saml2-bearer", "unsupported_grant_type"),
        ("urn:ietf:params:oauth:grant-type:device_code", "unauthorized_client"),
        ("authorization_code", "unauthorized_client"),
        ("refresh_token", "unauthorized_client"),
    ],
)
async def test_grants_that_are_not_to_be_had(world: World, grant_type: str | None, expected: str) -> None:
    made = await world.machine()
    header = basic(made.client.client_id, str(made.client_secret))
    parameters = {"grant_type": grant_type, "code": "x", "refresh_token": "x", "code_verifier": "v" * 43}
    assert error(await world.exchange(header, **parameters)) == (400, expected)


@pytest.mark.parametrize("name", ["grant_type", "client_id", "scope", "unknown"])
async def test_i01_duplicates(world: World, name: str) -> None:
    answer = await world.exchange_pairs([("grant_type", "client_credentials"), (name, "a"), (name, "a")], None)
    assert error(answer) == (400, "invalid_request")


async def test_resources_of_client_credentials(world: World) -> None:
    made = await world.machine()
    header = basic(made.client.client_id, str(made.client_secret))
    other = ok(await _grant(world, header, resource="https://MCP.example.com:443/other/"))
    claims = await world.claims(other["access_token"], "https://mcp.example.com/other")
    assert claims.audience == "https://mcp.example.com/other"
    for wrong in ("https://evil.example/mcp", "mcp", "https://a@mcp.example.com/mcp"):
        assert error(await _grant(world, header, resource=wrong)) == (400, "invalid_target")
    refused = await _grant(world, header, resource="https://evil.example/mcp")
    assert refused.body is not None
    assert refused.body["error_description"] == (
        "The resource must be one of: https://mcp.example.com/mcp https://mcp.example.com/other"
    )
    both = [("grant_type", "client_credentials"), ("resource", "https://mcp.example.com/mcp")]
    both.append(("resource", "https://mcp.example.com/other"))
    assert error(await world.exchange_pairs(both, header)) == (400, "invalid_target")


async def test_a_request_that_was_granted_before_is_judged_by_what_the_client_is_now(world: World) -> None:
    made = await world.machine()
    client_id, header = made.client.client_id, basic(made.client.client_id, str(made.client_secret))
    first = ok(await _grant(world, header, scope="query"))
    again = ok(await _grant(world, header, scope="query"))
    assert again.keys() == first.keys()
    assert await world.claims(again["access_token"]) != await world.claims(first["access_token"])
    await world.administration.clients.update(client_id, scope="schemas:read")
    assert error(await _grant(world, header, scope="query")) == (400, "invalid_scope")
    await world.administration.clients.update(client_id, scope="query")
    ok(await _grant(world, header, scope="query"))
    await world.administration.clients.delete(client_id)
    assert error(await _grant(world, header, scope="query")) == INVALID_CLIENT


async def test_a_secret_that_ends_takes_along_what_it_was_granted(world: World) -> None:
    made = await world.machine()
    header = basic(made.client.client_id, str(made.client_secret))
    ok(await _grant(world, header))
    await world.administration.clients.rotate_secret(made.client.client_id)
    ok(await _grant(world, header))
    world.clock.time += SECRET_OVERLAP + 1
    assert error(await _grant(world, header)) == INVALID_CLIENT
