"""The whole service in this process, over ASGI and its real store, with a browser-like client."""

import re
import shutil
import sqlite3
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import httpx2
from argon2 import PasswordHasher as Argon2

from auth_server.adapters.passwords import Argon2Passwords, open_passwords
from auth_server.adapters.sqlite_store.store import path_in
from auth_server.app import operators, serving
from auth_server.settings import Settings
from shared_kernel import resource
from shared_kernel.asgi import Prepared, Scope, at_once_of
from shared_kernel.clock import SystemClock
from shared_kernel.entropy import SystemEntropy
from shared_kernel.key_file import write_key_file
from tests.support.clock import SettableClock
from tests.support.people import Pkce, main_form

EMAIL, PASSWORD = "ada@example.com", "correct horse battery staple"
RESOURCE = "https://mcp.example.com/mcp"
LOCAL_ISSUER = "http://localhost:9000"
PUBLIC_ISSUER = "https://auth.example.com"
LOOPBACK_URI = "http://127.0.0.1:53219/callback"
WEB_URI = "https://client.example.com/callback"
CURSOR_URI = "cursor://anysphere.cursor-mcp/oauth/callback"
STATE = "st at/e+&=é"


@dataclass(frozen=True, slots=True)
class Seed:
    """A store with one person, one app of every kind of redirect, one automation client."""

    directory: Path
    app_id: str
    bot_id: str
    bot_secret: str


def settings(directory: Path, issuer: str = LOCAL_ISSUER, **more: Any) -> Settings:
    """Settings over the files in a directory."""
    given = {
        "issuer": issuer,
        "resources": [RESOURCE],
        "store_url": f"sqlite://{directory / 'auth.db'}",
        "master_key_file": directory / "master.key",
    }
    return Settings.model_validate(given | more)


async def quick_passwords() -> Argon2Passwords:
    """The real hashing with the least cost there is."""
    return await open_passwords(Argon2(time_cost=1, memory_cost=8, parallelism=1))


async def sow(directory: Path) -> Seed:
    """Makes a seeded store, to be copied for each test."""
    write_key_file(directory / "master.key", SystemEntropy().bytes(32))
    configured = settings(directory)
    async with operators.key_administration(configured):
        pass  # the first keys, which take a while
    async with operators.administration(configured, passwords=await quick_passwords()) as administration:
        await administration.people.create(EMAIL, PASSWORD)
        uris = ("http://127.0.0.1/callback", WEB_URI, CURSOR_URI)
        public = await administration.clients.create(name="Claude Code", confidential=False, redirect_uris=uris)
        bot = await administration.clients.create(name="Bot", confidential=True, scope="query schemas:read")
    assert bot.client_secret
    return Seed(directory, public.client.client_id, bot.client.client_id, bot.client_secret)


@asynccontextmanager
async def opened(
    seed: Seed,
    directory: Path,
    issuer: str = LOCAL_ISSUER,
    *,
    passwords: Argon2Passwords | None = None,
    **more: Any,
) -> AsyncIterator["Site"]:
    """The service over a copy of the seeded store."""
    shutil.copytree(seed.directory, directory, dirs_exist_ok=True)
    clock, configured = SettableClock(SystemClock().now()), settings(directory, issuer, **more)
    passwords = passwords or await quick_passwords()
    async with serving.service(configured, clock=clock, passwords=passwords) as served:
        transport = httpx2.ASGITransport(served, client=("203.0.113.7", 4711))
        async with httpx2.AsyncClient(transport=transport, base_url=resource.origin(issuer)) as browser:
            yield Site(issuer, seed, browser, transport, clock, configured)


