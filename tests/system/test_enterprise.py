"""Enterprise-managed authorization (ID-JAG): a company's provider lets its people in; workspaces keep them apart."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from time import time
from typing import Any

import httpx2
import pytest

from tests.support.client_keys import ClientKey
from tests.support.document_host import DocumentHost, publishing
from tests.support.leaks import leaks
from tests.support.mcp_wire import ERAS, Wire
from tests.support.processes import wait_for
from tests.support.services import (
    EMAIL,
    Addresses,
    AuthServer,
    Client,
    McpServer,
    auth_serving,
    claims,
    mcp_serving,
    run_cli,
)

pytestmark = pytest.mark.slow

NOWHERE = "http://127.0.0.1:1"
PROVIDER, KEY_SET = "https://login.example", "https://login.example/jwks.json"
WORKSPACE = "another"
"""Whose schema is called `elsewhere`."""
JWT_BEARER = "urn:ietf:params:oauth:grant-type:jwt-bearer"
SECONDS = 60
"""In truth some three."""


@dataclass(frozen=True, slots=True)
class Company:
    """Both services, the company's provider and its key, and a client of the company's workspace."""

    auth: AuthServer
    mcp: McpServer
    provider: DocumentHost
    key: ClientKey
    client: Client

    def assertion(self, **changes: Any) -> str:
        """What the provider says of an employee who signed in there, changed."""
        now = int(time())
        said = {
            "iss": PROVIDER,
            "sub": "00u1a2b3",
            "iat": now,
            "exp": now + 300,
            "client_id": self.client.id,
            "email": EMAIL,
            "resource": self.mcp.resource,
            "scope": "query schemas:read",
            **changes,
        }
        return self.key.assertion("", self.auth.issuer, now, header={"typ": "oauth-id-jag+jwt"}, **said)

    def hand_in(self, assertion: str, client: Client | None = None) -> httpx2.Response:
        """A client exchanges an assertion for a token."""
        client = client or self.client
        form = {"grant_type": JWT_BEARER, "assertion": assertion}
        return httpx2.post(f"{self.auth.issuer}/token", data=form, auth=(client.id, client.secret))


@pytest.fixture
def company(tmp_path: Path) -> Iterator[Company]:
    addresses, key = Addresses(), ClientKey()
    with publishing(tmp_path, "login.example") as provider:
        provider.documents[KEY_SET] = {"keys": [key.jwk()]}
        settings = {**provider.settings, "AUTH_ASSERTION_ISSUERS": f"{WORKSPACE} {PROVIDER} {KEY_SET}"}
        with auth_serving(addresses, tmp_path, **settings) as auth, mcp_serving(addresses, tmp_path, NOWHERE) as mcp:
            environment = auth.server.environment
            run_cli(environment, "workspace", "create", WORKSPACE, "--title", "Another company")
            run_cli(environment, "workspace", "member", "add", WORKSPACE, EMAIL, "--role", "admin")
            made = ("--confidential", "--name", "Assistant", "--workspace", WORKSPACE, "--grant", "jwt-bearer")
            yield Company(auth, mcp, provider, key, auth.create_client(*made))


def test_a_companys_provider_lets_its_people_in_and_no_further(company: Company) -> None:
    """From discovery to the tools; the same assertion gives no second token, nor does another workspace's client."""
    metadata = httpx2.get(f"{company.auth.issuer}/.well-known/oauth-authorization-server").json()
    assert JWT_BEARER in metadata["grant_types_supported"]
    assert metadata["authorization_grant_profiles_supported"] == ["urn:ietf:params:oauth:grant-profile:id-jag"]
    assertion = company.assertion()
    answer = company.hand_in(assertion)
    assert answer.status_code == 200, answer.text
    assert set(answer.json()) == {"access_token", "token_type", "expires_in", "scope"}
    token = answer.json()["access_token"]
    told = claims(token)
    assert (told["tenant"], told["roles"], told["client_id"]) == (WORKSPACE, ["admin"], company.client.id)
    assert told["sub"].startswith("usr_")
    for era in ERAS:
        schemas = Wire(company.mcp.resource, token, era).call("list_schemas")["schemas"]
        assert [schema["name"] for schema in schemas] == ["elsewhere"]
    again = company.hand_in(assertion)
    assert (again.status_code, again.json()["error"]) == (400, "invalid_grant")
    foreign = company.hand_in(company.assertion(client_id=company.auth.automation.id), company.auth.automation)
    assert (foreign.status_code, foreign.json()["error"]) == (400, "unauthorized_client")
    assert company.provider.requests.count(KEY_SET) == 1
    assert leaks([assertion, token], [company.auth.log, company.mcp.log]) == []


def test_who_leaves_the_company_is_out_whatever_its_provider_says(company: Company) -> None:
    """At mcp-server within seconds, and for good: the provider says who somebody is, the operator who belongs."""
    token = company.hand_in(company.assertion()).json()["access_token"]
    assert Wire(company.mcp.resource, token, ERAS[0]).send("tools/list", {}).status_code == 200
    run_cli(company.auth.server.environment, "workspace", "member", "remove", WORKSPACE, EMAIL)
    refused = company.hand_in(company.assertion())
    assert (refused.status_code, refused.json()["error"]) == (400, "invalid_grant")

    def status() -> int:
        return Wire(company.mcp.resource, token, ERAS[0]).send("tools/list", {}).status_code

    wait_for(lambda: status() == 401, SECONDS, "the end of the membership at mcp-server")
