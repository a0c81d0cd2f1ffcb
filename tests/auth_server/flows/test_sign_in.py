"""Signing in: no enumeration, no forgery, no guessing."""

from collections.abc import Awaitable, Callable
from typing import Literal

import pytest
from argon2 import PasswordHasher

from auth_server.adapters.passwords import open_passwords
from auth_server.domain.authorization import TRANSACTION_LIFETIME
from auth_server.domain.failures import Reason
from auth_server.flows.administration.problems import CannotDo, Problem
from auth_server.flows.sign_in import SignedIn, SignInPage, TooManyAttempts, WrongCredentials
from tests.auth_server.flows.world import ADDRESS, EMAIL, PASSWORD, World, outcome

pytestmark = pytest.mark.anyio

Submit = Callable[..., Awaitable[object]]


async def _page(world: World) -> tuple[str, Submit]:
    """A transaction id and the submission of its sign-in page, with changes."""
    transaction_id = await world.began((await world.register()).client_id)
    page = await outcome(world.flows.sign_in.view(transaction_id, world.browser_id, ADDRESS))
    assert isinstance(page, SignInPage)

    async def submit(browser_id: str | None = "", **changes: str) -> object:
        given = {"csrf_token": page.csrf_token, "email": EMAIL, "password": PASSWORD, "address": ADDRESS, **changes}
        browser_id = world.browser_id if browser_id == "" else browser_id
        return await outcome(
            world.flows.sign_in.submit(transaction_id, browser_id, session_id=world.session_id, **given)
        )

    return transaction_id, submit


async def test_page_names_the_client(world: World) -> None:
    transaction_id, _ = await _page(world)
    page = await outcome(world.flows.sign_in.view(transaction_id, world.browser_id, ADDRESS))
    assert isinstance(page, SignInPage)
    assert (page.client_name, page.client_verified) == ("Probe", False)


async def test_loading_the_page_twice_and_sending_the_first_works(world: World) -> None:
    transaction_id, submit = await _page(world)
    await outcome(world.flows.sign_in.view(transaction_id, world.browser_id, ADDRESS))
    await world.began((await world.register()).client_id)  # another tab
    assert isinstance(await submit(), SignedIn)


@pytest.mark.parametrize("email", [" ADA@Example.com ", "ada@example.com", "ａｄａ@example.com"])
async def test_spellings_of_the_address(world: World, email: str) -> None:
    _, submit = await _page(world)
    assert isinstance(await submit(email=email), SignedIn)


@pytest.mark.parametrize(
    "changes",
    [
        {"password": PASSWORD + "!"},
        {"password": ""},
        {"password": "x" * 100_000},
        {"email": "nobody@example.com"},
        {"email": ""},
        {"email": "no address", "password": ""},
        {"email": "a" * 100_000},
        {"email": "' OR 1=1 --@x.y"},
        {"password": "\ud800" * 8},
        {"email": "\ud800@example.com"},
    ],
)
async def test_i11_wrong_credentials_look_the_same(world: World, changes: dict[str, str]) -> None:
    _, submit = await _page(world)
    assert await submit(**changes) == WrongCredentials()
    assert world.session_id is None


class CountingArgon2(PasswordHasher):
    """argon2 that notes the cost of every password it checks."""

    def __init__(self) -> None:
        super().__init__(time_cost=1, memory_cost=8, parallelism=1)
        self.checked: list[str] = []

    def verify(self, hash: str | bytes, password: str | bytes) -> Literal[True]:  # noqa: A002 (the base class names it so)
        self.checked.append(str(hash).rsplit("$", 2)[0])
        return super().verify(hash, password)


async def test_i11_unknown_address_costs_as_much(world: World) -> None:
    """Our choice: time tells nothing either, since the one slow step is taken once, at the same cost, in every case."""
    argon2 = CountingArgon2()
    world.passwords = await open_passwords(argon2)
    world.__post_init__()
    await world.administration.people.create("known@example.com", PASSWORD)
    _, submit = await _page(world)
    for email in ("known@example.com", "nobody@example.com", "no address"):
        assert await submit(email=email, password="wrong password") == WrongCredentials()
    assert argon2.checked == ["$argon2id$v=19$m=8,t=1,p=1"] * 3


async def test_csrf_token_of_nothing_or_of_another_transaction(world: World) -> None:
    first, submit = await _page(world)
    second = await world.began((await world.register()).client_id)
    other = await outcome(world.flows.sign_in.view(second, world.browser_id, ADDRESS))
    assert isinstance(other, SignInPage)
    for token in ("", "x", "é", other.csrf_token):
        assert await submit(csrf_token=token) == Reason.FORGED_FORM
    assert isinstance(await outcome(world.flows.sign_in.view(first, world.browser_id, ADDRESS)), SignInPage)


