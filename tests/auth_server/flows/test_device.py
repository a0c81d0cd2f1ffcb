"""Device authorization from the two codes to the tokens (RFC 8628)."""

import re
from dataclasses import replace
from typing import Any

import anyio
import pytest

from auth_server.domain import device_codes
from auth_server.domain.client import Client, GrantType
from auth_server.domain.device import DEVICE_CODE_LIFETIME, POLL_INTERVAL, SLOW_DOWN_SECONDS
from auth_server.domain.failures import Reason
from auth_server.domain.grant import REPLAY_WINDOW
from auth_server.flows import client_request
from auth_server.flows.authorize import Continue
from auth_server.flows.client_authentication import ClientAuthentication
from auth_server.flows.client_documents import ClientDocuments
from auth_server.flows.consent_decision import DeviceDecided
from auth_server.flows.device import TooManyCodes, UnknownCode
from auth_server.flows.device_authorization import DeviceAuthorizations
from auth_server.flows.device_decision import DeviceQuestion
from auth_server.flows.key_sets import KeySets
from shared_kernel.entropy import SystemEntropy
from tests.auth_server.flows.world import (
    ADDRESS,
    ISSUER,
    OTHER_RESOURCE,
    RESOURCE,
    Answer,
    World,
    basic,
    error,
    ok,
    outcome,
)
from tests.support.dpop import DpopKey

pytestmark = pytest.mark.anyio

DEVICE_GRANTS = [GrantType.DEVICE_CODE, GrantType.REFRESH_TOKEN]


async def device_client(world: World, **metadata: Any) -> Client:
    """A registered client without a browser of its own."""
    given: dict[str, Any] = {"grant_types": DEVICE_GRANTS, "redirect_uris": None, "client_name": "TV"}
    return await world.register(**{**given, **metadata})


async def started(world: World, client: Client | None = None, **parameters: str) -> tuple[str, dict[str, Any]]:
    """The client id and the answer of a device authorization."""
    client = client or await device_client(world)
    return client.client_id, ok(await world.device_authorization(client_id=client.client_id, **parameters))


async def test_a_device_gets_tokens_once_its_person_allows_it(world: World) -> None:
    client_id, codes = await started(world, scope="query schemas:read offline_access")
    assert re.fullmatch(r"dc_[\w-]{22}\.[\w-]{43}", codes["device_code"])
    assert re.fullmatch(r"[BCDFGHJKLMNPQRSTVWXZ]{4}-[BCDFGHJKLMNPQRSTVWXZ]{4}", codes["user_code"])
    assert codes["verification_uri"] == f"{ISSUER}/device"
    assert codes["verification_uri_complete"] == f"{ISSUER}/device?user_code={codes['user_code']}"
    assert (codes["expires_in"], codes["interval"]) == (600, 5)
    assert error(await world.poll(client_id, codes["device_code"])) == (400, "authorization_pending")
    assert await world.decided_device(codes["user_code"]) == DeviceDecided("TV", False, True)
    tokens = ok(await world.poll(client_id, codes["device_code"]))
    claims = await world.claims(tokens["access_token"])
    user = await world.store.user_by_email("ada@example.com")
    assert user is not None
    assert (claims.subject, claims.client_id, claims.audience) == (user.user_id, client_id, RESOURCE)
    assert tokens["scope"] == "schemas:read query offline_access"
    refreshed = ok(await world.refresh(client_id, tokens["refresh_token"]))
    assert (await world.claims(refreshed["access_token"])).grant_handle == claims.grant_handle


@pytest.mark.parametrize(
    ("grant_types", "scope", "given"),
    [
        ([GrantType.DEVICE_CODE], "query", False),
        ([GrantType.DEVICE_CODE], "query offline_access", True),
        (DEVICE_GRANTS, "query", True),
    ],
)
async def test_a_refresh_token_is_given_by_the_same_rule_as_for_codes(
    world: World, grant_types: list[str], scope: str, given: bool
) -> None:
    client = await device_client(world, grant_types=grant_types)
    client_id, codes = await started(world, client, scope=scope)
    await world.decided_device(codes["user_code"])
    tokens = ok(await world.poll(client_id, codes["device_code"]))
    assert ("refresh_token" in tokens) is given
    assert ok(await world.poll(client_id, codes["device_code"])) == tokens


