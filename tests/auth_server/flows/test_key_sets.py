"""Keys that clients publish, from the network to the token: cases D15, G21 and G28, on sites of a lab."""

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from auth_server.domain.client import AuthenticationMethod, Client, Registration
from auth_server.domain.deployment import DocumentPolicy
from auth_server.domain.failures import Reason
from auth_server.flows.key_sets import COOL_DOWN_SECONDS, LEAST_AGE, MOST_AGE, STALE_SECONDS
from auth_server.protocol.client_documents import LEAST_AGE as DOCUMENT_AGE
from auth_server.protocol.registration import ALLOWED_GRANT_TYPES, ALLOWED_SCOPES
from tests.auth_server.flows.world import ISSUER, REDIRECT_URI, VERIFIER, Answer, World, error, ok, open_world
from tests.support.client_keys import ClientKey, presented
from tests.support.document_lab import Lab, Site, laboratory, published, raw, text

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

HOST = "app.example"
INVALID_CLIENT = (401, "invalid_client")


@dataclass(slots=True)
class Published:
    """A world, and a site on which a client publishes its keys."""

    world: World
    lab: Lab
    site: Site
    key: ClientKey

    @property
    def url(self) -> str:
        """Where the keys are."""
        return f"https://{HOST}:{self.site.port}/jwks.json"

    def publish(self, *keys: ClientKey, headers: tuple[str, ...] = ()) -> None:
        """From now on these are the keys."""
        self.site.answer = published({"keys": [key.jwk() for key in keys]}, *headers)

    async def client(self, url: str | None = None) -> Client:
        """A client of the operator's with the keys at that URL."""
        made = await self.world.administration.clients.create(name="Agent", confidential=True, jwks_uri=url or self.url)
        return made.client

    async def grant(self, client: Client, key: ClientKey | None = None, **changes: Any) -> Answer:
        """What a client gets that signs with that key."""
        assertion = (key or self.key).assertion(client.client_id, ISSUER, self.world.clock.now(), **changes)
        return await self.world.exchange(grant_type="client_credentials", **presented(assertion))


@pytest.fixture
async def here(tmp_path: Path, anyio_backend: str) -> AsyncIterator[Published]:
    """A site with a good key set, and a server that has not heard of it."""
    with laboratory() as lab:
        async with (
            open_world(tmp_path / "auth.sqlite", documents=lab.source) as world,
            lab.site(HOST, answer=raw(b"")) as site,
        ):
            here = Published(world, lab, site, ClientKey())
            here.publish(here.key)
            yield here


async def test_a_client_proves_who_it_is_by_a_key_that_it_publishes(here: Published) -> None:
    """One request for the keys serves many for tokens."""
    client = await here.client()
    for _ in range(3):
        ok(await here.grant(client))
    assert here.site.connections == 1
    assert b"GET /jwks.json HTTP/1.1" in here.site.requests[0]


async def test_g19_everybody_who_asks_at_once_waits_for_one_request(here: Published) -> None:
    clients = [await here.client() for _ in range(3)]
    answers = await asyncio.gather(*(here.grant(client) for client in clients * 10))
    assert {answer.status for answer in answers} == {200}
    assert here.site.connections == 1


async def test_a_new_key_is_fetched_when_it_is_first_used_and_no_flood_of_unknown_ones_is(here: Published) -> None:
    client, second = await here.client(), ClientKey(key_id="second")
    ok(await here.grant(client))
    here.publish(here.key, second)
    assert error(await here.grant(client, second)) == INVALID_CLIENT  # the host was asked a moment ago
    here.world.clock.time += COOL_DOWN_SECONDS
    ok(await here.grant(client, second))
    assert here.site.connections == 2
    for number in range(8):
        assert error(await here.grant(client, ClientKey(key_id=f"unknown {number}"))) == INVALID_CLIENT
    assert here.site.connections == 2