@pytest.mark.parametrize("browser_id", [None, "brw_of-another-browser", "é"])
async def test_b03_another_browser(world: World, browser_id: str | None) -> None:
    transaction_id, submit = await _page(world)
    assert await outcome(world.flows.sign_in.view(transaction_id, browser_id, ADDRESS)) == Reason.UNKNOWN_TRANSACTION
    assert await submit(browser_id=browser_id) == Reason.UNKNOWN_TRANSACTION


@pytest.mark.parametrize("transaction_id", ["", "txn_unknown", "\ud800"])
async def test_unknown_transaction(world: World, transaction_id: str) -> None:
    await _page(world)
    assert (
        await outcome(world.flows.sign_in.view(transaction_id, world.browser_id, ADDRESS)) == Reason.UNKNOWN_TRANSACTION
    )


async def test_expired_transaction(world: World) -> None:
    transaction_id, submit = await _page(world)
    world.clock.time += TRANSACTION_LIFETIME
    assert (
        await outcome(world.flows.sign_in.view(transaction_id, world.browser_id, ADDRESS)) == Reason.UNKNOWN_TRANSACTION
    )
    assert await submit() == Reason.UNKNOWN_TRANSACTION


async def test_decided_transaction(world: World) -> None:
    transaction_id, submit = await _page(world)
    await world.signed_in(transaction_id)
    await world.decided(transaction_id)
    assert (
        await outcome(world.flows.sign_in.view(transaction_id, world.browser_id, ADDRESS)) == Reason.DECIDED_TRANSACTION
    )
    assert await submit() == Reason.DECIDED_TRANSACTION


async def test_guessing_is_slowed_down_and_locks_nobody_out(world: World) -> None:
    _, submit = await _page(world)
    outcomes = [await submit(password=f"guess number {n}") for n in range(12)]
    assert outcomes[:10] == [WrongCredentials()] * 10
    assert all(isinstance(outcome, TooManyAttempts) and 1 <= outcome.retry_after <= 300 for outcome in outcomes[10:])
    assert isinstance(await submit(), TooManyAttempts)
    assert isinstance(await submit(address="198.51.100.1"), SignedIn)


async def test_guessing_from_one_ipv6_network_counts_together(world: World) -> None:
    _, submit = await _page(world)
    outcomes = [await submit(password=f"guess number {n}", address=f"2001:db8::{n:x}") for n in range(12)]
    assert isinstance(outcomes[-1], TooManyAttempts)
    assert await submit(password="another guess", address="2001:db8:0:1::1") == WrongCredentials()


async def test_success_forgets_the_failures_before(world: World) -> None:
    _, submit = await _page(world)
    for _ in range(3):
        for n in range(9):
            assert await submit(password=f"guess number {n}") == WrongCredentials()
        assert isinstance(await submit(), SignedIn)


async def test_one_address_cannot_spray_over_accounts(world: World) -> None:
    _, submit = await _page(world)
    outcomes = [await submit(email=f"user{n}@example.com") for n in range(101)]
    assert isinstance(outcomes[-1], TooManyAttempts)
    assert outcomes[99] == WrongCredentials()


@pytest.mark.parametrize(
    ("email", "password", "problem"),
    [
        ("no address", PASSWORD, Problem.MALFORMED_EMAIL),
        ("a@b.example", "short", Problem.UNUSABLE_PASSWORD),
        ("b@example.com", "x" * 1025, Problem.UNUSABLE_PASSWORD),
        ("ADA@example.com", PASSWORD, Problem.EMAIL_TAKEN),
        ("two words@example.com", PASSWORD, Problem.MALFORMED_EMAIL),
    ],
)
async def test_users_that_cannot_be_created(world: World, email: str, password: str, problem: Problem) -> None:
    with pytest.raises(CannotDo) as caught:
        await world.administration.people.create(email, password)
    assert caught.value.problem is problem


async def test_passwords_are_stored_as_argon2id(world: World) -> None:
    user = await world.store.user_by_email(EMAIL)
    assert user is not None
    assert user.password_hash.startswith("$argon2id$")
    assert user.user_id.startswith("usr_")


async def test_a_hash_of_other_parameters_is_renewed_at_sign_in(world: World) -> None:
    stored = await world.store.user_by_email(EMAIL)
    assert stored is not None
    world.passwords = await open_passwords(PasswordHasher(time_cost=2, memory_cost=8, parallelism=1))
    world.__post_init__()
    transaction_id, submit = await _page(world)
    assert await submit(password="wrong password") == WrongCredentials()
    assert await world.store.user_by_email(EMAIL) == stored
    signed_in = await submit()
    assert isinstance(signed_in, SignedIn)
    renewed = await world.store.user_by_email(EMAIL)
    assert renewed is not None
    assert "t=2" in renewed.password_hash
    world.session_id = signed_in.session_id
    assert await world.consent_page(transaction_id)
    assert isinstance(await submit(), SignedIn)
    assert await world.store.user_by_email(EMAIL) == renewed