async def test_what_is_asked_for_is_judged_at_once(world: World) -> None:
    client = await device_client(world)
    client_id = client.client_id
    for asked, answer in (
        ({"scope": "admin"}, (400, "invalid_scope")),
        ({"scope": 'a"b'}, (400, "invalid_scope")),
        ({"resource": "https://elsewhere.example/"}, (400, "invalid_target")),
        ({"client_secret": "cs_wrong"}, (401, "invalid_client")),
    ):
        assert error(await world.device_authorization(client_id=client_id, **asked)) == answer, asked
    assert error(await world.device_authorization(client_id="nobody")) == (401, "invalid_client")
    browser_only = await world.register()
    refused = await world.device_authorization(client_id=browser_only.client_id)
    assert error(refused) == (400, "unauthorized_client")
    _, codes = await started(world, client, scope="query admin", resource=OTHER_RESOURCE)
    await world.decided_device(codes["user_code"])
    tokens = ok(await world.poll(client_id, codes["device_code"]))
    assert tokens["scope"] == "query"
    assert (await world.claims(tokens["access_token"], OTHER_RESOURCE)).audience == OTHER_RESOURCE


async def test_a_confidential_client_must_prove_itself_at_both_legs(world: World) -> None:
    made = await world.machine("query")
    client = replace(made.client, grant_types=made.client.grant_types | {GrantType.DEVICE_CODE})
    await world.store.update_client(client)
    assert made.client_secret is not None
    authorization = basic(client.client_id, made.client_secret)
    assert error(await world.device_authorization(client_id=client.client_id)) == (401, "invalid_client")
    codes = ok(await world.device_authorization(authorization))
    await world.decided_device(codes["user_code"])
    assert error(await world.poll(client.client_id, codes["device_code"])) == (401, "invalid_client")
    given = {"grant_type": GrantType.DEVICE_CODE, "device_code": codes["device_code"]}
    assert ok(await world.exchange(authorization, **given))["scope"] == "query"


@pytest.mark.parametrize(
    "spelling", ["{code}", "{lower}", " {half} {rest} ", "{half}{rest}", "{half}–{rest}", "{half}.{rest}"]
)
async def test_a_user_code_may_be_typed_as_people_do(world: World, spelling: str) -> None:
    _, codes = await started(world)
    code = codes["user_code"]
    half, _, rest = code.partition("-")
    typed = spelling.format(code=code, lower=code.lower(), half=half, rest=rest)
    assert isinstance(await world.entered(typed), Continue)


@pytest.mark.parametrize(
    "text", ["", "BCDF", "BCDF-GHJK-L", "BCDA-GHJK", "1234-5678", "x" * 10_000, "\x00\ud800", "ＢＣＤＦＧＨＪＫ"]
)
async def test_what_is_no_user_code_is_not_looked_up(world: World, text: str) -> None:
    await started(world)
    assert await world.entered(text) == UnknownCode()


async def test_the_consent_page_shows_what_a_person_needs_to_recognise_a_foreign_device(world: World) -> None:
    client = await device_client(world)
    codes = ok(await world.device_authorization(address="198.51.100.9", client_id=client.client_id, scope="query"))
    asked_at = world.clock.now()
    world.clock.time += 90
    entered = await world.entered(codes["user_code"])
    assert isinstance(entered, Continue)
    await world.signed_in(entered.transaction_id)
    page = await world.consent_page(entered.transaction_id)
    user_code = codes["user_code"].replace("-", "")
    assert page.device == DeviceQuestion(user_code, asked_at, 90.0, "198.51.100.9")
    assert (page.client_name, page.client_verified, page.scopes) == ("TV", False, ("query",))
    assert (page.resource, page.redirect_host) == (RESOURCE, "")


async def test_a_person_who_denies_ends_it(world: World) -> None:
    client_id, codes = await started(world)
    assert await world.decided_device(codes["user_code"], approve=False) == DeviceDecided("TV", False, False)
    for _ in range(2):
        assert error(await world.poll(client_id, codes["device_code"])) == (400, "access_denied")
    assert await world.entered(codes["user_code"]) == UnknownCode()


async def test_i14_polls_that_come_too_early_are_slowed_down(world: World) -> None:
    client_id, codes = await started(world)
    answers = []
    for wait in (0, POLL_INTERVAL, 1, POLL_INTERVAL + SLOW_DOWN_SECONDS, POLL_INTERVAL):
        world.clock.time += wait
        answers.append(error(await world.poll(client_id, codes["device_code"]))[1])
    pending, slow = "authorization_pending", "slow_down"
    assert answers == [pending, pending, slow, pending, slow]
    await world.decided_device(codes["user_code"])
    assert "access_token" in ok(await world.poll(client_id, codes["device_code"]))


