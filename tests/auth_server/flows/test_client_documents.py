"""Clients known by their metadata document, from the network to the token: sites of a lab, real TLS, a real store."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from auth_server.domain.client import MAX_NEVER_USED, GrantType, Registration
from auth_server.domain.deployment import DocumentPolicy
from auth_server.domain.failures import Reason, Refused
from auth_server.flows.authorize import Continue, ErrorRedirect
from auth_server.flows.client_documents import RETRY_SECONDS, STALE_SECONDS
from auth_server.protocol.client_documents import LEAST_AGE, Defect
from tests.auth_server.flows.world import World, authorization_request, error, ok, open_world
from tests.support.document_lab import Lab, Site, laboratory, published, raw, text

HOST = "app.example"
pytestmark = [pytest.mark.anyio, pytest.mark.slow]


@dataclass(slots=True)
class Published:
    """A world, and a site on which one client publishes its document."""

    world: World
    lab: Lab
    site: Site

    @property
    def url(self) -> str:
        """The document's URL, which is the client's id."""
        return f"https://{HOST}:{self.site.port}/client.json"

    def document(self, **changes: Any) -> dict[str, Any]:
        """A good document, changed."""
        good = {"client_id": self.url, "client_name": "App", "redirect_uris": ["http://localhost/callback"]}
        return {**good, "grant_types": ["authorization_code", "refresh_token"], **changes}

    def publish(self, *headers: str, **changes: Any) -> None:
        """From now on this is the document."""
        self.site.answer = published(self.document(**changes), *headers)

    def leave_out_of_date(self) -> None:
        """Lets the time pass for which the document may be kept."""
        self.world.clock.time += LEAST_AGE + 1

    async def refusal(self) -> Refused:
        """Why nobody can sign in to the client."""
        outcome = await self.world.begin(self.url)
        assert isinstance(outcome, Refused), outcome
        return outcome


@pytest.fixture
async def here(tmp_path: Path, anyio_backend: str) -> AsyncIterator[Published]:
    """A site with a good document, and a server that has not heard of it."""
    with laboratory() as lab:
        async with (
            open_world(tmp_path / "auth.sqlite", documents=lab.source) as world,
            lab.site(HOST, answer=raw(b"")) as site,
        ):
            here = Published(world, lab, site)
            here.publish()
            yield here


async def test_a_person_signs_in_to_a_client_that_nobody_registered(here: Published) -> None:
    """One request to its host serves sign-in, tokens and refresh."""
    issued = await here.world.tokens(here.url)
    claims = await here.world.claims(issued["access_token"])
    assert claims.client_id == here.url
    assert ok(await here.world.refresh(here.url, issued["refresh_token"]))["access_token"]
    assert here.site.connections == 1
    client = await here.world.store.client(here.url)
    assert client is not None
    assert client.registration is Registration.DOCUMENT


async def test_consent_shows_the_host_that_vouches_for_the_client(here: Published) -> None:
    """Its name is still its own, but who publishes it is proven."""
    transaction_id = await here.world.began(here.url)
    await here.world.signed_in(transaction_id)
    question = await here.world.consent_page(transaction_id)
    assert (question.client_name, question.client_host) == ("App", f"{HOST}:{here.site.port}")


async def test_g18_a_document_is_fetched_anew_when_it_is_out_of_date(here: Published) -> None:
    """And not before."""
    for _ in range(3):
        await here.world.began(here.url)
    assert here.site.connections == 1
    here.leave_out_of_date()
    await here.world.began(here.url)
    assert here.site.connections == 2


async def test_g18_a_document_that_must_not_be_kept_is_fetched_every_time(here: Published) -> None:
    """It lasts for the sign-in that it was fetched for."""
    here.publish("Cache-Control: no-store")
    await here.world.began(here.url)
    here.world.clock.time += 1
    issued = await here.world.tokens(here.url)
    assert ok(await here.world.refresh(here.url, issued["refresh_token"]))
    assert here.site.connections == 2


async def test_g19_everybody_who_asks_at_once_waits_for_one_request(here: Published) -> None:
    """However the document may be kept."""
    here.publish("Cache-Control: no-store")
    outcomes = await asyncio.gather(*(here.world.begin(here.url) for _ in range(40)))
    assert all(isinstance(outcome, Continue) for outcome in outcomes)
    assert here.site.connections == 1


async def test_g19_a_caller_that_goes_away_takes_nobody_along(here: Published) -> None:
    """The next in the queue asks for itself."""
    blocked = asyncio.Event()

    async def hang(_writer: asyncio.StreamWriter) -> None:
        blocked.set()
        await asyncio.Event().wait()

    here.site.answer = hang
    first = asyncio.create_task(here.world.begin(here.url))
    await blocked.wait()
    second = asyncio.create_task(here.world.begin(here.url))
    here.publish()
    first.cancel()
    assert isinstance(await second, Continue)


@pytest.mark.parametrize("answer", [text("503 Unavailable", b""), raw(b"")], ids=["503", "nothing"])
async def test_a_host_in_trouble_is_not_the_end_of_a_known_client(here: Published, answer: Any) -> None:
    """The last good document counts for a day more."""
    await here.world.began(here.url)
    here.leave_out_of_date()
    here.site.answer = answer
    await here.world.began(here.url)
    assert here.site.connections == 2
    await here.world.began(here.url)
    assert here.site.connections == 2  # the host is left in peace
    here.world.clock.time += STALE_SECONDS
    assert (await here.refusal()).reason is Reason.CLIENT_DOCUMENT_UNAVAILABLE


async def test_an_unknown_client_waits_for_a_host_in_trouble(here: Published) -> None:
    """The person is told when to try again, and the host is asked again only then."""
    here.site.answer = text("500 Error", b"")
    first = await here.refusal()
    assert (first.reason, first.facts.retry_after) == (Reason.CLIENT_DOCUMENT_UNAVAILABLE, RETRY_SECONDS)
    here.publish()
    here.world.clock.time += 10
    again = await here.refusal()
    assert (again.reason, again.facts.retry_after) == (Reason.CLIENT_DOCUMENT_UNAVAILABLE, RETRY_SECONDS - 10)
    assert here.site.connections == 1
    here.world.clock.time += RETRY_SECONDS
    await here.world.began(here.url)


async def test_g12_a_document_that_is_gone_ends_sign_ins(here: Published) -> None:
    """At once when it is out of date; who is signed in stays so until the grant ends."""
    issued = await here.world.tokens(here.url)
    here.leave_out_of_date()
    here.site.answer = text("404 Not Found", b"")
    refused = await here.refusal()
    assert refused.reason is Reason.CLIENT_DOCUMENT_REFUSED
    assert ok(await here.world.refresh(here.url, issued["refresh_token"]))


async def test_a_document_that_became_invalid_ends_sign_ins_and_replaces_nothing(here: Published) -> None:
    """What was stored stays stored; what is wrong is said."""
    await here.world.began(here.url)
    here.leave_out_of_date()
    here.publish(client_name="")
    refused = await here.refusal()
    assert (refused.reason, refused.facts.defect) == (Reason.CLIENT_DOCUMENT_INVALID, Defect.NO_NAME)
    client = await here.world.store.client(here.url)
    assert client is not None
    assert client.name == "App"


async def test_g21_a_changed_document_counts_at_the_next_sign_in(here: Published) -> None:
    """A redirect URI that was taken out stops working, also for a sign-in under way; a new one is asked about."""
    transaction_id = await here.world.began(here.url)
    await here.world.signed_in(transaction_id)
    here.leave_out_of_date()
    here.publish(client_name="App 2", redirect_uris=["https://app.example/callback"])
    assert (await here.refusal()).reason is Reason.REDIRECT_URI_NOT_ALLOWED
    with pytest.raises(Refused) as refused:
        await here.world.consent_page(transaction_id)
    assert refused.value.reason is Reason.UNKNOWN_TRANSACTION
    begun = await here.world.began(here.url, redirect_uri="https://app.example/callback")
    assert (await here.world.consent_page(begun)).client_name == "App 2"


async def test_a_client_that_the_operator_deleted_stays_out(here: Published) -> None:
    """Its document would bring it back otherwise."""
    issued = await here.world.tokens(here.url)
    await here.world.administration.clients.delete(here.url)
    assert (await here.refusal()).reason is Reason.CLIENT_DELETED
    assert (await here.world.refresh(here.url, issued["refresh_token"])).status == 401


async def test_g27_a_pushed_request_has_the_document_fetched(here: Published) -> None:
    """It is an authorization request, too; what it is judged by is as fresh as with any other."""
    request = authorization_request(here.url)
    uri = ok(await here.world.push(request))["request_uri"]
    assert here.site.connections == 1
    assert isinstance(await here.world.begin_with([("client_id", here.url), ("request_uri", uri)]), Continue)
    assert here.site.connections == 1
    elsewhere = [(name, "https://evil.example/cb" if name == "redirect_uri" else value) for name, value in request]
    assert error(await here.world.push(elsewhere)) == (400, "invalid_request")


async def test_a_device_can_be_a_client_that_nobody_registered(here: Published) -> None:
    here.publish(grant_types=["authorization_code", GrantType.DEVICE_CODE])
    codes = ok(await here.world.device_authorization(client_id=here.url))
    await here.world.decided_device(codes["user_code"])
    assert ok(await here.world.poll(here.url, codes["device_code"]))["access_token"]


async def test_g27_only_an_authorization_request_has_a_document_fetched(here: Published) -> None:
    """Whoever probes the other endpoints with an unknown id learns nothing, and moves nobody."""
    assert (await here.world.redeem(here.url, "ac_x")).status == 401
    assert (await here.world.refresh(here.url, "rt_x")).status == 401
    assert (await here.world.revoke(client_id=here.url, token="rt_x")).status == 401
    assert here.site.connections == 0


async def test_g19_g20_one_address_cannot_have_many_documents_fetched(here: Published) -> None:
    """Nor can it use up what there is for others; a spray of ids on one host ends as well."""
    base = here.url.removesuffix("client.json")
    reasons = []
    for number in range(40):
        outcome = await here.world.begin(f"{base}{number}")
        assert isinstance(outcome, Refused)
        reasons.append(outcome.reason)
    assert here.site.connections == 20
    assert set(reasons[20:]) == {Reason.TOO_MANY_REQUESTS}
    assert await here.world.limiter.document_fetch("https://other.example", "198.51.100.1") is None


async def test_g19_a_host_has_a_budget_and_so_have_all_hosts(here: Published) -> None:
    """30 and 120 in a minute, whoever asks."""
    fetch = here.world.limiter.document_fetch
    to_one = [await fetch("https://victim.example", f"198.51.100.{n}") for n in range(40)]
    assert to_one.count(None) == 30
    to_all = [await fetch(f"https://host{n}.example", f"203.0.113.{n}") for n in range(120)]
    assert to_all.count(None) == 90
    here.world.clock.time += 61
    assert await fetch("https://victim.example", "198.51.100.1") is None


async def test_g28_nothing_that_a_document_links_to_is_fetched(here: Published) -> None:
    """Keys and pictures are not needed, so they are nobody's way in."""
    base = here.url.removesuffix("client.json")
    here.publish(logo_uri=f"{base}logo.png", jwks_uri=f"{base}jwks.json", policy_uri="http://169.254.169.254/")
    await here.world.tokens(here.url)
    assert here.site.connections == 1


