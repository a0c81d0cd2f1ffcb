"""What an operator learns of a flow afterwards, from the ids that its people and clients were shown."""

import base64
import json
import math
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import TypeVar

import httpx2
import pytest

from auth_server.adapters.sqlite_store.store import SqliteStore
from auth_server.app import operators
from auth_server.domain.audit import EventName
from auth_server.flows.administration.audit import Audit, Explanation
from auth_server.flows.administration.operation import Operation
from auth_server.flows.administration.problems import CannotDo
from shared_kernel.clock import SystemClock
from shared_kernel.entropy import SystemEntropy
from shared_kernel.logs import REQUEST_ID
from shared_kernel.request_id import new_request_id
from tests.auth_server.web.site import (
    EMAIL,
    LOOPBACK_URI,
    Seed,
    Site,
    opened,
    quick_passwords,
    redirect_parameters,
)
from tests.support.people import Pkce

pytestmark = pytest.mark.anyio

T = TypeVar("T")


class Past:
    """A service that has ended, and what its trail holds."""

    def __init__(self, site: Site) -> None:
        self._site = site

    async def __call__(self, ask: Callable[[Audit], Awaitable[T]]) -> T:
        store = SqliteStore.open(self._site.database)
        try:
            return await ask(Audit(trail=store, clients=store, users=store, clock=self._site.clock))
        finally:
            store.close()

    async def explained(self, identifier: str) -> Explanation:
        return await self(lambda audit: audit.explain(identifier, 0.0))


async def after(seed: Seed, directory: Path, story: Callable[[Site], Awaitable[T]]) -> tuple[Past, T]:
    """What a story gives, and the past once the service has ended."""
    async with opened(seed, directory) as site:
        given = await story(site)
        past = Past(site)
    return past, given


def reference(page: httpx2.Response) -> str:
    """What stands at the foot of a page."""
    found = re.search(r"Reference <code>([^<]+)</code>", page.text)
    assert found, page.text
    return found[1]


async def redeemed(site: Site, code: str, pkce: Pkce, **changed: str) -> httpx2.Response:
    given = {"client_id": site.seed.app_id, "redirect_uri": LOOPBACK_URI, "code_verifier": pkce.verifier, "code": code}
    return await site.token(grant_type="authorization_code", **(given | changed))


def names(explanation: Explanation) -> list[EventName]:
    return [step.event.name for step in explanation.steps]


def gid(answer: httpx2.Response) -> str:
    """The `gid` of an answer's access token, unchecked."""
    payload = answer.json()["access_token"].split(".")[1]
    return str(json.loads(base64.urlsafe_b64decode(payload + "=="))["gid"])


async def test_one_id_runs_through_a_sign_in(seed: Seed, tmp_path: Path) -> None:
    """Every page and every answer leads to the same story, in order."""

    async def story(site: Site) -> tuple[list[str], str]:
        pkce = Pkce()
        started = await site.authorize(pkce)
        login = await site.follow(started)
        failed = await site.submit(login, email=EMAIL, password="wrong password")
        consent = await site.sign_in(login)
        code = redirect_parameters(await site.submit(consent, decision="approve"))["code"]
        wrong = await redeemed(site, code, pkce, code_verifier="w" * 43)
        answer = await redeemed(site, code, pkce)
        shown = [started.headers["x-request-id"], *map(reference, (login, failed, consent)), wrong.json()["request_id"]]
        return shown, gid(answer)

    past, (shown, flow_id) = await after(seed, tmp_path, story)
    assert len({*shown, flow_id}) == 6
    for identifier in (*shown, flow_id):
        explained = await past.explained(identifier)
        assert explained.flow_id == flow_id
        assert (explained.email, explained.client_name) == (EMAIL, "Claude Code")
        assert names(explained) == [
            EventName.AUTHORIZATION_STARTED,
            EventName.SIGN_IN_SHOWN,
            EventName.SIGN_IN_FAILED,
            EventName.SIGN_IN_SHOWN,
            EventName.SIGNED_IN,
            EventName.CONSENT_SHOWN,
            EventName.CONSENT_GIVEN,
            EventName.REFUSED,
            EventName.TOKENS_ISSUED,
        ]
        refused = explained.steps[-2]
        assert refused.event.reason == "wrong_verifier"
        assert refused.told == "invalid_grant: The authorization code is not valid for this request."
        assert refused.remedy
        assert "verifier" in refused.remedy.text
        assert explained.findings[0].startswith("The client was given tokens once.")