async def test_codes_that_nobody_uses_expire(world: World) -> None:
    client_id, codes = await started(world)
    world.clock.time += DEVICE_CODE_LIFETIME
    assert error(await world.poll(client_id, codes["device_code"])) == (400, "expired_token")
    assert await world.entered(codes["user_code"]) == UnknownCode()
    world.clock.time += 7200
    await world.store.sweep(world.clock.now())
    assert error(await world.poll(client_id, codes["device_code"])) == (400, "invalid_grant")


async def test_i14_of_one_address_five_user_codes_are_tried_in_a_minute(world: World) -> None:
    """Right ones count too: nobody starts over with a code of their own."""
    _, codes = await started(world)
    entropy = SystemEntropy()
    for _ in range(4):
        assert await world.entered(device_codes.new_user_code(entropy)) == UnknownCode()
    assert isinstance(await world.entered(codes["user_code"]), Continue)
    assert isinstance(await world.entered(codes["user_code"]), TooManyCodes)
    assert isinstance(await world.entered(codes["user_code"], address="198.51.100.9"), Continue)
    world.clock.time += 61
    assert isinstance(await world.entered(codes["user_code"]), Continue)


async def test_i14_one_user_code_is_entered_ten_times_at_most_from_anywhere(world: World) -> None:
    _, codes = await started(world)
    for number in range(10):
        assert isinstance(await world.entered(codes["user_code"], address=f"198.51.100.{number}"), Continue)
    assert isinstance(await world.entered(codes["user_code"], address="198.51.100.99"), TooManyCodes)
    _, others = await started(world)
    assert isinstance(await world.entered(others["user_code"], address="198.51.100.99"), Continue)


async def test_i14_one_address_starts_sixty_authorizations_in_a_minute(world: World) -> None:
    client_id = (await device_client(world)).client_id
    for _ in range(60):
        assert (await world.device_authorization(client_id=client_id)).status == 200
    refused = await world.device_authorization(client_id=client_id)
    assert (refused.status, refused.reason) == (429, Reason.TOO_MANY_REQUESTS)
    assert (await world.device_authorization(address="198.51.100.9", client_id=client_id)).status == 200


async def test_another_clients_device_code_is_refused_and_untouched(world: World) -> None:
    client_id, codes = await started(world)
    other = await device_client(world, client_name="Other TV")
    await world.decided_device(codes["user_code"])
    stolen = await world.poll(other.client_id, codes["device_code"])
    assert (error(stolen), stolen.reason) == ((400, "invalid_grant"), Reason.DEVICE_CODE_OF_ANOTHER_CLIENT)
    guessed = await world.poll(other.client_id, f"{codes['device_code']}x")
    assert (error(guessed), guessed.reason) == (error(stolen), Reason.DEVICE_CODE_NOT_VALID)
    assert stolen.body == guessed.body
    assert "access_token" in ok(await world.poll(client_id, codes["device_code"]))


@pytest.mark.parametrize("code", ["x", "dc_", "dc_x.y", "rt_x.y.z", "ac_x.y", "dc_" + "x" * 9000 + ".y", "dc_\ud800.é"])
async def test_what_is_no_device_code_is_refused(world: World, code: str) -> None:
    client_id, _ = await started(world)
    answer = await world.poll(client_id, code)
    assert error(answer) in [(400, "invalid_grant"), (400, "invalid_request")]


async def test_a_poll_without_a_code_says_what_is_missing(world: World) -> None:
    client_id, _ = await started(world)
    assert error(await world.poll(client_id, "")) == (400, "invalid_request")


async def _at_once(world: World, client_id: str, code: str) -> list[Answer]:
    answers: list[Answer] = []

    async def poll() -> None:
        answers.append(await world.poll(client_id, code))

    with anyio.fail_after(30):
        async with anyio.create_task_group() as group:
            for _ in range(40):
                group.start_soon(poll)
    return answers


async def test_40_polls_at_once_after_the_approval_get_one_set_of_tokens(world: World) -> None:
    client_id, codes = await started(world)
    await world.decided_device(codes["user_code"])
    bodies = [ok(answer) for answer in await _at_once(world, client_id, codes["device_code"])]
    assert len({(body["access_token"], body["refresh_token"]) for body in bodies}) == 1
    assert len(world.sql("SELECT 1 FROM grants")) == 1


