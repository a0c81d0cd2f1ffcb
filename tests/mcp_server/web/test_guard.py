"""The guard, over ASGI, with real tokens and a real key endpoint. Case numbers are those of the attack list."""

import asyncio
import base64
import hashlib
import hmac
import json
from collections.abc import AsyncIterator, Callable
from typing import Any

import anyio
import httpx2
import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from joserfc import jwe, jws
from joserfc.jwk import ECKey
from mcp.server.transport_security import TransportSecuritySettings
from starlette.responses import PlainTextResponse

from mcp_server.access.bearer import MESSAGE_KEY, PRINCIPAL_KEY
from mcp_server.adapters.jwks import PublishedKeys
from mcp_server.adapters.metrics import MeteredTally
from mcp_server.adapters.single_use import SingleUseInMemory
from mcp_server.domain.principal import Principal
from mcp_server.web import guard
from mcp_server.web.guard import BODY_LIMIT, Guard
from mcp_server.web.possession import ProofVerifier
from mcp_server.web.verification import TokenVerifier
from shared_kernel.access_token import CLOCK_SKEW, LIFETIME, TokenRefused
from shared_kernel.asgi import Message, Receive, Scope, Send, send_json
from shared_kernel.clock import SystemClock
from shared_kernel.dpop_nonce import Nonces
from shared_kernel.entropy import SystemEntropy
from shared_kernel.request_log import RequestLog
from tests.mcp_server.web.conftest import RESOURCE
from tests.mcp_server.web.serving import Issuer, follower, new_key
from tests.support.clock import SettableClock
from tests.support.metrics import lookups

pytestmark = pytest.mark.anyio

METADATA = "http://localhost:8000/.well-known/oauth-protected-resource/mcp"
TOOL_SCOPES = {
    "list_tables": frozenset({"schemas:read"}),
    "run_sql": frozenset({"query"}),
    "both": frozenset({"schemas:read", "query"}),
}
P256_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
LIST = {"jsonrpc": "2.0", "id": 1, "method": "tools/list"}


def call(tool: str) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": tool, "arguments": {}}}


class Inner:
    """What stands behind the guard: remembers what reached it."""

    def __init__(self) -> None:
        self.principals: list[Principal] = []
        self.messages: list[dict[str, Any]] = []
        self.headers: list[dict[bytes, bytes]] = []

    async def __call__(self, scope: Scope, _receive: Receive, send: Send) -> None:
        self.principals.append(scope["state"][PRINCIPAL_KEY])
        self.headers.append(dict(scope["headers"]))
        self.messages.append(scope["state"][MESSAGE_KEY])
        await send_json(send, 200, {})


class Fixture:
    """A guard before an Inner, and a client for it."""

    def __init__(
        self,
        issuer: Issuer,
        fetching: httpx2.AsyncClient,
        *,
        nonce_required: bool = False,
        dpop_required: bool = False,
    ) -> None:
        self.issuer, self.inner, self.flooding = issuer, Inner(), set[str]()
        self.keys = PublishedKeys(fetching, f"{issuer.url}/.well-known/jwks.json", clock=SystemClock())
        self.revocations = follower(issuer, fetching, self.keys)
        verifier = TokenVerifier(self.keys, self.revocations, issuer=issuer.url, audience=RESOURCE, clock=SystemClock())
        self.guard = Guard(
            self.inner,
            verifier=verifier,
            proofs=ProofVerifier(
                resource=RESOURCE,
                nonces=Nonces(b"k" * 32, "tests"),
                nonce_required=nonce_required,
                used=SingleUseInMemory(SystemClock()),
                clock=SystemClock(),
            ),
            dpop_required=dpop_required,
            transport=TransportSecuritySettings(
                allowed_hosts=["localhost:*"], allowed_origins=["http://localhost:8000", "http://localhost:*"]
            ),
            metadata_url=METADATA,
            needed_scopes=lambda _method, target: TOOL_SCOPES.get(target, frozenset()),
            common_scopes=frozenset({"schemas:read", "query"}),
            floods=lambda principal: principal.subject in self.flooding,
            held_back=64,
        )
        logged = RequestLog(self.guard, clock=SystemClock(), entropy=SystemEntropy())
        self.client = httpx2.AsyncClient(transport=httpx2.ASGITransport(logged), base_url="http://localhost:8000")

    async def post(self, token: str, message: object = LIST) -> httpx2.Response:
        return await self.client.post("/mcp", json=message, headers={"Authorization": f"Bearer {token}"})


