"""What attacks are made on: a running auth-server, with clients and a person to attack."""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from urllib.parse import parse_qsl, urlencode, urljoin, urlsplit

import httpx2

from tests.support.callback import parameters
from tests.support.client_keys import ClientKey, presented
from tests.support.document_host import DocumentHost
from tests.support.people import Pkce, submit
from tests.support.services import EMAIL, PASSWORD, AuthServer, Client
from tests.support.shifted_server import Surroundings

LOOPBACK = "http://127.0.0.1:53219/callback"
WEB = "https://good.example/cb?x=1"
APP = "cursor://anysphere.cursor-mcp/oauth/callback"
REDIRECT_URIS = ("http://localhost/callback", "http://127.0.0.1/callback", "http://[::1]/callback", WEB, APP)
STATE = "st at/e+&=é"
SCOPE = "schemas:read query"
UPSTREAM_CLIENT = Client("auth server & co", "s3cret+/=&")
FORM = "application/x-www-form-urlencoded"

Changes = Mapping[str, str | Sequence[str] | None]


@dataclass(slots=True)
class Target:
    """A running server. Every client of HTTP that it gives out has an address of its own, so limits do not meet."""

    server: AuthServer
    http: httpx2.Client
    addresses: "itertools.count[int]" = field(default_factory=itertools.count)
    clients: dict[str, str] = field(default_factory=dict)
    keyed: dict[ClientKey, Client] = field(default_factory=dict)

    @property
    def issuer(self) -> str:
        """The issuer."""
        return self.server.issuer

    @property
    def resource(self) -> str:
        """The resource that it makes tokens for."""
        return self.server.resource

    def stranger(self) -> httpx2.Client:
        """Somebody at an address of their own, without cookies. They follow no redirect."""
        number = next(self.addresses)
        address = f"198.18.{number // 250}.{number % 250 + 1}"
        return httpx2.Client(base_url=self.issuer, timeout=60, headers={"X-Forwarded-For": address})

    def registered(self, name: str) -> str:
        """The id of a public client of that name, which registers itself once."""
        if name not in self.clients:
            metadata = {
                "client_name": name,
                "redirect_uris": REDIRECT_URIS,
                "grant_types": ["authorization_code", "refresh_token"],
            }
            with self.stranger() as client:
                answer = client.post("/register", json=metadata)
            assert answer.status_code == 201, answer.text
            self.clients[name] = answer.json()["client_id"]
        return self.clients[name]

    def holder(self, key: ClientKey) -> Client:
        """The operator's client that proves who it is by that key; it is made once."""
        if key not in self.keyed:
            file = self.server.directory / f"{len(self.keyed)}.jwks"
            file.write_bytes(key.jwks())
            self.keyed[key] = self.server.create_client("--name", "Agent", "--jwks", str(file))
        return self.keyed[key]

    def present(self, assertion: str) -> httpx2.Response:
        """A request for a token that an assertion authenticates."""
        return self.token(grant_type="client_credentials", **presented(assertion))

    def push(self, **changes: str | None) -> dict[str, str]:
        """A good authorization request, with changes, pushed by its client."""
        with self.stranger() as client:
            answer = client.post("/par", content=self.query(Pkce(), changes), headers={"Content-Type": FORM})
        assert answer.status_code == 201, answer.text
        return dict(answer.json())

    def query(self, pkce: Pkce, changes: Changes) -> str:
        """The query of a good authorization request, with changes: None leaves a parameter out, a list repeats it."""
        good: Changes = {
            "response_type": "code",
            "client_id": self.registered("Target"),
            "redirect_uri": LOOPBACK,
            "scope": SCOPE,
            "state": STATE,
            "resource": self.resource,
            "code_challenge": pkce.challenge,
            "code_challenge_method": "S256",
        }
        return urlencode({name: value for name, value in {**good, **changes}.items() if value is not None}, doseq=True)

    def authorize(self, **changes: str | Sequence[str] | None) -> httpx2.Response:
        """A stranger's authorization request."""
        with self.stranger() as stranger:
            return stranger.get(f"/authorize?{self.query(Pkce(), changes)}")

    def sign_in_page(self, browser: httpx2.Client, pkce: Pkce | None = None, **changes: str) -> httpx2.Response:
        """The page that a request leads to, in a browser that is not signed in."""
        return follow(browser, browser.get(f"/authorize?{self.query(pkce or Pkce(), changes)}"))

    def consent_page(
        self, browser: httpx2.Client, pkce: Pkce | None = None, *, email: str = EMAIL, **changes: str
    ) -> httpx2.Response:
        """The consent page of a new request, in a browser that is signed in, if need be, on the way."""
        page = self.sign_in_page(browser, pkce, **changes)
        if urlsplit(str(page.url)).path == "/login":
            page = follow(browser, submit(browser, page, email=email, password=PASSWORD))
        return page

    def code(self, pkce: Pkce, **changes: str) -> str:
        """A code that the person has allowed the client."""
        answer = submit(self.http, self.consent_page(self.http, pkce, **changes), decision="approve")
        return redirected(answer, changes.get("redirect_uri", LOOPBACK))["code"]

    def tokens(self, **changes: str) -> dict[str, str]:
        """The tokens of a new grant."""
        pkce = Pkce()
        answer = self.redeem(self.code(pkce, **changes), pkce)
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    def redeem(self, code: str, pkce: Pkce, **changes: str | None) -> httpx2.Response:
        """The exchange of a code, with changes; None leaves a parameter out."""
        good = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": LOOPBACK,
            "client_id": self.registered("Target"),
            "code_verifier": pkce.verifier,
        }
        return self.token(**{**good, **changes})

    def refresh(self, refresh_token: str, **changes: str | None) -> httpx2.Response:
        """The use of a refresh token, with changes; None leaves a parameter out."""
        good = {
            "grant_type": "refresh_token",
            "refresh_token": refresh_token,
            "client_id": self.registered("Target"),
        }
        return self.token(**{**good, **changes})

    def token(self, authorization: Client | str | None = None, /, **form: str | None) -> httpx2.Response:
        """A stranger's token request, with these credentials or with that Authorization header."""
        sent = {name: value for name, value in form.items() if value is not None}
        with self.stranger() as stranger:
            if isinstance(authorization, Client):
                return stranger.post("/token", data=sent, auth=(authorization.id, authorization.secret))
            headers = {} if authorization is None else {"Authorization": authorization}
            return stranger.post("/token", data=sent, headers=headers)