async def test_a_withdrawn_key_ends_with_the_copy_of_its_set(here: Published) -> None:
    client, second = await here.client(), ClientKey(key_id="second")
    here.publish(here.key, headers=(f"Cache-Control: max-age={MOST_AGE * 24}",))
    ok(await here.grant(client))
    here.publish(second)
    here.world.clock.time += MOST_AGE - 1
    ok(await here.grant(client))
    here.world.clock.time += 2
    assert error(await here.grant(client)) == INVALID_CLIENT
    ok(await here.grant(client, second))


async def test_g18_a_key_set_is_kept_for_five_minutes_whatever_its_server_says(here: Published) -> None:
    client = await here.client()
    here.publish(here.key, headers=("Cache-Control: no-store",))
    ok(await here.grant(client))
    here.world.clock.time += LEAST_AGE - 1
    ok(await here.grant(client))
    assert here.site.connections == 1
    here.world.clock.time += 2
    ok(await here.grant(client))
    assert here.site.connections == 2


@pytest.mark.parametrize("answer", [text("503 Unavailable", b""), raw(b"")], ids=["503", "nothing"])
async def test_a_host_in_trouble_is_not_the_end_of_its_clients(here: Published, answer: Any) -> None:
    """The last good keys count for an hour more; then the client is told to wait, and the host is left in peace."""
    client = await here.client()
    ok(await here.grant(client))
    here.site.answer = answer
    here.world.clock.time += LEAST_AGE + 1
    ok(await here.grant(client))
    ok(await here.grant(client))
    assert here.site.connections == 2
    here.world.clock.time += STALE_SECONDS
    away = await here.grant(client)
    assert (error(away), away.reason) == ((503, "temporarily_unavailable"), Reason.KEY_SET_UNAVAILABLE)
    assert away.retry_after == COOL_DOWN_SECONDS
    assert error(await here.grant(client)) == (503, "temporarily_unavailable")
    assert here.site.connections == 3
    here.publish(here.key)
    here.world.clock.time += COOL_DOWN_SECONDS
    ok(await here.grant(client))


@pytest.mark.parametrize(
    "answer",
    [
        text("404 Not Found", b""),
        text("302 Found", b"", "Location: https://elsewhere.example/jwks.json"),
        text("200 OK", b"{}", "Content-Type: application/json"),
        text("200 OK", b"[" * 3000, "Content-Type: application/json"),
        text("200 OK", b'{"keys": []}', "Content-Type: text/html"),
        text("200 OK", b" " * 40_000, "Content-Type: application/json"),
        published({"keys": [{"kty": "oct", "k": "AAAA"}]}),
    ],
    ids=["gone", "elsewhere", "no set", "deep", "a page", "long", "a secret"],
)
async def test_g28_what_is_no_key_set_ends_what_was_known_before(here: Published, answer: Any) -> None:
    client = await here.client()
    ok(await here.grant(client))
    here.site.answer = answer
    here.world.clock.time += LEAST_AGE + 1
    assert error(await here.grant(client)) == INVALID_CLIENT
    assert here.site.connections == 2


async def test_a_large_key_set_is_taken(here: Published) -> None:
    """Some hosts publish certificates beside their keys."""
    client = await here.client()
    here.site.answer = published({"keys": [{**here.key.jwk(), "x5c": ["A" * 20_000]}]})
    ok(await here.grant(client))