async def test_a_code_that_nobody_redeems_is_told(seed: Seed, tmp_path: Path) -> None:
    """OAuth completes, then silence: the most frequent complaint."""

    async def story(site: Site) -> str:
        page = await site.consent_page()
        await site.submit(page, decision="approve")
        site.clock.time += 61
        return reference(page)

    past, identifier = await after(seed, tmp_path, story)
    (finding,) = (await past.explained(identifier)).findings
    assert finding.startswith("The code was never redeemed: the client did not call /token within 60 seconds.")


async def test_a_sign_in_that_nobody_finishes_is_told(seed: Seed, tmp_path: Path) -> None:
    async def story(site: Site) -> list[str]:
        unopened = (await site.authorize()).headers["x-request-id"]
        unfinished = await site.sign_in_page()
        tried = await site.sign_in_page()
        await site.submit(tried, email=EMAIL, password="wrong password")
        undecided = await site.consent_page()
        site.clock.time += 601
        return [unopened, *map(reference, (unfinished, tried, undecided))]

    past, identifiers = await after(seed, tmp_path, story)
    findings = [(await past.explained(identifier)).findings[0] for identifier in identifiers]
    for finding, start in zip(
        findings,
        (
            "The browser did not come for the sign-in page",
            "The sign-in page was shown, and nobody signed in",
            "Nobody managed to sign in",
            "The person signed in, and has neither allowed nor denied it",
        ),
        strict=True,
    ):
        assert finding.startswith(start)
        assert "within the ten minutes" in finding


async def test_an_error_redirect_names_its_request(seed: Seed, tmp_path: Path) -> None:
    async def story(site: Site) -> list[str]:
        wrong_scope = redirect_parameters(await site.authorize(scope="admin"))["error_description"]
        denied = redirect_parameters(await site.submit(await site.consent_page(), decision="deny"))["error_description"]
        return [wrong_scope, denied]

    past, (wrong_scope, denied) = await after(seed, tmp_path, story)
    for description, reason in ((wrong_scope, "scope_not_allowed"), (denied, "")):
        found = re.search(r"\(reference ([0-9a-f]{8}-[A-Za-z0-9_-]{12})\)$", description)
        assert found, description
        assert re.fullmatch(r"[\x20-\x21\x23-\x5b\x5d-\x7e]+", description)  # RFC 6749 §4.1.2.1
        explained = await past.explained(found[1])
        assert explained.steps[-1].event.reason == reason
        assert explained.client_id == seed.app_id
    assert explained.findings == ["The person denied it, and the client was told access_denied."]


async def test_what_is_unknown_shows_no_flow(seed: Seed, tmp_path: Path) -> None:
    """An unknown code, a code of another client, and one that was used get the same members, and no id of a grant."""

    async def story(site: Site) -> tuple[list[dict[str, str]], str]:
        pkce = Pkce()
        code = redirect_parameters(await site.submit(await site.consent_page(pkce), decision="approve"))["code"]
        other = (await site.browser.post("/register", json={"redirect_uris": [LOOPBACK_URI]})).json()["client_id"]
        answers = [
            await redeemed(site, "ac_unknown.code", pkce),
            await redeemed(site, code, pkce, client_id=other),
            first := await redeemed(site, code, pkce),
            await redeemed(site, code, pkce),
        ]
        return [answer.json() for answer in answers if answer.status_code == 400], gid(first)

    past, (refusals, flow_id) = await after(seed, tmp_path, story)
    assert len({tuple(sorted((refusal | {"request_id": ""}).items())) for refusal in refusals}) == 1
    assert all(flow_id not in str(refusal) for refusal in refusals)
    unknown, of_another, reused = [await past.explained(refusal["request_id"]) for refusal in refusals]
    assert unknown.flow_id == ""
    assert [step.event.reason for step in unknown.steps] == ["code_not_valid"]
    assert of_another.flow_id == reused.flow_id == flow_id
    assert [step.event.reason for step in reused.steps if step.is_alarm] == ["code_of_another_client", "code_reused"]
    assert [finding[:6] for finding in reused.findings[:2]] == ["ALARM:", "ALARM:"]


async def test_a_refused_client_is_shown_what_it_did_around_then(seed: Seed, tmp_path: Path) -> None:
    async def story(site: Site) -> str:
        for _ in range(3):
            answer = await site.token(grant_type="client_credentials", client_id=seed.bot_id, client_secret="wrong")
        return str(answer.json()["request_id"])

    past, identifier = await after(seed, tmp_path, story)
    explained = await past.explained(identifier)
    assert [step.event.reason for step in explained.steps] == ["client_not_authenticated"]
    assert explained.client_name == "Bot"
    assert [step.event.reason for step in explained.nearby] == ["client_not_authenticated"] * 2


