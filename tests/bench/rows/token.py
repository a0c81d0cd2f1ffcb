"""The token endpoint and the two documents, beside node-oidc-provider and beside the bare HTTP stack."""

import base64
import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, urljoin, urlsplit

import httpx2
from joserfc import jwt
from joserfc.jwk import KeySet

from tests.bench.load import Caller
from tests.bench.measurement import AtLeast, Row
from tests.bench.requests import Chain, Repeat, Supply, get, post_form
from tests.bench.subjects import CONNECTIONS, Setting, Target, javascript, peer, python
from tests.support import people
from tests.support.services import EMAIL, PASSWORD, Addresses, auth_serving

NAMES = ("token/client-credentials", "token/refresh", "token/code", "document/discovery", "document/jwks")

OURS, PEER, FLOOR = "auth-server", "node-oidc-provider", "bare stack"
_REDIRECT_URI = "https://app.example.com/callback"
_SCOPE = "schemas:read query"
_REQUEST_SECONDS = 30
_MOST_STEPS = 10


@dataclass(frozen=True, slots=True)
class Issuer:
    """An authorization server under load, and its two clients: a confidential one, and a public one for people."""

    target: Target
    resource: str
    metadata: dict[str, Any]
    automation: tuple[str, str]
    app: str

    def path(self, endpoint: str) -> str:
        """The path of an endpoint that the metadata names."""
        return urlsplit(str(self.metadata[endpoint])).path

    def client_credentials(self) -> bytes:
        """The request for an access token of the confidential client."""
        form = {"grant_type": "client_credentials", "scope": _SCOPE, "resource": self.resource}
        secret = base64.b64encode(":".join(self.automation).encode()).decode()
        return post_form(self.target.port, self.path("token_endpoint"), form, Authorization=f"Basic {secret}")

    def redemption(self, code: str, pkce: people.Pkce) -> dict[str, str]:
        """The form that redeems a code."""
        return {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": _REDIRECT_URI,
            "code_verifier": pkce.verifier,
            "client_id": self.app,
            "resource": self.resource,
        }


def issuer(target: Target, resource: str, automation: tuple[str, str], app: str) -> Issuer:
    """An authorization server as its metadata describes it."""
    metadata = httpx2.get(f"http://localhost:{target.port}/.well-known/openid-configuration").json()
    return Issuer(target, resource, metadata, automation, app)


@contextmanager
def rows(setting: Setting) -> Iterator[Sequence[Row]]:
    """The rows, over servers that run for as long as the block."""
    with ExitStack() as stack:
        addresses = Addresses()
        with setting.cores.pinned(setting.cores.servers):
            auth = stack.enter_context(auth_serving(addresses, setting.directory, AUTH_TRUSTED_PROXIES="127.0.0.1"))
        app = auth.create_client("--public", "--name", "App", "--redirect-uri", _REDIRECT_URI, "--scope", _SCOPE)
        ours = issuer(
            Target(OURS, addresses.auth_port, auth.server, setting.cores.servers),
            addresses.resource,
            (auth.automation.id, auth.automation.secret),
            app.id,
        )
        settings = {"RESOURCE": addresses.resource, "CLIENT_SECRET": "s" * 43, "REDIRECT_URI": _REDIRECT_URI}
        discovery = "/.well-known/openid-configuration"
        theirs = issuer(
            stack.enter_context(peer(setting, PEER, javascript("oidc_provider.mjs"), discovery, settings)),
            addresses.resource,
            ("automation", settings["CLIENT_SECRET"]),
            "app",
        )
        floor = stack.enter_context(peer(setting, FLOOR, python("peers.static_asgi"), "/document"))
        issuers = [ours, theirs]
        for each in issuers:
            _verify(each)
        yield [
            _client_credentials(issuers, floor),
            _refresh(issuers),
            _code(issuers, setting.codes),
            _document("document/discovery", "GET of the metadata", issuers, floor, lambda _each: discovery),
            _document("document/jwks", "GET of the key set", issuers, floor, lambda each: each.path("jwks_uri")),
        ]


def _client_credentials(issuers: Sequence[Issuer], floor: Target) -> Row:
    form = {"grant_type": "client_credentials", "scope": _SCOPE, "resource": issuers[0].resource}
    bare = post_form(floor.port, "/token", form, Authorization="Basic " + "b" * 88)
    return Row(
        "token/client-credentials",
        "POST /token: an ES256 access token for a client's secret; the bare stack parses the form",
        [
            *(each.target.subject(_repeat(each.client_credentials(), b'"access_token":"ey')) for each in issuers),
            floor.subject(_repeat(bare, b'"access_token":"e')),
        ],
        [AtLeast(1.2, PEER)],
    )