@dataclass(frozen=True, slots=True)
class Site:
    """A running service. `browser` keeps cookies; paths are below the issuer's."""

    issuer: str
    seed: Seed
    browser: httpx2.AsyncClient
    transport: httpx2.ASGITransport
    clock: SettableClock
    settings: Settings

    @property
    def database(self) -> Path:
        """The file of the store."""
        return path_in(self.settings.store_url)

    @property
    def base(self) -> str:
        """The path of the issuer."""
        return urlsplit(self.issuer).path

    @property
    def same_origin(self) -> Mapping[str, str]:
        """What a browser says about a form of our own page."""
        return {"Origin": resource.origin(self.issuer), "Sec-Fetch-Site": "same-origin"}

    @asynccontextmanager
    async def another_browser(self) -> AsyncIterator["Site"]:
        """The same service, seen from a browser without our cookies."""
        async with httpx2.AsyncClient(transport=self.transport, base_url=resource.origin(self.issuer)) as browser:
            yield Site(self.issuer, self.seed, browser, self.transport, self.clock, self.settings)

    def asked_at_once(self, method: str, path: str, raw_path: bytes | None = None, **headers: str) -> Prepared | None:
        """What the service answers without a task; None where it does not."""
        fields = {"Host": urlsplit(self.issuer).netloc, **headers}
        scope: Scope = {
            "type": "http",
            "http_version": "1.1",
            "method": method,
            "path": path,
            "raw_path": raw_path or path.encode(),
            "query_string": b"",
            "headers": [(name.replace("_", "-").lower().encode(), value.encode()) for name, value in fields.items()],
            "client": ("203.0.113.7", 4711),
            "state": {},
        }
        return at_once_of(self.transport.app)(scope)

    def answered_at_once(self, method: str, path: str, **headers: str) -> Prepared:
        """The same, for a request that is answered so."""
        answer = self.asked_at_once(method, path, None, **headers)
        assert answer is not None, path
        return answer

    def query(self, pkce: Pkce, **changed: str) -> dict[str, str]:
        """The parameters of a good authorization request, with changes."""
        good = {
            "response_type": "code",
            "client_id": self.seed.app_id,
            "redirect_uri": LOOPBACK_URI,
            "scope": "query schemas:read",
            "state": STATE,
            "resource": RESOURCE,
            "code_challenge": pkce.challenge,
            "code_challenge_method": "S256",
        }
        return good | changed

    async def authorize(self, pkce: Pkce | None = None, /, **changed: str) -> httpx2.Response:
        """Sends an authorization request."""
        return await self.browser.get(f"{self.base}/authorize", params=self.query(pkce or Pkce(), **changed))

    async def follow(self, response: httpx2.Response) -> httpx2.Response:
        """The page that a redirect within the site leads to."""
        assert response.status_code == 303, response.text
        return await self.browser.get(response.headers["location"])

    async def sign_in_page(self, pkce: Pkce | None = None, /, **changed: str) -> httpx2.Response:
        """The sign-in page of a new transaction."""
        return await self.follow(await self.authorize(pkce, **changed))

    async def submit(
        self, page: httpx2.Response, headers: Mapping[str, str] | None = None, **entered: str
    ) -> httpx2.Response:
        """Sends a page's form with what was entered; `headers` replace the browser's own."""
        form = main_form(page)
        sent = self.same_origin if headers is None else headers
        return await self.browser.post(form.action, data=form.fields | entered, headers=dict(sent))

    async def sign_in(self, page: httpx2.Response) -> httpx2.Response:
        """Signs in with the right password; gives the consent page."""
        return await self.follow(await self.submit(page, email=EMAIL, password=PASSWORD))

    async def consent_page(self, pkce: Pkce | None = None, /, **changed: str) -> httpx2.Response:
        """The consent page of a new transaction, after signing in."""
        return await self.sign_in(await self.sign_in_page(pkce, **changed))

    async def token(self, **parameters: str) -> httpx2.Response:
        """Sends a token request."""
        return await self.browser.post(f"{self.base}/token", data=parameters)

    async def bot_token(self, **parameters: str) -> httpx2.Response:
        """Sends the automation client's token request."""
        sent = {"grant_type": "client_credentials"} | parameters
        return await self.browser.post(f"{self.base}/token", data=sent, auth=(self.seed.bot_id, self.seed.bot_secret))

    def rows(self, table: str) -> int:
        """How many rows a table of the store holds."""
        with sqlite3.connect(self.database) as db:
            (count,) = db.execute(f"SELECT count(*) FROM {table}").fetchone()
        db.close()
        return int(count)

    @contextmanager
    def broken_store(self) -> Iterator[None]:
        """A store that cannot answer, for as long as the context lasts."""
        db = sqlite3.connect(self.database, isolation_level=None)
        db.execute("PRAGMA legacy_alter_table = ON")
        names = [name for (name,) in db.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")]
        for name in names:
            db.execute(f"ALTER TABLE {name} RENAME TO gone_{name}")
        try:
            yield
        finally:
            for name in names:
                db.execute(f"ALTER TABLE gone_{name} RENAME TO {name}")
            db.close()


def without_reference(text: str) -> str:
    """A page or URL without the id of its request."""
    return re.sub(r"Reference <code>[^<]+</code>|\+%28reference\+[^&]+%29", "", text)


def redirect_parameters(response: httpx2.Response, uri: str = LOOPBACK_URI) -> dict[str, str]:
    """The parameters of a redirect to the client, each of which stands once."""
    assert response.status_code == 303, response.text
    location = response.headers["location"]
    assert location.startswith(f"{uri}?"), location
    pairs = parse_qsl(urlsplit(location).query, strict_parsing=True, keep_blank_values=True)
    assert len(dict(pairs)) == len(pairs), location
    return dict(pairs)