async def test_the_token_of_a_program_is_found_by_its_gid(seed: Seed, tmp_path: Path) -> None:
    async def story(site: Site) -> str:
        return gid(await site.bot_token())

    past, identifier = await after(seed, tmp_path, story)
    explained = await past.explained(identifier)
    assert names(explained) == [EventName.TOKENS_ISSUED]
    assert (explained.client_name, explained.email) == ("Bot", "")


async def test_refreshes_and_the_end_belong_to_the_story(seed: Seed, tmp_path: Path) -> None:
    """However much later they come."""

    async def story(site: Site) -> str:
        pkce = Pkce()
        page = await site.consent_page(pkce, scope="query offline_access")
        code = redirect_parameters(await site.submit(page, decision="approve"))["code"]
        tokens = (await redeemed(site, code, pkce)).json()
        site.clock.time += 5 * 86400
        refresh = {"grant_type": "refresh_token", "client_id": seed.app_id}
        tokens = (await site.token(**refresh, refresh_token=tokens["refresh_token"])).json()
        revoked = {"client_id": seed.app_id, "token": tokens["refresh_token"]}
        assert (await site.browser.post("/revoke", data=revoked)).status_code == 200
        return reference(page)

    past, identifier = await after(seed, tmp_path, story)
    explained = await past.explained(identifier)
    assert names(explained)[-3:] == [EventName.TOKENS_ISSUED, EventName.TOKENS_ISSUED, EventName.GRANT_REVOKED]
    assert explained.findings == ["The grant has been revoked. The client must have the person connect again."]


async def test_a_grant_that_an_operator_ends_says_so(seed: Seed, tmp_path: Path) -> None:
    """Who ended it stands in the story of its flow, whenever that was."""

    async def story(site: Site) -> str:
        pkce = Pkce()
        page = await site.consent_page(pkce, scope="query offline_access")
        code = redirect_parameters(await site.submit(page, decision="approve"))["code"]
        answer = await redeemed(site, code, pkce)
        site.clock.time += 5 * 86400
        handle = gid(answer)
        REQUEST_ID.set(new_request_id(SystemClock().now(), SystemEntropy()))
        operation, hasher = Operation("otto", "revoke grant", handle), await quick_passwords()
        async with operators.administration(site.settings, operation, passwords=hasher) as administration:
            await administration.people.revoke_grant(handle)
        return handle

    past, identifier = await after(seed, tmp_path, story)
    explained = await past.explained(identifier)
    # The command's clock is this machine's, not the site's.
    assert {EventName.GRANT_ENDED, EventName.ADMINISTERED} < set(names(explained))
    (told,) = [step.text for step in explained.steps if step.event.name is EventName.ADMINISTERED]
    assert told == f"otto asked for revoke grant of {identifier}: done."
    assert explained.findings == ["The grant has been revoked. The client must have the person connect again."]


async def test_the_trail_is_whole_and_can_be_listed(seed: Seed, tmp_path: Path) -> None:
    async def story(site: Site) -> None:
        await site.consent_page()
        await site.bot_token()

    past, _ = await after(seed, tmp_path, story)
    assert (await past(lambda audit: audit.verify({}, -math.inf))).events == 5

    async def listed(audit: Audit, **which: str) -> list[EventName]:
        return [event.name async for event in audit.events(0.0, **which)]

    of_person = [EventName.SIGNED_IN, EventName.CONSENT_SHOWN]
    assert await past(lambda audit: listed(audit, user=EMAIL)) == of_person
    assert await past(lambda audit: listed(audit, client_id=seed.bot_id)) == [EventName.TOKENS_ISSUED]
    assert len(await past(listed)) == 5


@pytest.mark.parametrize("identifier", ["", "no such id", "6b07ec53-aaaaaaaaaaaa", "ac_grant.secret"])
async def test_an_id_that_nobody_was_given_is_not_found(seed: Seed, tmp_path: Path, identifier: str) -> None:
    async def story(site: Site) -> None:
        await site.consent_page()

    past, _ = await after(seed, tmp_path, story)
    with pytest.raises(CannotDo, match="knows nothing"):
        await past.explained(identifier)


@pytest.fixture
async def lively(seed: Seed, tmp_path: Path) -> AsyncIterator[Site]:
    async with opened(seed, tmp_path, audit_days=0) as site:
        yield site


async def test_without_retention_nothing_is_kept(lively: Site) -> None:
    await lively.consent_page()
    assert lively.rows("audit") == 0
