"""The documents a client starts from, and the service's own state, through the whole application."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx2
import pytest

from mcp_server.adapters.jwks import PublishedKeys
from mcp_server.adapters.revocations import FollowedRevocations
from mcp_server.adapters.single_use import SingleUseInMemory
from mcp_server.app.http import http_app
from mcp_server.settings import Settings
from mcp_server.surface.offer import Offer
from mcp_server.surface.server import Surface
from mcp_server.surface.subscriptions import Subscriptions
from shared_kernel.asgi import App
from shared_kernel.clock import SystemClock
from shared_kernel.dpop import ALGORITHMS
from shared_kernel.dpop_nonce import Nonces
from shared_kernel.entropy import SystemEntropy

pytestmark = pytest.mark.anyio

ISSUER = "https://auth.example.com/tenants/a"
LOCAL: dict[str, object] = {"resource": "http://localhost:8000/mcp", "issuer": "http://localhost:9000"}


@asynccontextmanager
async def nothing() -> AsyncIterator[None]:
    yield


def application(*, ready: bool = True, **settings: object) -> App:
    nowhere = Path("/nonexistent")
    values = {
        "resource": "https://mcp.example.com/mcp",
        "issuer": ISSUER,
        "schemas_file": nowhere,
        "cursor_key_file": nowhere,
    }
    loaded = Settings.model_validate({**values, **settings})
    fetching, clock = httpx2.AsyncClient(), SystemClock()
    keys = PublishedKeys(fetching, loaded.keys_url, clock=clock)
    return http_app(
        loaded,
        Surface(Offer(), Subscriptions(), title="DynamoSQL", version="1", state_key=b"k" * 32, clock=SystemClock()),
        keys,
        FollowedRevocations(fetching, loaded.feed_url, keys=keys, issuer=ISSUER, strict=False, clock=clock),
        nonces=Nonces(b"k" * 32, "mcp-server"),
        used_proofs=SingleUseInMemory(clock),
        running=nothing,
        ready=lambda: ready,
        clock=SystemClock(),
        entropy=SystemEntropy(),
    )


def client(app: App, url: str = "https://mcp.example.com") -> httpx2.AsyncClient:
    return httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url=url.removesuffix("/mcp"))


@pytest.mark.parametrize("path", ["/.well-known/oauth-protected-resource", "/.well-known/oauth-protected-resource/mcp"])
async def test_both_forms_describe_the_resource_in_exact_strings(path: str) -> None:
    async with client(application()) as http:
        response = await http.get(path)
        assert (await http.head(path)).status_code == 200
    assert response.json() == {
        "resource": "https://mcp.example.com/mcp",
        "authorization_servers": [ISSUER],
        "scopes_supported": ["schemas:read", "query"],
        "bearer_methods_supported": ["header"],
        "dpop_signing_alg_values_supported": list(ALGORITHMS),
        "dpop_bound_access_tokens_required": False,
        "resource_name": "DynamoSQL",
    }
    assert response.headers["access-control-allow-origin"] == "*"
    assert response.headers["cache-control"] == "public, max-age=3600"


async def test_the_challenge_points_to_metadata_that_answers() -> None:
    async with client(application()) as http:
        challenge = (await http.get("/mcp")).headers["www-authenticate"]
        url = challenge.split('resource_metadata="')[1].split('"')[0]
        assert url == "https://mcp.example.com/.well-known/oauth-protected-resource/mcp"
        assert (await http.get(url)).status_code == 200


async def test_a_resource_without_a_path_is_served_at_the_root() -> None:
    async with client(application(resource="https://mcp.example.com")) as http:
        response = await http.get("/")
        assert response.status_code == 401
        assert 'resource_metadata="https://mcp.example.com/.well-known/oauth-protected-resource"' in str(
            response.headers
        )
        assert (await http.get("/.well-known/oauth-protected-resource")).json()["resource"] == "https://mcp.example.com"


async def test_on_two_hosts_the_issuers_metadata_is_a_redirect_away() -> None:
    async with client(application()) as http:
        response = await http.get("/.well-known/oauth-authorization-server")
    assert response.status_code == 307
    assert response.headers["location"] == ("https://auth.example.com/.well-known/oauth-authorization-server/tenants/a")
    assert response.headers["access-control-allow-origin"] == "*"


async def test_on_one_host_the_issuers_metadata_is_not_ours() -> None:
    async with client(application(issuer="https://mcp.example.com")) as http:
        assert (await http.get("/.well-known/oauth-authorization-server")).status_code == 404


@pytest.mark.parametrize("path", ["/.well-known/oauth-protected-resource", "/.well-known/oauth-authorization-server"])
async def test_a_preflight_of_public_documents_is_answered(path: str) -> None:
    headers = {"Origin": "https://anyone.example", "Access-Control-Request-Method": "GET"}
    async with client(application()) as http:
        response = await http.options(path, headers=headers)
    assert response.status_code == 204
    assert response.headers["access-control-allow-origin"] == "*"


@pytest.mark.parametrize(("ready", "status"), [(True, 200), (False, 503)])
async def test_liveness_and_readiness(ready: bool, status: int) -> None:
    async with client(application(ready=ready)) as http:
        assert (await http.get("/livez")).status_code == 200
        assert (await http.get("/readyz")).status_code == status


@pytest.mark.parametrize("path", ["/mcp/", "/token", "/", "/.well-known/openid-configuration", "/metrics"])
async def test_nothing_else_answers_and_nothing_redirects_by_host(path: str) -> None:
    async with client(application()) as http:
        assert (await http.get(path)).status_code == 404
        assert (await http.get(path, headers={"Host": "evil.example"})).status_code == 421


@pytest.mark.parametrize("method", ["POST", "GET", "DELETE"])
@pytest.mark.parametrize(
    ("settings", "origin", "admitted"),
    [
        ({"allowed_origins": "https://app.example"}, "https://app.example", True),
        ({}, "https://mcp.example.com", True),
        ({}, "https://app.example", False),
        ({}, "http://localhost:6274", False),
        ({"allowed_origins": "https://app.example"}, "https://app.example.evil.example", False),
        ({"allowed_origins": "https://app.example"}, "null", False),
        (LOCAL, "http://localhost:6274", True),
        (LOCAL, "http://127.0.0.1:5173", True),
        (LOCAL, "http://localhost.evil.example:1", False),
        (LOCAL, "http://localhostx:1", False),
        (LOCAL, "https://localhost:6274", False),
    ],
)
async def test_a_web_page_may_call_from_exactly_the_origins_that_are_admitted(
    settings: dict[str, object], origin: str, admitted: bool, method: str
) -> None:
    asked = {
        "Origin": origin,
        "Access-Control-Request-Method": method,
        "Access-Control-Request-Headers": "authorization,content-type,mcp-protocol-version,mcp-name,mcp-param-x",
    }
    app = application(**settings)  # type: ignore[arg-type] # none of them is `ready`
    async with client(app, str(settings.get("resource", "https://mcp.example.com/mcp"))) as http:
        preflight = await http.options("/mcp", headers=asked)
        challenged = await http.request(method, "/mcp", headers={"Origin": origin})
    if not admitted:
        assert "access-control-allow-origin" not in preflight.headers.keys() | challenged.headers.keys()
        assert challenged.status_code == 403
        return
    assert preflight.status_code == 200
    assert preflight.headers["access-control-allow-origin"] == origin
    assert method in preflight.headers["access-control-allow-methods"]
    assert preflight.headers["access-control-allow-headers"] == asked["Access-Control-Request-Headers"]
    assert challenged.status_code == 401
    assert challenged.headers["access-control-allow-origin"] == origin
    exposed = {name.strip() for name in challenged.headers["access-control-expose-headers"].split(",")}
    assert {"WWW-Authenticate", "DPoP-Nonce", "Mcp-Session-Id", "MCP-Protocol-Version"} <= exposed