@dataclass(slots=True, kw_only=True)
class Later(Target):
    """A server whose time passes as a test wants it to, and the hosts that it fetches documents from."""

    surroundings: Surroundings
    host: DocumentHost
    false_host: DocumentHost

    def pass_time(self, seconds: float) -> None:
        """Lets time pass. Whoever was signed in may be so no more."""
        self.surroundings.set(ahead=self.surroundings.ahead + seconds)
        self.clients.clear()

    def resolve(self, **names: Sequence[str]) -> None:
        """From now on these hosts, `host` standing for host.example, have these addresses."""
        known = {f"{name}.example": addresses for name, addresses in names.items()}
        self.surroundings.set(ahead=self.surroundings.ahead, names=known)


def follow(browser: httpx2.Client, answer: httpx2.Response) -> httpx2.Response:
    """The page that a redirect within the server leads to."""
    assert answer.status_code == 303, f"{answer.status_code}: {answer.text}"
    return browser.get(urljoin(str(answer.url), answer.headers["location"]))


def redirected(answer: httpx2.Response, uri: str = LOOPBACK) -> dict[str, str]:
    """The parameters of a redirect to a client, each of which stands there once."""
    assert answer.status_code == 303, f"{answer.status_code}: {answer.text}"
    location = answer.headers["location"]
    assert location.startswith(uri + ("&" if "?" in uri else "?")), location
    return parameters(location)


def assert_page(answer: httpx2.Response, status: int = 400) -> None:
    """An answer to the person, which leads nowhere and runs nothing."""
    assert answer.status_code == status, f"{answer.status_code}: {answer.text}"
    assert answer.headers["content-type"].startswith("text/html")
    assert "location" not in answer.headers
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["x-frame-options"] == "DENY"
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "form-action" not in policy
    assert "<script" not in answer.text


def assert_error(target: Target, answer: httpx2.Response, error: str, state: str | None = STATE) -> None:
    """A redirect that tells the client of an error, and whose error it is."""
    given = redirected(answer)
    assert given["error"] == error
    assert given["iss"] == target.issuer
    assert given.get("state") == state
    assert given.keys() <= {"error", "error_description", "state", "iss"}


def assert_refused(answer: httpx2.Response, status: int, error: str) -> None:
    """An error for a program, which no cache keeps and every script may read."""
    assert (answer.status_code, answer.json()["error"]) == (status, error), answer.text
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["pragma"] == "no-cache"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["access-control-allow-origin"] == "*"
    assert ("www-authenticate" in answer.headers) == (status == 401)


def query_of(url: str) -> list[tuple[str, str]]:
    """The parameters of a URL, in their order."""
    return parse_qsl(urlsplit(url).query, keep_blank_values=True)
