"""What every store promises (auth_server.ports), verb by verb."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

import anyio
import pytest

from auth_server.domain.authorization import (
    CODE_LIFETIME,
    USED_CODE_MEMORY,
    AuthorizationCode,
    AuthorizationRequest,
    Transaction,
)
from auth_server.domain.client import Client, ClientSecret, GrantType, Registration
from auth_server.domain.consent import ConsentKey, RememberedConsent
from auth_server.domain.grant import REPLAY_WINDOW, Grant, RefreshToken, RefreshTokenKey
from auth_server.domain.signing_key import PUBLICATION_LEAD, RETIRED_LIFETIME, KeyStage, SealedKey
from auth_server.domain.user import Session, User
from auth_server.domain.workspace import DEFAULT_WORKSPACE, Membership, Role
from auth_server.ports.authorizations import Decided, LoadedCode, Redeemed
from auth_server.ports.clients import Addition
from auth_server.ports.grants import Gone, LiveRefreshToken, Replay, ReplayDiffers, Reused, Rotated, Rotation
from auth_server.ports.store import Store
from tests.auth_server.stores.backends import BACKENDS

pytestmark = pytest.mark.anyio

T = TypeVar("T")

NOW = 1_800_000_000.5
CLIENT = Client(
    client_id="client_a",
    name='Näme "quoted"',
    registration=Registration.OPERATOR,
    redirect_uris=("cursor://x/cb", "http://localhost/cb"),
    grant_types=frozenset({GrantType.AUTHORIZATION_CODE, GrantType.CLIENT_CREDENTIALS}),
    scopes=frozenset({"query", "schemas:read"}),
    tenant="default",
    created_at=NOW,
    confidential=True,
    secrets=(ClientSecret("d1", NOW),),
)
PUBLIC = replace(
    CLIENT, client_id="dcr_b", registration=Registration.DYNAMIC, tenant=None, confidential=False, secrets=()
)
USER = User(
    "usr_a", "ada@example.com", "$argon2id$x", NOW, memberships=(Membership(DEFAULT_WORKSPACE.name, Role.MEMBER),)
)
REQUEST = AuthorizationRequest(
    "client_a", "http://localhost:1/cb", "st\x00äte", frozenset({"query"}), "https://r/mcp", "c" * 43
)
REQUEST = replace(REQUEST, nonce="nönce", login_hint="ada@example.com")
TRANSACTION = Transaction("txn", "browser", REQUEST, 0.0, NOW + 600, flow_id="flow")
GRANT = Grant(
    grant_id="g",
    handle="h",
    client_id="client_a",
    user_id="usr_a",
    tenant="default",
    scopes=frozenset({"query"}),
    resource="https://r/mcp",
    refreshable=True,
    created_at=NOW,
    expires_at=NOW + 9000,
    authenticated_at=NOW - 0.5,
    role=Role.MEMBER,
)
CODE = AuthorizationCode("code", "g", "http://localhost:1/cb", "c" * 43, NOW + CODE_LIFETIME)
CODE = replace(CODE, nonce="nönce")


CONSENT = RememberedConsent(
    ConsentKey("usr_a", "client_a", "https://app.example", "https://r/mcp", "default"),
    scopes=frozenset({"query", "schemas:read"}),
    document="d" * 64,
    given_at=NOW,
    expires_at=NOW + 5000,
)


def key(digest: str, family: str = "family") -> RefreshTokenKey:
    return RefreshTokenKey("g", family, digest)


FIRST = RefreshToken(key("rt1"), NOW + 1000)


def rotation(successor: str, request: str = "query https://r/mcp", expires_at: float = NOW + 1000) -> Rotation:
    return Rotation(RefreshToken(key(successor), expires_at), f"sealed for {successor}".encode(), request)


async def approvable(store: Store) -> None:
    """A transaction that may be approved, txn."""
    await store.add_client(CLIENT)
    await store.add_user(USER)
    await store.start_transaction(TRANSACTION)


async def _approved(store: Store) -> None:
    """A grant with an unused code."""
    await approvable(store)
    assert await store.approve("txn", GRANT, CODE, NOW)


async def family(store: Store) -> None:
    """A grant with a fresh refresh token, rt1."""
    await _approved(store)
    assert await store.redeem("code", FIRST, NOW) == Redeemed()


async def at_once(verb: Callable[[], Awaitable[T]], times: int = 40) -> list[T]:
    """The results of that many calls under way at the same time."""
    results: list[T] = []

    async def call() -> None:
        results.append(await verb())

    with anyio.fail_after(30):
        async with anyio.create_task_group() as group:
            for _ in range(times):
                group.start_soon(call)
    return results


async def test_clients_come_back_as_they_went_in(store: Store) -> None:
    assert await store.client("client_a") is None
    assert await store.add_client(CLIENT) is Addition.ADDED
    assert await store.add_client(replace(PUBLIC, created_at=NOW + 1)) is Addition.ADDED
    assert await store.client("client_a") == CLIENT
    assert list(await store.clients()) == [CLIENT, replace(PUBLIC, created_at=NOW + 1)]


async def test_a_known_client_is_not_overwritten(store: Store) -> None:
    await store.add_client(CLIENT)
    other = replace(CLIENT, name="Other", secrets=(ClientSecret("d9", NOW),))
    assert await store.add_client(other) is Addition.KNOWN
    assert await store.client("client_a") == CLIENT


async def test_rotating_secrets_keeps_two_at_most(store: Store) -> None:
    await store.add_client(CLIENT)
    assert await store.rotate_client_secret("client_a", ClientSecret("d2", NOW + 1), NOW + 100)
    client = await store.client("client_a")
    assert client is not None
    assert client.secrets == (ClientSecret("d1", NOW, NOW + 100), ClientSecret("d2", NOW + 1))
    assert await store.rotate_client_secret("client_a", ClientSecret("d3", NOW + 2), NOW + 200)
    client = await store.client("client_a")
    assert client is not None
    assert client.secrets == (ClientSecret("d2", NOW + 1, NOW + 200), ClientSecret("d3", NOW + 2))


async def test_public_and_unknown_clients_get_no_secret(store: Store) -> None:
    await store.add_client(PUBLIC)
    assert not await store.rotate_client_secret("dcr_b", ClientSecret("d2", NOW), NOW)
    assert not await store.rotate_client_secret("nobody", ClientSecret("d2", NOW), NOW)
    assert await store.client("dcr_b") == PUBLIC


async def test_deleting_a_client_revokes_its_grants(store: Store) -> None:
    await family(store)
    assert await store.delete_client("client_a", NOW)
    assert not await store.delete_client("client_a", NOW)
    assert await store.client("client_a") is None
    assert await store.rotate(key("rt1"), rotation("rt2"), NOW) == Gone()


async def test_a_deleted_client_gets_no_grant(store: Store) -> None:
    await store.add_client(CLIENT)
    await store.start_transaction(TRANSACTION)
    await store.delete_client("client_a", NOW)
    assert not await store.approve("txn", GRANT, CODE, NOW)
    assert await store.code("code") is None


async def test_users(store: Store) -> None:
    assert await store.add_user(USER)
    assert not await store.add_user(replace(USER, user_id="usr_b", password_hash="y"))
    assert await store.user("usr_a") == await store.user_by_email("ada@example.com") == USER
    assert await store.user("usr_b") is None
    assert await store.user_by_email("nobody@example.com") is None


async def test_sessions(store: Store) -> None:
    await store.add_user(USER)
    session = Session("s1", "usr_a", NOW, NOW + 10)
    await store.start_session(session, verified_hash=USER.password_hash, replaces=None)
    assert await store.session("s1", NOW + 9.9) == session
    assert await store.session("s1", NOW + 10) is None
    await store.start_session(Session("s2", "usr_a", NOW, NOW + 10), verified_hash=USER.password_hash, replaces="s1")
    assert await store.session("s1", NOW) is None
    assert await store.session("s2", NOW) is not None
    wrong = Session("s3", "usr_a", NOW, NOW + 10)
    assert not await store.start_session(wrong, verified_hash="of before", replaces="s2")
    assert await store.session("s2", NOW) is not None
    assert await store.session("s3", NOW) is None


async def test_transactions(store: Store) -> None:
    await store.start_transaction(TRANSACTION)
    await store.start_transaction(replace(TRANSACTION, digest="other", request=replace(REQUEST, state=None)))
    assert await store.transaction("txn", NOW) == TRANSACTION
    assert await store.transaction("txn", NOW + 600) is None
    assert await store.transaction("unknown", NOW) is None
    other = await store.transaction("other", NOW)
    assert isinstance(other, Transaction)
    assert other.request.state is None


async def test_a_transaction_is_decided_once(store: Store) -> None:
    await store.add_client(CLIENT)
    await store.start_transaction(TRANSACTION)
    assert await store.deny("txn", NOW)
    assert not await store.deny("txn", NOW)
    assert not await store.approve("txn", GRANT, CODE, NOW)
    assert await store.transaction("txn", NOW + 1) == Decided(TRANSACTION, NOW, None)
    assert await store.code("code") is None


async def test_an_expired_transaction_cannot_be_decided(store: Store) -> None:
    await store.add_client(CLIENT)
    await store.start_transaction(TRANSACTION)
    assert not await store.approve("txn", GRANT, CODE, NOW + 600)
    assert not await store.deny("txn", NOW + 600)
    assert await store.code("code") is None


async def test_of_40_approvals_at_once_one_counts(store: Store) -> None:
    await store.add_client(CLIENT)
    await store.add_user(USER)
    await store.start_transaction(TRANSACTION)
    numbers = iter(range(40))

    async def approve() -> bool:
        n = next(numbers)
        grant = replace(GRANT, grant_id=f"g{n}", handle=f"h{n}")
        return await store.approve("txn", grant, replace(CODE, digest=f"code{n}", grant_id=f"g{n}"), NOW)

    assert sorted(await at_once(approve)) == [False] * 39 + [True]
    codes = [await store.code(f"code{n}") for n in range(40)]
    assert sum(code is not None for code in codes) == 1


async def test_codes_come_back_as_they_went_in(store: Store) -> None:
    await _approved(store)
    assert await store.code("code") == LoadedCode(CODE, GRANT)
    assert await store.code("unknown") is None


async def test_a_code_is_redeemed_once_and_its_reuse_revokes(store: Store) -> None:
    await family(store)
    assert await store.code("code") == LoadedCode(CODE, GRANT)
    assert await store.redeem("code", replace(FIRST, key=key("rt9")), NOW) == Reused()
    assert await store.rotate(key("rt1"), rotation("rt2"), NOW) == Gone()


async def test_of_40_redemptions_at_once_one_succeeds(store: Store) -> None:
    await _approved(store)
    numbers = iter(range(40))
    outcomes = await at_once(lambda: store.redeem("code", replace(FIRST, key=key(f"rt{next(numbers)}")), NOW))
    assert outcomes.count(Redeemed()) == 1
    assert outcomes.count(Reused()) == 39


@pytest.mark.parametrize(("age", "outcome"), [(CODE_LIFETIME - 0.1, Redeemed()), (CODE_LIFETIME, Gone())])
async def test_codes_expire(store: Store, age: float, outcome: object) -> None:
    await _approved(store)
    assert await store.redeem("code", None, NOW + age) == outcome


async def test_a_code_is_burnt_by_three_wrong_verifiers(store: Store) -> None:
    await _approved(store)
    await at_once(lambda: store.count_wrong_verifier("code"), 2)
    await store.count_wrong_verifier("unknown")
    assert await store.code("code") is not None
    await store.count_wrong_verifier("code")
    assert await store.redeem("code", None, NOW) == Gone()


async def test_wrong_verifiers_after_use_change_nothing(store: Store) -> None:
    await family(store)
    for _ in range(5):
        await store.count_wrong_verifier("code")
    assert await store.rotate(key("rt1"), rotation("rt2"), NOW) == Rotated()


async def test_unknown_and_revoked_codes_are_gone(store: Store) -> None:
    await _approved(store)
    assert await store.redeem("unknown", None, NOW) == Gone()
    await store.revoke_grant("g", NOW)
    assert await store.redeem("code", FIRST, NOW) == Gone()
    assert await store.refreshed_grant(key("rt1")) is None


async def test_refresh_tokens_come_back_as_they_went_in(store: Store) -> None:
    await family(store)
    assert await store.refreshed_grant(key("rt1")) == GRANT
    assert await store.refreshed_grant(key("unknown")) == GRANT
    assert await store.refreshed_grant(key("unknown", "other")) is None
    assert await store.refreshed_grant(RefreshTokenKey("other", "family", "rt1")) is None


async def test_rotation_and_replay(store: Store) -> None:
    await family(store)
    assert await store.rotate(key("rt1"), rotation("rt2"), NOW) == Rotated()
    assert await store.rotate(key("rt1"), rotation("rt3"), NOW + REPLAY_WINDOW - 1) == Replay(b"sealed for rt2")
    assert await store.rotate(key("rt1"), rotation("rt3", "other"), NOW + 1) == ReplayDiffers()
    assert await store.rotate(key("rt2"), rotation("rt4"), NOW + 2) == Rotated()


async def test_reuse_after_the_window_revokes(store: Store) -> None:
    await family(store)
    await store.rotate(key("rt1"), rotation("rt2"), NOW)
    assert await store.rotate(key("rt1"), rotation("rt3"), NOW + REPLAY_WINDOW) == Reused()
    assert await store.rotate(key("rt2"), rotation("rt3"), NOW + REPLAY_WINDOW) == Gone()


async def test_reuse_after_the_successor_was_used_revokes(store: Store) -> None:
    await family(store)
    await store.rotate(key("rt1"), rotation("rt2"), NOW)
    await store.rotate(key("rt2"), rotation("rt3"), NOW)
    assert await store.rotate(key("rt1"), rotation("rt4"), NOW) == Reused()
    assert await store.rotate(key("rt3"), rotation("rt4"), NOW) == Gone()


async def test_a_token_of_the_family_that_is_not_stored_has_been_rotated(store: Store) -> None:
    await family(store)
    assert await store.rotate(key("forgotten"), rotation("rt2"), NOW) == Reused()
    assert await store.rotate(key("rt1"), rotation("rt2"), NOW) == Gone()


async def test_a_family_without_a_name_is_found_by_its_tokens_and_gets_one(store: Store) -> None:
    """Tokens of the first release name no family."""
    await _approved(store)
    await store.redeem("code", replace(FIRST, key=key("rt1", "")), NOW)
    assert await store.refreshed_grant(key("rt1", "")) == GRANT
    assert await store.rotate(key("rt1", ""), rotation("rt2"), NOW) == Rotated()
    assert await store.rotate(key("rt1", ""), rotation("rt3"), NOW) == Replay(b"sealed for rt2")
    assert await store.rotate(key("rt2"), rotation("rt3"), NOW) == Rotated()
    assert await store.rotate(key("rt1", ""), rotation("rt4"), NOW) == Gone()
    assert await store.rotate(key("rt2"), rotation("rt4"), NOW + REPLAY_WINDOW) == Reused()


async def test_reuse_of_a_token_that_would_have_expired_revokes(store: Store) -> None:
    await family(store)
    await store.rotate(key("rt1"), rotation("rt2", expires_at=NOW + 8000), NOW)
    assert await store.rotate(key("rt1"), rotation("rt3"), NOW + 2000) == Reused()
    assert await store.rotate(key("rt2"), rotation("rt3"), NOW + 2000) == Gone()


async def test_of_40_rotations_at_once_one_counts(store: Store) -> None:
    await family(store)
    numbers = iter(range(2, 42))
    outcomes = await at_once(lambda: store.rotate(key("rt1"), rotation(f"rt{next(numbers)}"), NOW))
    assert outcomes.count(Rotated()) == 1
    replays = [outcome for outcome in outcomes if isinstance(outcome, Replay)]
    assert len(replays) == 39
    assert len(set(replays)) == 1
    successor = replays[0].sealed.decode().removeprefix("sealed for ")
    assert await store.rotate(key(successor), rotation("rt99"), NOW) == Rotated()


async def test_expired_unknown_and_revoked_refresh_tokens_are_gone(store: Store) -> None:
    await family(store)
    assert await store.rotate(key("unknown", "other"), rotation("rt2"), NOW) == Gone()
    assert await store.rotate(RefreshTokenKey("other", "family", "rt1"), rotation("rt2"), NOW) == Gone()
    assert await store.rotate(key("rt1"), rotation("rt2"), NOW + 1000) == Gone()
    await store.revoke_grant("g", NOW)
    assert await store.rotate(key("rt1"), rotation("rt2"), NOW) == Gone()


async def test_a_grant_ends_for_good(store: Store) -> None:
    await family(store)
    far = rotation("rt2", expires_at=NOW + 99_999)
    assert await store.rotate(key("rt1"), far, NOW) == Rotated()
    assert await store.rotate(key("rt2"), rotation("rt3"), GRANT.expires_at) == Gone()


async def test_revocation_by_handle_is_for_the_grants_own_client(store: Store) -> None:
    await family(store)
    await store.revoke_grant_by_handle("h", "client_other", NOW)
    await store.revoke_grant_by_handle("unknown", "client_a", NOW)
    await store.revoke_grant("unknown", NOW)
    assert await store.rotate(key("rt1"), rotation("rt2"), NOW) == Rotated()
    await store.revoke_grant_by_handle("h", "client_a", NOW)
    assert await store.rotate(key("rt2"), rotation("rt3"), NOW) == Gone()


def _signing_key(name: str, stage: KeyStage, promotable_at: float = NOW) -> SealedKey:
    return SealedKey(name, stage, f'{{"kid":"{name}"}}', f"sealed {name}".encode(), NOW, promotable_at)


async def test_the_first_keys_are_created_once(store: Store) -> None:
    assert list(await store.signing_keys(NOW)) == []
    names = iter(range(40))

    async def ensure() -> frozenset[SealedKey]:
        n = next(names)
        return frozenset(
            await store.ensure_signing_keys(
                _signing_key(f"a{n}", KeyStage.ACTIVE), _signing_key(f"n{n}", KeyStage.NEXT)
            )
        )

    results = await at_once(ensure)
    assert len(set(results)) == 1
    assert sorted(key.stage for key in results[0]) == [KeyStage.ACTIVE, KeyStage.NEXT]
    assert frozenset(await store.signing_keys(NOW)) == results[0]


async def test_key_stages(store: Store) -> None:
    await store.ensure_signing_keys(_signing_key("a", KeyStage.ACTIVE), _signing_key("b", KeyStage.NEXT))
    at = NOW + 5
    assert await store.promote_next_key(_signing_key("c", KeyStage.NEXT, at + PUBLICATION_LEAD), at) is None
    keys = {key.key_id: key for key in await store.signing_keys(at)}
    assert {name: key.stage for name, key in keys.items()} == {
        "a": KeyStage.RETIRED,
        "b": KeyStage.ACTIVE,
        "c": KeyStage.NEXT,
    }
    assert (keys["a"].sealed, keys["a"].changed_at) == (b"", at)
    assert (keys["b"].sealed, keys["b"].changed_at) == (b"sealed b", at)
    too_soon = await store.promote_next_key(_signing_key("d", KeyStage.NEXT), at + PUBLICATION_LEAD - 1)
    assert too_soon == at + PUBLICATION_LEAD
    assert {key.key_id for key in await store.signing_keys(at + RETIRED_LIFETIME - 1)} == {"a", "b", "c"}
    assert {key.key_id for key in await store.signing_keys(at + RETIRED_LIFETIME)} == {"b", "c"}


async def test_of_many_promotions_at_once_one_happens(store: Store) -> None:
    await store.ensure_signing_keys(_signing_key("a", KeyStage.ACTIVE), _signing_key("b", KeyStage.NEXT))
    names = iter(range(20))
    outcomes = await at_once(
        lambda: store.promote_next_key(_signing_key(f"c{next(names)}", KeyStage.NEXT, NOW + PUBLICATION_LEAD), NOW), 20
    )
    assert sorted(outcomes, key=str) == [NOW + PUBLICATION_LEAD] * 19 + [None]


async def test_sweeping_leaves_what_is_alive(store: Store) -> None:
    await family(store)
    await store.add_user(USER)
    await store.start_session(Session("s1", "usr_a", NOW, NOW + 10), verified_hash=USER.password_hash, replaces=None)
    await store.ensure_signing_keys(_signing_key("a", KeyStage.ACTIVE), _signing_key("b", KeyStage.NEXT))
    await store.rotate(key("rt1"), rotation("rt2"), NOW)
    assert await store.sweep(NOW) == 0
    assert await store.session("s1", NOW) is not None
    assert await store.rotate(key("rt1"), rotation("rt3"), NOW) == Replay(b"sealed for rt2")


async def test_sweeping_forgets_what_is_over(store: Store) -> None:
    await family(store)
    await store.add_user(USER)
    await store.start_session(Session("s1", "usr_a", NOW, NOW + 10), verified_hash=USER.password_hash, replaces=None)
    assert await store.sweep(NOW + USED_CODE_MEMORY) >= 4  # session, transaction, code, and the grant that has expired
    assert await store.code("code") is None
    assert await store.refreshed_grant(key("rt1")) is None
    assert await store.sweep(NOW + USED_CODE_MEMORY) == 0
    assert await store.client("client_a") == CLIENT
    assert await store.user("usr_a") == USER


async def test_sweeping_forgets_revoked_families_after_a_while(store: Store, backend: str, tmp_path: Path) -> None:
    await family(store)
    await store.revoke_grant("g", NOW)
    await store.sweep(NOW + 60)
    async with BACKENDS[backend](tmp_path / "store") as another:
        assert await another.refreshed_grant(key("rt1")) is not None
    await store.sweep(NOW + 3600)
    async with BACKENDS[backend](tmp_path / "store") as another:
        assert await another.refreshed_grant(key("rt1")) is None
    assert await store.rotate(key("rt1"), rotation("rt2"), NOW + 3600) == Gone()


async def test_check(store: Store) -> None:
    await store.check()


ENDS = pytest.mark.parametrize(
    "end",
    [
        lambda store: store.revoke_grant("g", NOW),
        lambda store: store.revoke_grant_by_handle("h", None, NOW),
        lambda store: store.delete_client("client_a", NOW),
        lambda store: store.delete_user("usr_a", NOW),
    ],
    ids=["revoked", "revoked by handle", "client deleted", "user deleted"],
)


async def test_a_grant_is_found_by_its_handle_while_tokens_of_it_count(store: Store) -> None:
    await _approved(store)
    assert await store.grant_by_handle("h", NOW) == GRANT
    assert await store.grant_by_handle("unknown", NOW) is None
    assert await store.grant_by_handle("g", NOW) is None
    assert await store.grant_by_handle("h", GRANT.expires_at - 0.5) == GRANT
    assert await store.grant_by_handle("h", GRANT.expires_at) is None
    await store.disable_user("usr_a", NOW)
    assert await store.grant_by_handle("h", NOW) is None
    await store.enable_user("usr_a")
    assert await store.grant_by_handle("h", NOW) == GRANT


@ENDS
async def test_a_grant_that_has_ended_is_not_found_by_its_handle(
    store: Store, end: Callable[[Store], Awaitable[object]]
) -> None:
    await _approved(store)
    await end(store)
    assert await store.grant_by_handle("h", NOW) is None


async def test_a_live_refresh_token_is_shown_without_being_used_up(store: Store) -> None:
    await family(store)
    assert await store.live_refresh_token(key("rt1"), NOW) == LiveRefreshToken(GRANT, FIRST.expires_at)
    assert await store.live_refresh_token(key("rt1"), FIRST.expires_at) is None
    assert await store.live_refresh_token(key("never seen"), NOW) is None
    assert await store.live_refresh_token(RefreshTokenKey("unknown", "family", "rt1"), NOW) is None
    assert await store.rotate(key("rt1"), rotation("rt2", expires_at=NOW + 2000), NOW) == Rotated()
    assert await store.live_refresh_token(key("rt1"), NOW) is None
    assert await store.live_refresh_token(key("rt2"), NOW) == LiveRefreshToken(GRANT, NOW + 2000)
    await store.disable_user("usr_a", NOW)
    assert await store.live_refresh_token(key("rt2"), NOW) is None
    await store.enable_user("usr_a")
    assert await store.live_refresh_token(key("rt2"), NOW) == LiveRefreshToken(GRANT, NOW + 2000)


@ENDS
async def test_a_refresh_token_of_a_grant_that_has_ended_is_not_live(
    store: Store, end: Callable[[Store], Awaitable[object]]
) -> None:
    await family(store)
    await end(store)
    assert await store.live_refresh_token(key("rt1"), NOW) is None


async def test_whether_a_person_has_allowed_a_client_something(store: Store) -> None:
    await store.add_client(CLIENT)
    await store.add_user(USER)
    await store.start_transaction(TRANSACTION)
    assert not await store.has_grant("usr_a", "client_a", NOW)
    assert await store.approve("txn", GRANT, CODE, NOW)
    decided = await store.transaction("txn", NOW + 1)
    assert decided == Decided(TRANSACTION, NOW, GRANT.grant_id)
    assert await store.has_grant("usr_a", "client_a", NOW)
    assert not await store.has_grant("usr_b", "client_a", NOW)
    assert not await store.has_grant("usr_a", "client_b", NOW)
    assert not await store.has_grant("usr_a", "client_a", NOW + 9000)
    await store.revoke_grant(GRANT.grant_id, NOW)
    assert not await store.has_grant("usr_a", "client_a", NOW)