@pytest.mark.parametrize("address", ["127.0.0.2", "10.0.0.1", "169.254.169.254"])
async def test_d15_g28_keys_on_a_private_address_are_not_fetched(
    here: Published, address: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """And the log says so."""
    here.lab.names.records["inside.example"] = [[address]]
    client = await here.client(f"https://inside.example:{here.site.port}/jwks.json")
    answer = await here.grant(client)
    assert error(answer) == INVALID_CLIENT
    unknown = await here.grant(replace(client, client_id="client_unknown"))
    assert answer == unknown
    assert here.site.connections == 0


async def test_g28_the_keys_of_this_very_server_are_not_fetched(here: Published) -> None:
    """Whoever asks it to ask itself waits for both."""
    assert error(await here.grant(await here.client(f"{ISSUER}/jwks.json"))) == INVALID_CLIENT


@pytest.mark.parametrize(
    "changes",
    [{"exp": 0}, {"aud": "https://other.example"}, {"jti": None}, {"iss": "x"}, {"header": {"alg": "none"}}],
    ids=["expired", "audience", "no id", "issuer", "no algorithm"],
)
async def test_g27_nothing_is_fetched_for_an_assertion_that_no_key_makes_good(
    here: Published, changes: dict[str, Any]
) -> None:
    client = await here.client()
    assert error(await here.grant(client, **changes)) == INVALID_CLIENT
    assert error(await here.grant(replace(client, client_id="client_unknown"))) == INVALID_CLIENT
    assert here.site.connections == 0


async def test_g19_one_address_causes_few_requests(here: Published) -> None:
    """Twenty in a minute, for whatever clients."""
    clients = [await here.client(f"{here.url}?{number}") for number in range(21)]
    answers = [await here.grant(client) for client in clients]
    assert [answer.status for answer in answers] == [200] * 20 + [429]
    assert answers[-1].retry_after is not None
    assert here.site.connections == 20


def _stranger(here: Published) -> Client:
    """A client that registered itself with the keys at its URL."""
    return Client(
        client_id="dcr_stranger",
        name="Stranger",
        registration=Registration.DYNAMIC,
        redirect_uris=("http://localhost/callback",),
        grant_types=ALLOWED_GRANT_TYPES,
        scopes=ALLOWED_SCOPES,
        tenant="default",
        created_at=here.world.clock.now(),
        confidential=True,
        jwks_uri=here.url,
        authentication_method=AuthenticationMethod.PRIVATE_KEY_JWT,
    )


@pytest.mark.parametrize(
    ("policy", "origins", "fetched"),
    [
        (DocumentPolicy.PUBLIC, False, True),
        (DocumentPolicy.NAMED, True, True),
        (DocumentPolicy.NAMED, False, False),
        (DocumentPolicy.OFF, False, False),
    ],
)
async def test_the_keys_of_strangers_come_only_from_where_their_documents_may(
    here: Published, policy: DocumentPolicy, origins: bool, fetched: bool
) -> None:
    """Those of the operator's own clients from everywhere on the Internet."""
    named = frozenset({f"https://{HOST}:{here.site.port}"} if origins else set())
    here.world.deploy(replace(here.world.deployment, client_documents=policy, document_origins=named))
    ok(await here.grant(await here.client(f"{here.url}?operator")))
    stranger = _stranger(here)
    await here.world.store.add_client(stranger)
    answer = await here.grant(stranger)
    # A client that registered itself gets no client_credentials.
    assert error(answer) == ((400, "unauthorized_client") if fetched else INVALID_CLIENT)
    assert here.site.connections == (2 if fetched else 1)


@dataclass(slots=True)
class Documented:
    """A client that publishes a document, with its keys in it or elsewhere."""

    here: Published

    @property
    def client_id(self) -> str:
        """The document's URL."""
        return f"https://{HOST}:{self.here.site.port}/client.json"

    def publish(self, **members: Any) -> None:
        """From now on the site answers with this document, and with its keys elsewhere."""
        document = {
            "client_id": self.client_id,
            "client_name": "Assistant",
            "redirect_uris": ["http://localhost/callback"],
            "grant_types": ["authorization_code", "refresh_token"],
            **members,
        }
        document_answer, keys_answer = published(document), published({"keys": [self.here.key.jwk()]})

        async def answer(writer: asyncio.StreamWriter) -> None:
            asked_for_keys = b"GET /jwks.json" in self.here.site.requests[-1]
            await (keys_answer if asked_for_keys else document_answer)(writer)

        self.here.site.answer = answer

    async def redeem(self, *, proven: bool, key: ClientKey | None = None) -> Answer:
        """Signs a person in and redeems the code, with an assertion or without."""
        code = await self.here.world.code(self.client_id)
        return await self.redeem_code(code, proven=proven, key=key)

    async def redeem_code(self, code: str, *, proven: bool, key: ClientKey | None = None) -> Answer:
        """Redeems a code."""
        now = self.here.world.clock.now()
        assertion = (key or self.here.key).assertion(self.client_id, ISSUER, now)
        parameters = {"code": code, "redirect_uri": REDIRECT_URI, "code_verifier": VERIFIER}
        proof = presented(assertion) if proven else {"client_id": self.client_id}
        return await self.here.world.exchange(grant_type="authorization_code", **parameters, **proof)

    async def refresh(self, refresh_token: str, key: ClientKey) -> Answer:
        """Uses a refresh token, with an assertion by that key."""
        assertion = key.assertion(self.client_id, ISSUER, self.here.world.clock.now())
        parameters = {"grant_type": "refresh_token", "refresh_token": refresh_token}
        return await self.here.world.exchange(**parameters, **presented(assertion))


@pytest.fixture
def documented(here: Published) -> Documented:
    """A client that publishes a document on that site."""
    return Documented(here)


async def test_a_document_that_demands_a_key_is_enforced(documented: Documented) -> None:
    """With keys elsewhere, and with keys inline."""
    for keys in (
        {"jwks_uri": documented.here.url},
        {"jwks": {"keys": [documented.here.key.jwk()]}},
    ):
        documented.publish(token_endpoint_auth_method="private_key_jwt", **keys)
        documented.here.world.clock.time += DOCUMENT_AGE + 1
        assert error(await documented.redeem(proven=False)) == INVALID_CLIENT
        assert error(await documented.redeem(proven=True, key=ClientKey())) == INVALID_CLIENT
        ok(await documented.redeem(proven=True))


@pytest.mark.parametrize("singular", ["private_key_jwt", "none", None])
async def test_a_document_that_lists_both_may_use_either(documented: Documented, singular: str | None) -> None:
    """As ChatGPT's does."""
    both = {"token_endpoint_auth_methods_supported": ["private_key_jwt", "none"]}
    documented.publish(token_endpoint_auth_method=singular, jwks_uri=documented.here.url, **both)
    ok(await documented.redeem(proven=False))
    ok(await documented.redeem(proven=True))
    assert error(await documented.redeem(proven=True, key=ClientKey())) == INVALID_CLIENT


async def test_g21_a_key_that_a_document_no_longer_holds_stops_working(documented: Documented) -> None:
    """Once the document is out of date, also for who signed in before."""
    first, second = documented.here.key, ClientKey(key_id="second")
    documented.publish(token_endpoint_auth_method="private_key_jwt", jwks={"keys": [first.jwk()]})
    refresh_token = ok(await documented.redeem(proven=True))["refresh_token"]
    documented.publish(token_endpoint_auth_method="private_key_jwt", jwks={"keys": [second.jwk()]})
    refresh_token = ok(await documented.refresh(refresh_token, first))["refresh_token"]
    documented.here.world.clock.time += DOCUMENT_AGE + 1
    assert error(await documented.refresh(refresh_token, first)) == INVALID_CLIENT
    ok(await documented.refresh(refresh_token, second))


async def test_a_known_client_whose_document_became_unusable_is_refused_like_any_other(
    documented: Documented,
) -> None:
    documented.publish(token_endpoint_auth_method="private_key_jwt", jwks_uri=documented.here.url)
    tokens = ok(await documented.redeem(proven=True))
    documented.here.site.answer = text("404 Not Found", json.dumps({}).encode())
    documented.here.world.clock.time += DOCUMENT_AGE + 1
    assert error(await documented.refresh(tokens["refresh_token"], documented.here.key)) == INVALID_CLIENT
