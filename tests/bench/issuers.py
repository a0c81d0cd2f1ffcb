"""Authorization servers under load, ours and the peer: what is asked of them, and what they need to be asked it."""

import base64
import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, urljoin, urlsplit

import httpx2
from joserfc import jwt
from joserfc.jwk import KeySet

from tests.bench.load import Caller
from tests.bench.requests import Chain, Supply, post_form
from tests.bench.subjects import CONNECTIONS, Setting, Target, javascript, peer
from tests.support import people
from tests.support.services import EMAIL, PASSWORD, AuthServer

OURS, PEER = "auth-server", "node-oidc-provider"
DISCOVERY = "/.well-known/openid-configuration"
REDIRECT_URI = "https://app.example.com/callback"
SCOPE = "schemas:read query"
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
        form = {"grant_type": "client_credentials", "scope": SCOPE, "resource": self.resource}
        secret = base64.b64encode(":".join(self.automation).encode()).decode()
        return post_form(self.target.port, self.path("token_endpoint"), form, Authorization=f"Basic {secret}")

    def redemption(self, code: str, pkce: people.Pkce) -> dict[str, str]:
        """The form that redeems a code."""
        return {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": REDIRECT_URI,
            "code_verifier": pkce.verifier,
            "client_id": self.app,
            "resource": self.resource,
        }


def our_issuer(auth: AuthServer, core: int) -> Issuer:
    """An auth-server on a core, with a new public client."""
    app = auth.create_client("--public", "--name", "App", "--redirect-uri", REDIRECT_URI, "--scope", SCOPE)
    port = urlsplit(auth.issuer).port
    assert port is not None  # ours is reached directly
    target = Target(OURS, port, auth.server, core)
    return _issuer(target, auth.resource, (auth.automation.id, auth.automation.secret), app.id)


@contextmanager
def peer_issuer(setting: Setting, resource: str) -> Iterator[Issuer]:
    """node-oidc-provider on the servers' core, for tokens for the same resource."""
    settings = {"RESOURCE": resource, "CLIENT_SECRET": "s" * 43, "REDIRECT_URI": REDIRECT_URI}
    with peer(setting, PEER, javascript("oidc_provider.mjs"), DISCOVERY, settings) as target:
        yield _issuer(target, resource, ("automation", settings["CLIENT_SECRET"]), "app")


def _issuer(target: Target, resource: str, automation: tuple[str, str], app: str) -> Issuer:
    metadata = httpx2.get(f"http://localhost:{target.port}{DISCOVERY}").json()
    return Issuer(target, resource, metadata, automation, app)


def chains(each: Issuer, count: int = CONNECTIONS) -> Callable[[], Sequence[Caller]]:
    """So many refresh tokens, started once, that go on from pass to pass."""
    path = each.path("token_endpoint")
    started = [
        Chain(each.target.port, path, each.app, _redeemed(each, code, pkce)["refresh_token"])
        for code, pkce in _codes(each, count)
    ]
    return lambda: started


def redemptions(each: Issuer, count: int) -> Callable[[], Sequence[Caller]]:
    """So many codes a pass, made just before it, since they live 60 seconds."""
    path = each.path("token_endpoint")

    def prepared() -> Sequence[Caller]:
        codes = _codes(each, count)
        return [Supply([post_form(each.target.port, path, each.redemption(*code)) for code in codes])] * CONNECTIONS

    return prepared


def verify(each: Issuer) -> None:
    """Both servers do the same work: tokens that the published keys verify, for the resource, for 600 seconds."""
    keys = KeySet.import_key_set(httpx2.get(str(each.metadata["jwks_uri"])).json())
    form = {"grant_type": "client_credentials", "scope": SCOPE, "resource": each.resource}
    automated = httpx2.post(str(each.metadata["token_endpoint"]), data=form, auth=each.automation)
    assert automated.status_code == 200, automated.text
    redeemed = _redeemed(each, *_codes(each, 1)[0])
    for answer in (automated.json(), redeemed):
        token = jwt.decode(answer["access_token"], keys, algorithms=["ES256"])
        claims = token.claims
        assert token.header["typ"] == "at+jwt", token.header
        assert (claims["iss"], claims["aud"]) == (each.metadata["issuer"], each.resource), claims
        assert claims["exp"] - claims["iat"] == 600, claims
        assert set(claims["scope"].split()) == set(SCOPE.split()), json.dumps(claims)
    assert redeemed["refresh_token"], redeemed


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
        f"http://localhost:{each.target.port}", each.app, REDIRECT_URI, pkce, resource=each.resource, scope=SCOPE
    ).replace("/authorize", each.path("authorization_endpoint"), 1)
    for _ in range(_MOST_STEPS):
        if url.startswith(REDIRECT_URI):
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
