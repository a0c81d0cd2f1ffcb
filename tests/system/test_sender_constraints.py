"""Both services at their strictest: requests pushed, every token bound to a key, every proof with a nonce.

The client is the official one, which knows nothing of DPoP: what it sends is signed by a hook of its HTTP client.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import anyio
import httpx2
import pytest

from tests.support import people
from tests.support.dpop import DpopKey, Proving
from tests.support.leaks import leaks
from tests.support.mcp_wire import ERAS, MODERN, Wire
from tests.support.official_client import connected
from tests.support.services import Addresses, AuthServer, McpServer, auth_serving, claims, mcp_serving

pytestmark = [pytest.mark.slow, pytest.mark.anyio]

NOWHERE = "http://127.0.0.1:1"
REDIRECT_URI = "http://127.0.0.1:33418/callback"
Pair = tuple[AuthServer, McpServer]


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[Pair]:
    """Services that take nothing less."""
    addresses = Addresses()
    with (
        auth_serving(addresses, tmp_path, AUTH_PAR_REQUIRED="true", AUTH_DPOP_NONCE_REQUIRED="true") as auth,
        mcp_serving(addresses, tmp_path, NOWHERE, MCP_DPOP_REQUIRED="true", MCP_DPOP_NONCE_REQUIRED="true") as mcp,
    ):
        yield auth, mcp


def signed_in(auth: AuthServer, mcp: McpServer, client_id: str, key: DpopKey) -> dict[str, Any]:
    """The tokens of a person: a request pushed beside a proof, a browser, a code redeemed by the same key."""
    pkce = people.Pkce()
    request = {
        "response_type": "code",
        "client_id": client_id,
        "redirect_uri": REDIRECT_URI,
        "scope": "schemas:read query",
        "state": "st-1",
        "resource": mcp.resource,
        "code_challenge": pkce.challenge,
        "code_challenge_method": "S256",
    }
    with httpx2.Client(timeout=30, auth=Proving(key)) as http:
        pushed = http.post(f"{auth.issuer}/par", data=request)
        assert pushed.status_code == 201, pushed.text
        link = {"client_id": client_id, "request_uri": pushed.json()["request_uri"], "scope": "ignored"}
        callback = people.allow(f"{auth.issuer}/authorize?{urlencode(link)}")
        redemption = {
            "grant_type": "authorization_code",
            "client_id": client_id,
            "code": callback["code"],
            "redirect_uri": REDIRECT_URI,
            "code_verifier": pkce.verifier,
        }
        by_another = httpx2.post(f"{auth.issuer}/token", data=redemption, auth=Proving(DpopKey()))
        assert (by_another.status_code, by_another.json()["error"]) == (400, "invalid_grant")
        answer = http.post(f"{auth.issuer}/token", data=redemption)
    assert answer.status_code == 200, answer.text
    tokens: dict[str, Any] = answer.json()
    assert tokens["token_type"] == "DPoP"
    assert claims(tokens["access_token"])["cnf"] == {"jkt": key.thumbprint}
    return tokens


async def test_i15_i16_a_token_is_worth_nothing_without_its_key(pair: Pair) -> None:
    auth, mcp = pair
    client = auth.create_client("--public", "--name", "Holder of a key", "--redirect-uri", REDIRECT_URI)
    key = DpopKey()
    tokens = await anyio.to_thread.run_sync(signed_in, auth, mcp, client.id, key)
    access_token = str(tokens["access_token"])
    proving = Proving(key, access_token)

    with anyio.fail_after(120):
        for era in ERAS:
            async with connected(mcp.resource, proving, era) as official:
                assert len((await official.list_tools()).tools) == 6
                assert not (await official.call_tool("list_schemas", {})).is_error

    request = Wire(mcp.resource, "", MODERN).request("tools/list")
    with httpx2.Client(timeout=30) as http:

        def answer(auth: httpx2.Auth | None, **headers: str) -> int:
            sent = httpx2.Request("POST", request.url, headers={**request.headers, **headers}, content=request.content)
            return http.send(sent, auth=auth).status_code

        assert answer(proving) == 200
        assert answer(None, Authorization=f"Bearer {access_token}") == 401
        assert answer(None, Authorization=f"DPoP {access_token}") == 401
        assert answer(None, Authorization=f"DPoP {access_token}", DPoP=proving.sent[-1]) == 401, "it was used"
        assert answer(Proving(DpopKey(), access_token)) == 401
        assert answer(Proving(key, auth.token())) == 401, "of a bearer's token"

        refresh = {"grant_type": "refresh_token", "client_id": client.id, "refresh_token": tokens["refresh_token"]}
        url, once = f"{auth.issuer}/token", Proving(key)
        refused = http.post(url, data=refresh, auth=Proving(DpopKey()))
        assert (refused.status_code, refused.json()["error"]) == (400, "invalid_grant")
        assert http.post(url, data=refresh).json()["error"] == "invalid_dpop_proof"
        renewed = http.post(url, data=refresh, auth=once).json()
        assert renewed["token_type"] == "DPoP"
        auth.server.kill()
        auth.restart()
        again = http.post(url, data=refresh, headers={"DPoP": once.sent[-1]})
        assert (again.status_code, again.json()["error"]) == (400, "invalid_dpop_proof"), "used, whoever remembers"
        replayed = http.post(url, data=refresh, auth=Proving(key)).json()
        assert replayed["access_token"] == renewed["access_token"]
        assert answer(Proving(key, renewed["access_token"])) == 200
    assert leaks([access_token, renewed["refresh_token"], proving.sent[-1]], [auth.log, mcp.log]) == []