async def test_a_poll_whose_answer_was_lost_gets_the_same_tokens(world: World) -> None:
    client_id, codes = await started(world)
    await world.decided_device(codes["user_code"])
    tokens = ok(await world.poll(client_id, codes["device_code"]))
    world.clock.time += REPLAY_WINDOW - 1
    again = ok(await world.poll(client_id, codes["device_code"]))
    assert again == {**tokens, "expires_in": tokens["expires_in"] - REPLAY_WINDOW + 1}


@pytest.mark.parametrize("late", ["after the window", "after the refresh token was used", "much later"])
async def test_a_device_code_that_comes_back_ends_its_grant(world: World, late: str) -> None:
    client_id, codes = await started(world)
    await world.decided_device(codes["user_code"])
    tokens = ok(await world.poll(client_id, codes["device_code"]))
    newest = tokens["refresh_token"]
    if late == "after the window":
        world.clock.time += REPLAY_WINDOW
    else:
        newest = ok(await world.refresh(client_id, newest))["refresh_token"]
    if late == "much later":
        newest = ok(await world.refresh(client_id, newest))["refresh_token"]
        world.clock.time += 3000
    refused = await world.poll(client_id, codes["device_code"])
    assert (error(refused), refused.reason) == ((400, "invalid_grant"), Reason.DEVICE_CODE_REUSED)
    assert error(await world.refresh(client_id, newest)) == (400, "invalid_grant")


async def test_a_device_code_is_no_refresh_token(world: World) -> None:
    client_id, codes = await started(world)
    await world.decided_device(codes["user_code"])
    assert error(await world.refresh(client_id, codes["device_code"])) == (400, "invalid_grant")
    assert "access_token" in ok(await world.poll(client_id, codes["device_code"]))


@pytest.mark.parametrize("end", ["revoked", "disabled"])
async def test_an_approval_that_has_ended_gives_no_tokens(world: World, end: str) -> None:
    client_id, codes = await started(world)
    await world.decided_device(codes["user_code"])
    user = await world.store.user_by_email("ada@example.com")
    assert user is not None
    if end == "revoked":
        for grant in await world.store.grants(world.clock.now(), user.user_id):
            await world.store.revoke_grant(grant.grant_id, world.clock.now())
    else:
        await world.store.disable_user(user.user_id, world.clock.now())
    assert error(await world.poll(client_id, codes["device_code"])) == (400, "invalid_grant")


async def test_the_same_decision_sent_twice_shows_the_same_page(world: World) -> None:
    _, codes = await started(world)
    entered = await world.entered(codes["user_code"])
    assert isinstance(entered, Continue)
    await world.signed_in(entered.transaction_id)
    page = await world.consent_page(entered.transaction_id)

    async def decide(*, approve: bool = True, csrf_token: str = page.csrf_token) -> object:
        return await outcome(
            world.flows.consent.decide(
                entered.transaction_id,
                world.browser_id,
                world.session_id,
                csrf_token=csrf_token,
                approve=approve,
                address=ADDRESS,
            )
        )

    assert await decide(csrf_token="forged") is Reason.FORGED_FORM
    assert await decide() == await decide() == DeviceDecided("TV", False, True)
    assert await decide(approve=False) is Reason.DECIDED_TRANSACTION
    assert await outcome(world.consent_page(entered.transaction_id)) is Reason.DECIDED_TRANSACTION
    world.clock.time += 11
    assert await decide() is Reason.DECIDED_TRANSACTION


async def test_whoever_is_late_is_not_told_that_another_persons_approval_is_theirs(world: World) -> None:
    """Otherwise they would go on with a device that is connected to somebody else's account."""
    _, codes = await started(world)
    entered = await world.entered(codes["user_code"])
    assert isinstance(entered, Continue)
    await world.signed_in(entered.transaction_id)
    bob = await world.administration.people.create("bob@example.com", "correct horse battery")
    page = await world.consent_page(entered.transaction_id)
    await world.decided_device(codes["user_code"])
    world.sql(f"UPDATE grants SET user_id = '{bob.user_id}'")
    late = world.flows.consent.decide(
        entered.transaction_id,
        world.browser_id,
        world.session_id,
        csrf_token=page.csrf_token,
        approve=True,
        address=ADDRESS,
    )
    assert await outcome(late) is Reason.DECIDED_TRANSACTION


async def test_a_transaction_works_only_in_the_browser_that_entered_the_code(world: World) -> None:
    _, codes = await started(world)
    entered = await world.entered(codes["user_code"])
    assert isinstance(entered, Continue)
    await world.signed_in(entered.transaction_id)
    world.browser_id = "brw_another"
    assert await outcome(world.consent_page(entered.transaction_id)) is Reason.UNKNOWN_TRANSACTION