@pytest.mark.parametrize("used_before", [False, True])
async def test_an_operator_can_turn_documents_off(here: Published, used_before: bool) -> None:
    """Then such an id is one like any other that nobody knows, whatever was known of it."""
    if used_before:
        await here.world.began(here.url)
    here.world.deploy(replace(here.world.deployment, client_documents=DocumentPolicy.OFF))
    assert (await here.refusal()).reason is Reason.UNKNOWN_CLIENT
    assert here.site.connections == used_before


async def test_an_operator_can_name_the_hosts_that_count(here: Published) -> None:
    """All others are refused without a request."""
    named = replace(here.world.deployment, client_documents=DocumentPolicy.NAMED)
    here.world.deploy(named)
    assert (await here.refusal()).reason is Reason.CLIENT_DOCUMENT_NOT_ALLOWED
    assert here.site.connections == 0
    here.world.deploy(replace(named, document_origins=frozenset({here.url.removesuffix("/client.json")})))
    await here.world.began(here.url)


async def test_an_operators_client_with_such_an_id_is_never_looked_up(here: Published) -> None:
    """What the operator entered stands."""
    client = await here.world.register()
    own = replace(client, client_id=here.url, registration=Registration.OPERATOR)
    await here.world.store.add_client(own)
    await here.world.began(here.url)
    assert here.site.connections == 0


async def test_documents_nobody_used_are_forgotten(here: Published) -> None:
    """Anyone can name any number of URLs."""
    await here.world.began(here.url)
    client = await here.world.store.client(here.url)
    assert client is not None
    for number in range(MAX_NEVER_USED):
        await here.world.store.add_client(
            replace(client, client_id=f"https://app.example/{number}", created_at=client.created_at + 1)
        )
    assert await here.world.store.client(here.url) is None


async def test_i15_i16_a_document_says_what_its_client_demands(here: Published) -> None:
    """Once it is read anew, what it says no longer is demanded no longer."""
    here.publish(require_pushed_authorization_requests=True)
    outcome = await here.world.begin(here.url)
    assert isinstance(outcome, ErrorRedirect)
    assert outcome.reason is Reason.PUSHED_REQUEST_REQUIRED
    here.leave_out_of_date()
    here.publish(dpop_bound_access_tokens=True)
    code = await here.world.code(here.url)
    assert (await here.world.redeem(here.url, code)).reason is Reason.DPOP_PROOF_REQUIRED
    here.leave_out_of_date()
    here.publish()
    ok(await here.world.redeem(here.url, await here.world.code(here.url)))
