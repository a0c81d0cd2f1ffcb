"""The official Python MCP client, beyond what the tests of the whole system already have it do."""

import time
from pathlib import Path
from typing import Literal
from urllib.parse import parse_qs, urlencode, urlsplit

import anyio
import httpx2
import pytest
from mcp.client.auth.extensions.client_credentials import (
    ClientCredentialsOAuthProvider,
    PrivateKeyJWTOAuthProvider,
    static_assertion_provider,
)
from mcp.client.auth.extensions.identity_assertion import IdentityAssertionOAuthProvider

from tests.judges.conftest import identity_assertion
from tests.support.browser import Browser
from tests.support.callback import listening
from tests.support.client_keys import ClientKey
from tests.support.mcp_wire import ERAS, Era
from tests.support.official_client import Storage, connected, sign_in_provider
from tests.support.services import AuthServer, McpServer, claims

pytestmark = [pytest.mark.slow, pytest.mark.anyio]

Method = Literal["client_secret_basic", "client_secret_post"]
METHODS: tuple[Method, ...] = ("client_secret_basic", "client_secret_post")


async def calls(resource: str, provider: httpx2.Auth, era: Era) -> None:
    """The client connects and calls a tool."""
    with anyio.fail_after(120):
        async with connected(resource, provider, era) as client:
            assert not (await client.call_tool("list_schemas", {})).is_error


@pytest.mark.parametrize(("method", "era"), [*zip(METHODS, ERAS, strict=True)])
async def test_it_works_as_a_program_with_a_secret(
    method: Method, era: Era, auth_server: AuthServer, mcp_server: McpServer
) -> None:
    storage, program = Storage(), auth_server.automation
    provider = ClientCredentialsOAuthProvider(
        mcp_server.resource, storage, program.id, program.secret, method, issuer=auth_server.issuer
    )
    await calls(mcp_server.resource, provider, era)
    assert storage.tokens is not None
    assert claims(storage.tokens.access_token)["sub"] == program.id


async def test_it_works_as_a_program_with_an_assertion_made_elsewhere(
    auth_server: AuthServer, mcp_server: McpServer, tmp_path: Path
) -> None:
    key, file = ClientKey(), tmp_path / "jwks.json"
    file.write_bytes(key.jwks())
    agent = auth_server.create_client("--name", "Agent", "--scope", "schemas:read query", "--jwks", str(file))
    assertion = static_assertion_provider(key.assertion(agent.id, auth_server.issuer, time.time()))
    provider = PrivateKeyJWTOAuthProvider(
        mcp_server.resource, Storage(), agent.id, assertion, issuer=auth_server.issuer
    )
    await calls(mcp_server.resource, provider, ERAS[0])


@pytest.mark.parametrize(("method", "era"), [*zip(METHODS, ERAS, strict=True)])
async def test_it_works_for_an_employee_by_an_identity_assertion(
    method: Method, era: Era, demanding: tuple[AuthServer, McpServer], provider_key: ClientKey
) -> None:
    auth, mcp = demanding
    employee = auth.create_client("--confidential", "--name", "Assistant", "--grant", "jwt-bearer")

    async def assertion(audience: str, resource: str) -> str:
        assert (audience, resource) == (auth.issuer, mcp.resource)
        return identity_assertion(provider_key, auth, employee)

    storage = Storage()
    provider = IdentityAssertionOAuthProvider(
        mcp.resource,
        storage,
        employee.id,
        employee.secret,
        auth.issuer,
        assertion,
        token_endpoint_auth_method=method,
    )
    await calls(mcp.resource, provider, era)
    assert storage.tokens is not None
    assert claims(storage.tokens.access_token)["sub"].startswith("usr_")


class Reserved(Browser):
    """A person at a browser who is asked for little the first time."""

    def __init__(self, browser: Browser) -> None:
        self._browser, self.asked = browser, list[list[str]]()

    def allow(self, authorize_url: str, **_person: str) -> None:
        """See Browser."""
        parts = urlsplit(authorize_url)
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        if not self.asked:
            query["scope"] = "schemas:read"
        self.asked.append(sorted(query["scope"].split()))
        self._browser.allow(parts._replace(query=urlencode(query)).geturl())


@pytest.mark.parametrize("era", ERAS)
async def test_it_steps_up_once_a_tool_needs_more(era: Era, mcp_server: McpServer, browser: Browser) -> None:
    """What was allowed before is asked for again, beside what the challenge names."""
    storage, person = Storage(), Reserved(browser)
    with listening() as callback, anyio.fail_after(120):
        provider = sign_in_provider(mcp_server.resource, storage, person, callback)
        async with connected(mcp_server.resource, provider, era) as client:
            assert not (await client.call_tool("list_schemas", {})).is_error
            assert person.asked == [["schemas:read"]]
            assert not (await client.call_tool("run_sql", {"sql": "select 1 as one"})).is_error
    assert len(person.asked) == 2
    assert {"schemas:read", "query"} <= {*person.asked[1]}
    assert storage.tokens is not None
    assert {"schemas:read", "query"} <= {*(storage.tokens.scope or "").split()}