def _refresh(issuers: Sequence[Issuer]) -> Row:
    def chains(each: Issuer) -> Callable[[], Sequence[Caller]]:
        started = [
            Chain(each.target.port, each.path("token_endpoint"), each.app, _redeemed(each, code, pkce)["refresh_token"])
            for code, pkce in _codes(each, CONNECTIONS)
        ]
        return lambda: started

    return Row(
        "token/refresh",
        "POST /token: rotation of a refresh token, 16 chains; ours is on disk before it answers, theirs in memory",
        [each.target.subject(chains(each)) for each in issuers],
        [AtLeast(1.0, PEER)],
    )


def _code(issuers: Sequence[Issuer], count: int) -> Row:
    """So many codes a pass, made just before it, since they live 60 seconds."""

    def redemptions(each: Issuer) -> Callable[[], Sequence[Caller]]:
        path = each.path("token_endpoint")

        def prepared() -> Sequence[Caller]:
            codes = _codes(each, count)
            return [Supply([post_form(each.target.port, path, each.redemption(*code)) for code in codes])] * CONNECTIONS

        return prepared

    return Row(
        "token/code",
        f"POST /token: redemption of a code with PKCE for both tokens, {count} codes a pass",
        [each.target.subject(redemptions(each), warm_up=0.05) for each in issuers],
    )


def _document(name: str, work: str, issuers: Sequence[Issuer], floor: Target, path: Callable[[Issuer], str]) -> Row:
    return Row(
        name,
        f"{work}; the bare stack answers with prepared bytes",
        [
            *(each.target.subject(_repeat(get(each.target.port, path(each)), b'":')) for each in issuers),
            floor.subject(_repeat(get(floor.port, "/document"), b'":')),
        ],
        [AtLeast(1.2, PEER)],
    )


def _repeat(request: bytes, expected: bytes) -> Callable[[], Sequence[Caller]]:
    return lambda: [Repeat(request, expected)] * CONNECTIONS


def _codes(each: Issuer, count: int) -> list[tuple[str, people.Pkce]]:
    """Fresh codes of a person who signs in once and allows every time; each with what redeems it."""
    found = []
    with httpx2.Client(timeout=_REQUEST_SECONDS) as browser:
        for number in range(count):
            # What one address may start in a minute is limited, so every authorization comes from another one.
            browser.headers["X-Forwarded-For"] = f"10.{number >> 8 & 255}.{number & 255}.1"
            found.append(_allowed(each, browser))
    return found


def _allowed(each: Issuer, browser: httpx2.Client) -> tuple[str, people.Pkce]:
    pkce = people.Pkce()
    url = people.authorize_url(
        f"http://localhost:{each.target.port}", each.app, _REDIRECT_URI, pkce, resource=each.resource, scope=_SCOPE
    ).replace("/authorize", each.path("authorization_endpoint"), 1)
    for _ in range(_MOST_STEPS):
        if url.startswith(_REDIRECT_URI):
            return parse_qs(urlsplit(url).query)["code"][0], pkce
        answer = browser.get(url)
        if not answer.is_redirect:  # the sign-in page or the consent page
            fields = people.main_form(answer).fields
            entered = {"email": EMAIL, "password": PASSWORD} if "decision" not in answer.text else {}
            answer = people.submit(browser, answer, **(fields | entered | {"decision": "approve"}))
        assert answer.is_redirect, f"{answer.status_code}: {answer.text}"
        url = urljoin(url, answer.headers["location"])
    raise AssertionError(f"no code after {_MOST_STEPS} redirects, but {url}")


def _redeemed(each: Issuer, code: str, pkce: people.Pkce) -> dict[str, Any]:
    form = each.redemption(code, pkce)
    answer = httpx2.post(str(each.metadata["token_endpoint"]), data=form, timeout=_REQUEST_SECONDS)
    assert answer.status_code == 200, answer.text
    document: dict[str, Any] = answer.json()
    return document


def _verify(each: Issuer) -> None:
    """Both servers do the same work: tokens that the published keys verify, for the resource, for 600 seconds."""
    keys = KeySet.import_key_set(httpx2.get(str(each.metadata["jwks_uri"])).json())
    form = {"grant_type": "client_credentials", "scope": _SCOPE, "resource": each.resource}
    automated = httpx2.post(str(each.metadata["token_endpoint"]), data=form, auth=each.automation)
    assert automated.status_code == 200, automated.text
    redeemed = _redeemed(each, *_codes(each, 1)[0])
    for answer in (automated.json(), redeemed):
        token = jwt.decode(answer["access_token"], keys, algorithms=["ES256"])
        claims = token.claims
        assert token.header["typ"] == "at+jwt", token.header
        assert (claims["iss"], claims["aud"]) == (each.metadata["issuer"], each.resource), claims
        assert claims["exp"] - claims["iat"] == 600, claims
        assert set(claims["scope"].split()) == set(_SCOPE.split()), json.dumps(claims)
    assert redeemed["refresh_token"], redeemed