@pytest.fixture
async def fixture(issuer: Issuer) -> AsyncIterator[Fixture]:
    async with httpx2.AsyncClient() as fetching:
        fixture = Fixture(issuer, fetching)
        async with fixture.client:
            yield fixture


def encoded(value: object) -> str:
    raw = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def resigned(issuer: Issuer, header: dict[str, Any] | None = None, claims: dict[str, Any] | bytes | None = None) -> str:
    """A token signed by the issuer's own key, with header members or claims changed; None removes a claim."""
    original = issuer.token().split(".")
    decoded = [json.loads(base64.urlsafe_b64decode(part + "==")) for part in original[:2]]
    payload: bytes
    if isinstance(claims, bytes):
        payload = claims
    else:
        merged = {**decoded[1], **(claims or {})}
        payload = json.dumps({name: value for name, value in merged.items() if value is not None}).encode()
    protected = encoded({**decoded[0], **(header or {})})
    signing_input = f"{protected}.{encoded(payload)}"
    algorithm = jws.JWSRegistry(algorithms=["ES256"]).get_alg("ES256")
    return with_s(min, f"{signing_input}.{encoded(algorithm.sign(signing_input.encode(), issuer.key))}")


def with_s(choose: Callable[[int, int], int], token: str) -> str:
    """The token with one of the two signatures, (r, s) and (r, n - s), that verify wherever the other does."""
    signing_input, _, signature = token.rpartition(".")
    raw = base64.urlsafe_b64decode(signature + "==")
    s = int.from_bytes(raw[32:])
    return f"{signing_input}.{encoded(raw[:32] + choose(s, P256_ORDER - s).to_bytes(32))}"


async def test_a_valid_token_reaches_the_application_with_principal_and_message(fixture: Fixture) -> None:
    response = await fixture.post(fixture.issuer.token(), call("run_sql"))
    assert response.status_code == 200
    [principal] = fixture.inner.principals
    assert (principal.tenant, principal.subject, principal.client_id) == ("default", "usr_1", "client-1")
    assert principal.scopes == {"schemas:read", "query"}
    assert fixture.inner.messages == [call("run_sql")]


async def test_who_floods_is_told_to_wait_before_anything_is_read(fixture: Fixture) -> None:
    fixture.flooding.add("usr_ann")
    response = await fixture.post(fixture.issuer.token(subject="usr_ann"))
    assert (response.status_code, response.headers["retry-after"]) == (429, "5")
    assert response.json()["error"] == "too_many_requests"
    assert fixture.inner.principals == []
    assert (await fixture.post(fixture.issuer.token(subject="usr_bob"))).status_code == 200