async def test_a_client_that_lost_the_grant_type_is_not_consented_to(world: World) -> None:
    client = await device_client(world)
    _, codes = await started(world, client)
    entered = await world.entered(codes["user_code"])
    assert isinstance(entered, Continue)
    await world.signed_in(entered.transaction_id)
    await world.store.update_client(replace(client, grant_types=frozenset({GrantType.REFRESH_TOKEN})))
    assert await outcome(world.consent_page(entered.transaction_id)) is Reason.UNKNOWN_TRANSACTION


async def test_i14_neither_code_can_be_read_from_a_dump(world: World) -> None:
    client_id, codes = await started(world)
    await world.entered(codes["user_code"])
    user_code = codes["user_code"].replace("-", "")
    for secret in (codes["device_code"], codes["device_code"].partition(".")[2], user_code, codes["user_code"]):
        assert secret not in world.dump()
    await world.decided_device(codes["user_code"])
    tokens = ok(await world.poll(client_id, codes["device_code"]))
    for secret in (codes["device_code"].partition(".")[2], tokens["refresh_token"], tokens["access_token"]):
        assert secret not in world.dump()


async def test_user_codes_use_every_letter_alike() -> None:
    entropy = SystemEntropy()
    letters = "".join(device_codes.new_user_code(entropy) for _ in range(2500))
    counts = [letters.count(letter) for letter in device_codes.ALPHABET]
    assert sum(counts) == 20_000
    assert min(counts) > 850
    assert max(counts) < 1150


async def test_codes_of_different_issuers_are_different_authorizations() -> None:
    assert device_codes.device_id("BCDFGHJK", ISSUER) != device_codes.device_id("BCDFGHJK", "https://other.example")


async def test_a_user_code_that_is_taken_is_not_given_twice(world: World) -> None:
    class Repeating:
        """Gives the first bytes it gave once more, then others."""

        def __init__(self) -> None:
            self.system, self.first = SystemEntropy(), SystemEntropy().bytes(8)
            self.asked = 0

        def bytes(self, count: int) -> bytes:
            self.asked += 1
            return self.first if count == 8 and self.asked <= 2 else self.system.bytes(count)

        def token(self, bits: int = 256) -> str:
            return self.system.token(bits)

    client = await device_client(world)
    documents = ClientDocuments(
        deployment=world.deployment,
        clients=world.store,
        source=world.documents,
        limiter=world.limiter,
        trail=world.trail,
        clock=world.clock,
    )
    flow = DeviceAuthorizations(
        deployment=world.deployment,
        devices=world.store,
        authentication=ClientAuthentication(
            deployment=world.deployment,
            clients=world.store,
            documents=documents,
            key_sets=KeySets(source=world.documents, limiter=world.limiter, trail=world.trail, clock=world.clock),
            replays=world.store,
            limiter=world.limiter,
            trail=world.trail,
        ),
        documents=documents,
        limiter=world.limiter,
        trail=world.trail,
        clock=world.clock,
        entropy=Repeating(),
    )
    request = client_request.read([("client_id", client.client_id)], None, ADDRESS, b"")
    answers = [await flow.begin(request) for _ in range(3)]
    assert len({answer["user_code"] for answer in answers}) == 3


async def test_the_tokens_of_a_device_are_bound_to_the_key_it_proves(world: World) -> None:
    """The person's approval names no key; the first poll that gets tokens does, and binds the refresh tokens too."""
    key, another = DpopKey(clock=world.clock), DpopKey(clock=world.clock)
    client_id, codes = await started(world)
    await world.decided_device(codes["user_code"])

    async def poll(held: DpopKey | None) -> Answer:
        proof = held.proof("POST", f"{ISSUER}/token") if held else None
        given = {"grant_type": GrantType.DEVICE_CODE, "client_id": client_id, "device_code": codes["device_code"]}
        return await world.exchange(proof=proof, **given)

    tokens = ok(await poll(key))
    assert tokens["token_type"] == "DPoP"
    assert (await world.claims(tokens["access_token"])).key_thumbprint == key.thumbprint
    assert ok(await poll(key)) == tokens
    assert error(await poll(None)) == (400, "invalid_dpop_proof")
    assert error(await poll(another)) == (400, "invalid_grant")
    assert (await world.refresh(client_id, tokens["refresh_token"])).status == 400