async def test_who_floods_waits_for_the_refusal_while_others_are_served(
    fixture: Fixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(guard, "FLOOD_SECONDS", 60.0)
    fixture.flooding.add("usr_ann")
    token = fixture.issuer.token(subject="usr_ann")
    calls = [asyncio.create_task(fixture.post(token)) for _ in range(80)]
    refused, waiting = await asyncio.wait(calls, timeout=1.0)
    assert {call.result().status_code for call in refused} == {429}
    assert 64 <= len(waiting) < 80, "no more than leave places for who does not flood"
    assert (await fixture.post(fixture.issuer.token(subject="usr_bob"))).status_code == 200
    for call in waiting:
        call.cancel()
    await asyncio.wait(waiting)


@pytest.mark.parametrize("method", ["GET", "POST", "DELETE", "PUT", "PATCH", "HEAD", "OPTIONS"])
async def test_without_a_token_every_method_is_challenged_and_no_error_is_named(fixture: Fixture, method: str) -> None:
    response = await fixture.client.request(method, "/mcp")
    assert response.status_code == 401
    assert response.headers.get_list("www-authenticate") == [
        f'Bearer scope="schemas:read query", resource_metadata="{METADATA}"'
    ]
    assert fixture.inner.principals == []


async def test_another_scheme_than_bearer_counts_as_no_token(fixture: Fixture) -> None:
    response = await fixture.client.post("/mcp", json=LIST, headers={"Authorization": "Basic dTpw"})
    assert response.status_code == 401
    assert "error=" not in response.headers["www-authenticate"]


@pytest.mark.parametrize("method", ["GET", "DELETE", "PUT", "HEAD"])
async def test_with_a_token_only_post_is_allowed(fixture: Fixture, method: str) -> None:
    headers = {"Authorization": f"bearer {fixture.issuer.token()}"}
    response = await fixture.client.request(method, "/mcp", headers=headers)
    assert response.status_code == 405
    assert response.headers["allow"] == "POST"


Forgery = Callable[[Issuer], str]


def hs256_with_public_key(issuer: Issuer) -> str:
    public_key: Any = issuer.key.public_key
    secret = public_key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    header, payload, _ = resigned(issuer, {"alg": "HS256"}).split(".")
    return f"{header}.{payload}.{encoded(hmac.digest(secret, f'{header}.{payload}'.encode(), hashlib.sha256))}"


def repeated_claim(issuer: Issuer) -> str:
    payload = base64.urlsafe_b64decode(issuer.token().split(".")[1] + "==")
    return resigned(issuer, claims=payload.replace(b"{", b'{"scope":"admin",', 1))


def flipped_signature(issuer: Issuer) -> str:
    header, payload, signature = issuer.token().split(".")
    raw = bytearray(base64.urlsafe_b64decode(signature + "=="))
    raw[10] ^= 1
    return f"{header}.{payload}.{encoded(bytes(raw))}"


def encrypted(issuer: Issuer) -> str:
    public = ECKey.import_key(issuer.key.as_dict(private=False))
    header = {"alg": "ECDH-ES", "enc": "A128GCM", "typ": "at+jwt", "kid": issuer.key.kid, "cty": "JWT"}
    return jwe.encrypt_compact(header, issuer.token().encode(), public)


FORGERIES: dict[str, Forgery] = {
    "F01 alg none": lambda i: ".".join([*resigned(i, {"alg": "none"}).split(".")[:2], ""]),
    "F01 alg NONE with a signature": lambda i: resigned(i, {"alg": "nOnE"}),
    "F02 HS256 keyed with the public key": hs256_with_public_key,
    "F03 unknown kid": lambda i: i.token(key=new_key()),
    "F04 kid as a path": lambda i: resigned(i, {"kid": "../../etc/passwd"}),
    "F04 kid as SQL": lambda i: resigned(i, {"kid": "' OR 1=1 --"}),
    "F04 kid as a URL": lambda i: resigned(i, {"kid": "http://127.0.0.1:1/key"}),
    "F04 kid not a text": lambda i: resigned(i, {"kid": ["a"]}),
    "F06 crit": lambda i: resigned(i, {"crit": ["exp"], "exp": 1}),
    "F07 typ JWT": lambda i: resigned(i, {"typ": "JWT"}),
    "F07 no typ": lambda i: resigned(i, {"typ": None}),
    "F08 other audience": lambda i: i.token(audience="http://localhost:8000/other"),
    "F08 audience prefix": lambda i: i.token(audience=f"{RESOURCE}-other"),
    "F08 audience with slash": lambda i: i.token(audience=f"{RESOURCE}/"),
    "F08 audience among others": lambda i: resigned(i, claims={"aud": [RESOURCE, "http://other"]}),
    "F09 other issuer": lambda i: i.token(issuer="http://localhost:1"),
    "F09 issuer with slash": lambda i: i.token(issuer=f"{i.url}/"),
    "F10 expired": lambda i: i.token(now=SystemClock().now() - LIFETIME - CLOCK_SKEW - 1),
    "F10 from the future": lambda i: i.token(now=SystemClock().now() + CLOCK_SKEW + 5),
    "F10 lives for ten years": lambda i: resigned(i, claims={"exp": int(SystemClock().now()) + 10 * 365 * 86400}),
    "F11 no exp": lambda i: resigned(i, claims={"exp": None}),
    "F11 no aud": lambda i: resigned(i, claims={"aud": None}),
    "F11 no jti": lambda i: resigned(i, claims={"jti": None}),
    "F12 a session cookie's value": lambda _: "ses_0123456789abcdefghijklmnopqrstuvwxyz",
    "F16 oversized": lambda _: f"{'A' * 65_536}.{'A' * 10}.AAAA",
    "F16 flipped bit in the signature": flipped_signature,
    "F16 the other signature that verifies": lambda i: with_s(max, i.token()),
    "F20 JWE": encrypted,
    "F21 repeated claim": repeated_claim,
    "F21 not JSON": lambda i: resigned(i, claims=b"[]"),
}


async def test_a_re_signed_token_without_a_change_is_accepted(fixture: Fixture) -> None:
    """What the forgeries below are made of is good; nothing but the forgery makes them fail."""
    assert (await fixture.post(resigned(fixture.issuer))).status_code == 200


@pytest.mark.parametrize("name", ["run_sql", "list_tables"])
@pytest.mark.parametrize("scopes", [(), ("query",)])
async def test_f22_no_answer_repeats_the_token(fixture: Fixture, scopes: tuple[str, ...], name: str) -> None:
    good = fixture.issuer.token(scopes=scopes)
    for token in (good, *(forgery(fixture.issuer) for forgery in FORGERIES.values())):
        response = await fixture.post(token, call(name))
        sent = response.text + str(response.headers)
        assert not any(part in sent for part in token.split(".") if len(part) > 20)


@pytest.mark.parametrize("forgery", FORGERIES.values(), ids=list(FORGERIES))
async def test_a_forged_token_is_invalid_token(fixture: Fixture, forgery: Forgery) -> None:
    response = await fixture.post(forgery(fixture.issuer))
    assert response.status_code == 401
    (challenge,) = response.headers.get_list("www-authenticate")
    assert challenge.startswith('Bearer error="invalid_token", error_description="')
    assert challenge.endswith(f'scope="schemas:read query", resource_metadata="{METADATA}"')
    assert fixture.inner.principals == []


async def test_f05_header_keys_are_never_used(fixture: Fixture) -> None:
    own = new_key()
    header = {"kid": fixture.issuer.key.kid, "jwk": own.as_dict(private=False), "jku": "http://127.0.0.1:1/"}
    forged = resigned(fixture.issuer, header).rsplit(".", 1)[0]
    algorithm = jws.JWSRegistry(algorithms=["ES256"]).get_alg("ES256")
    response = await fixture.post(f"{forged}.{encoded(algorithm.sign(forged.encode(), own))}")
    assert response.status_code == 401
    # The same header under the issuer's signature is fine: unknown members are ignored, not followed.
    assert (await fixture.post(resigned(fixture.issuer, header))).status_code == 200


async def test_f13_a_token_in_the_query_is_refused(fixture: Fixture) -> None:
    response = await fixture.client.post("/mcp", params={"access_token": fixture.issuer.token()}, json=LIST)
    assert response.status_code == 400
    assert 'error="invalid_request"' in response.headers["www-authenticate"]


async def test_f14_two_authorization_headers_are_refused_even_if_both_are_good(fixture: Fixture) -> None:
    good = ("Authorization", f"Bearer {fixture.issuer.token()}")
    response = await fixture.client.post("/mcp", json=LIST, headers=[good, good])
    assert response.status_code == 400


@pytest.mark.parametrize(
    ("granted", "tool", "challenged"),
    [
        ((), "run_sql", "query"),
        (("schemas:read",), "run_sql", "query"),
        (("query",), "list_tables", "schemas:read"),
        (("query",), "both", "schemas:read query"),
        ((), "both", "schemas:read query"),
    ],
)
async def test_f17_a_missing_scope_is_a_403_that_names_every_scope_needed(
    fixture: Fixture, granted: tuple[str, ...], tool: str, challenged: str
) -> None:
    response = await fixture.post(fixture.issuer.token(scopes=granted), call(tool))
    assert response.status_code == 403
    challenge = response.headers["www-authenticate"]
    assert challenge.startswith('Bearer error="insufficient_scope", error_description="')
    assert challenge.endswith(f'scope="{challenged}", resource_metadata="{METADATA}"')
    assert response.json()["error"] == "insufficient_scope"
    assert fixture.inner.principals == []


async def test_the_tool_is_the_bodys_whatever_mcp_name_says(fixture: Fixture) -> None:
    headers = {
        "Authorization": f"Bearer {fixture.issuer.token(scopes=('schemas:read',))}",
        "Mcp-Name": "list_tables",
        "Mcp-Method": "tools/list",
        "MCP-Protocol-Version": "2026-07-28",
    }
    response = await fixture.client.post("/mcp", json=call("run_sql"), headers=headers)
    assert response.status_code == 403


async def test_a_token_without_scopes_may_do_what_needs_none(fixture: Fixture) -> None:
    assert (await fixture.post(fixture.issuer.token(scopes=()), LIST)).status_code == 200
    assert (await fixture.post(fixture.issuer.token(scopes=()), call("no_such_tool"))).status_code == 200


@pytest.mark.parametrize("body", [b"[]", b"[" + json.dumps(LIST).encode() + b"]", b"{", b"", b'{"jsonrpc":"2.0"}'])
async def test_what_is_not_one_message_gets_a_json_rpc_error(fixture: Fixture, body: bytes) -> None:
    headers = {"Authorization": f"Bearer {fixture.issuer.token()}", "Content-Type": "application/json"}
    response = await fixture.client.post("/mcp", content=body, headers=headers)
    assert response.status_code == 400
    assert response.json()["id"] is None
    assert response.json()["error"]["code"] in {-32700, -32600}


@pytest.mark.parametrize("content_type", ["text/plain", "application/jsonp", "application/x-www-form-urlencoded", ""])
async def test_a_type_that_a_page_may_send_unasked_is_refused(fixture: Fixture, content_type: str) -> None:
    headers = {"Authorization": f"Bearer {fixture.issuer.token()}", "Content-Type": content_type}
    response = await fixture.client.post("/mcp", content=json.dumps(LIST), headers=headers)
    assert response.status_code == 415
    assert fixture.inner.messages == []


async def test_a_media_type_may_have_parameters(fixture: Fixture) -> None:
    headers = {"Authorization": f"Bearer {fixture.issuer.token()}", "Content-Type": "Application/JSON; charset=utf-8"}
    assert (await fixture.client.post("/mcp", content=json.dumps(LIST), headers=headers)).status_code == 200


async def test_a_body_over_the_limit_is_refused_before_it_is_parsed(fixture: Fixture) -> None:
    headers = {"Authorization": f"Bearer {fixture.issuer.token()}", "Content-Type": "application/json"}
    response = await fixture.client.post("/mcp", content=b" " * (BODY_LIMIT + 1), headers=headers)
    assert response.status_code == 413


async def test_white_space_round_header_values_is_gone_behind_the_guard(fixture: Fixture) -> None:
    reached: list[Message] = []

    async def send(message: Message) -> None:
        reached.append(message)

    async def receive() -> Message:
        return {"type": "http.request", "body": json.dumps(LIST).encode(), "more_body": False}

    headers = [
        (b"host", b" localhost:8000"),
        (b"authorization", f" \tBearer {fixture.issuer.token()} ".encode()),
        (b"content-type", b" application/json"),
        (b"mcp-name", b"  run_sql \t"),
    ]
    scope = {"type": "http", "method": "POST", "path": "/mcp", "query_string": b"", "headers": headers, "state": {}}
    await fixture.guard(scope, receive, send)
    assert reached[0]["status"] == 200
    assert fixture.inner.headers[0][b"mcp-name"] == b"run_sql"


@pytest.mark.parametrize("origin", ["http://evil.example", "null", "https://localhost:8000", "http://localhost"])
@pytest.mark.parametrize("authorized", [True, False])
async def test_a_foreign_origin_is_refused(fixture: Fixture, origin: str, authorized: bool) -> None:
    headers = {"Origin": origin}
    if authorized:
        headers["Authorization"] = f"Bearer {fixture.issuer.token()}"
    assert (await fixture.client.post("/mcp", json=LIST, headers=headers)).status_code == 403


async def test_an_allowed_origin_is_served(fixture: Fixture) -> None:
    headers = {"Origin": "http://localhost:6274", "Authorization": f"Bearer {fixture.issuer.token()}"}
    assert (await fixture.client.post("/mcp", json=LIST, headers=headers)).status_code == 200


async def test_a_foreign_host_is_misdirected(fixture: Fixture) -> None:
    headers = {"Host": "evil.example:8000", "Authorization": f"Bearer {fixture.issuer.token()}"}
    assert (await fixture.client.post("/mcp", json=LIST, headers=headers)).status_code == 421


async def test_keys_that_cannot_be_had_are_503_not_401(own_issuer: Issuer) -> None:
    own_issuer.response = PlainTextResponse("down", status_code=500)
    async with httpx2.AsyncClient() as fetching:
        fixture = Fixture(own_issuer, fetching)
        async with fixture.client:
            response = await fixture.post(own_issuer.token())
    assert response.status_code == 503
    assert int(response.headers["retry-after"]) >= 1
    assert "www-authenticate" not in response.headers


async def test_a_remembered_token_expires(issuer: Issuer) -> None:
    clock = SettableClock(SystemClock().now())
    async with httpx2.AsyncClient() as fetching:
        keys = PublishedKeys(fetching, f"{issuer.url}/.well-known/jwks.json", clock=clock)
        revocations = follower(issuer, fetching, keys)
        tally = MeteredTally()
        verifier = TokenVerifier(keys, revocations, issuer=issuer.url, audience=RESOURCE, clock=clock, tally=tally)
        token = issuer.token(now=clock.time)
        assert (await verifier.verified(token)).claims.subject == "usr_1"
        assert lookups(tally, "tokens") == (0, 1)
        clock.time += LIFETIME + CLOCK_SKEW - 1
        assert (await verifier.verified(token)).claims.subject == "usr_1"
        assert lookups(tally, "tokens") == (1, 1)
        clock.time += 2
        with pytest.raises(TokenRefused, match="expired"):
            await verifier.verified(token)


async def test_remembered_tokens_are_bounded_and_still_right(issuer: Issuer) -> None:
    async with httpx2.AsyncClient() as fetching:
        keys = PublishedKeys(fetching, f"{issuer.url}/.well-known/jwks.json", clock=SystemClock())
        revocations, clock = follower(issuer, fetching, keys), SystemClock()
        verifier = TokenVerifier(keys, revocations, issuer=issuer.url, audience=RESOURCE, clock=clock, capacity=2)
        tokens = [issuer.token(subject=f"usr_{number}") for number in range(5)]
        for _ in range(2):
            for number, token in enumerate(tokens):
                assert (await verifier.verified(token)).claims.subject == f"usr_{number}"
        assert len(verifier._verified) == 2


async def test_after_the_body_the_servers_messages_come_through(fixture: Fixture) -> None:
    """The application must hear of a disconnect while it works."""
    gone = anyio.Event()
    heard: list[str] = []

    async def application(_scope: Scope, receive: Receive, _send: Send) -> None:
        heard.append((await receive())["type"])
        gone.set()

    fixture.guard._app = application
    messages: list[Message] = [
        {"type": "http.disconnect"},
        {"type": "http.request", "body": json.dumps(LIST).encode(), "more_body": False},
    ]

    async def receive() -> Message:
        return messages.pop()

    async def send(_message: Message) -> None:
        raise AssertionError

    headers = [
        (b"host", b"localhost:8000"),
        (b"authorization", f"Bearer {fixture.issuer.token()}".encode()),
        (b"content-type", b"application/json"),
    ]
    scope = {"type": "http", "method": "POST", "path": "/mcp", "query_string": b"", "headers": headers, "state": {}}
    with anyio.fail_after(30):
        await fixture.guard(scope, receive, send)
    assert heard == ["http.disconnect"]
