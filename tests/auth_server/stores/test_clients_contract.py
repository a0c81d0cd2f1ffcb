"""What every store promises about clients that register themselves: their number is bounded, deletion is for good."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path

import anyio
import pytest

from auth_server.domain.client import (
    DYNAMIC_LIFETIME,
    MAX_NEVER_USED,
    NEVER_USED_LIFETIME,
    AuthenticationMethod,
    Client,
    ClientSecret,
    Registration,
)
from auth_server.domain.revocation import Revocation, Revoked
from auth_server.ports.clients import Addition
from auth_server.ports.records import StoredClient
from auth_server.ports.store import Store
from tests.auth_server.stores.backends import BACKENDS
from tests.auth_server.stores.test_contract import CLIENT, CODE, FIRST, GRANT, NOW, PUBLIC, REQUEST, TRANSACTION, USER

pytestmark = pytest.mark.anyio


async def _used(store: Store) -> None:
    """A dynamic client that somebody has allowed something."""
    await store.add_client(PUBLIC)
    await store.add_user(USER)
    await store.start_transaction(replace(TRANSACTION, request=replace(REQUEST, client_id="dcr_b")))
    assert await store.approve("txn", replace(GRANT, client_id="dcr_b"), CODE, NOW)


async def test_a_deleted_dynamic_client_stays_out(store: Store) -> None:
    await store.add_client(PUBLIC)
    assert await store.delete_client("dcr_b", NOW)
    assert await store.add_client(PUBLIC) is Addition.DELETED
    assert await store.client("dcr_b") is None
    await store.sweep(NOW + 10 * DYNAMIC_LIFETIME)
    assert await store.add_client(PUBLIC) is Addition.DELETED


async def test_a_swept_dynamic_client_may_come_back(store: Store) -> None:
    await store.add_client(PUBLIC)
    await store.sweep(NOW + NEVER_USED_LIFETIME)
    assert await store.client("dcr_b") is None
    assert await store.add_client(PUBLIC) is Addition.ADDED


async def test_a_refused_approval_is_no_use_of_the_client(store: Store) -> None:
    await store.add_client(PUBLIC)
    await store.add_user(USER)
    await store.start_transaction(replace(TRANSACTION, request=replace(REQUEST, client_id="dcr_b")))
    await store.deny("txn", NOW)
    assert not await store.approve("txn", replace(GRANT, client_id="dcr_b"), CODE, NOW + 1)
    await store.sweep(NOW + NEVER_USED_LIFETIME)
    assert await store.client("dcr_b") is None


async def test_never_used_clients_go_after_a_day_and_others_stay(store: Store) -> None:
    await _used(store)
    await store.add_client(CLIENT)
    await store.add_client(replace(PUBLIC, client_id="dcr_c"))
    await store.sweep(NOW + NEVER_USED_LIFETIME - 1)
    assert await store.client("dcr_c") is not None
    await store.sweep(NOW + NEVER_USED_LIFETIME)
    assert [client.client_id for client in await store.clients()] == ["client_a", "dcr_b"]


async def test_a_used_client_goes_with_its_last_grant_after_30_days(store: Store) -> None:
    await _used(store)
    await store.revoke_grant("g", NOW)
    await store.sweep(NOW + DYNAMIC_LIFETIME - 1)
    assert await store.client("dcr_b") is not None
    await store.sweep(NOW + DYNAMIC_LIFETIME)
    assert await store.client("dcr_b") is None


async def test_a_client_goes_in_the_sweep_that_takes_its_last_grant(store: Store) -> None:
    await _used(store)
    await store.redeem("code", replace(FIRST, expires_at=NOW + 2 * DYNAMIC_LIFETIME), NOW)
    await store.sweep(NOW + DYNAMIC_LIFETIME + 1)
    assert await store.client("dcr_b") is not None
    await store.sweep(NOW + 3 * DYNAMIC_LIFETIME)
    assert await store.client("dcr_b") is None


async def test_too_many_never_used_clients_push_out_the_oldest(store: Store) -> None:
    def registered(number: int) -> Client:
        return replace(PUBLIC, client_id=f"dcr_{number}", created_at=NOW + 1 + number)

    few = MAX_NEVER_USED - 40
    await store.restore([StoredClient(registered(n), NOW + 1 + n, None) for n in range(few)])
    await _used(store)
    async with anyio.create_task_group() as group:
        for number in range(few, MAX_NEVER_USED + 3):
            group.start_soon(store.add_client, registered(number))
    kept = {client.client_id for client in await store.clients()}
    assert len(kept) == MAX_NEVER_USED + 1
    assert "dcr_b" in kept  # it has been used
    assert f"dcr_{MAX_NEVER_USED + 2}" in kept
    assert not kept & {"dcr_0", "dcr_1", "dcr_2"}


async def test_a_client_can_be_changed(store: Store) -> None:
    await store.add_client(CLIENT)
    changed = replace(
        CLIENT,
        name="Other",
        redirect_uris=("https://a/b",),
        scopes=frozenset({"query"}),
        dpop_bound=True,
        par_required=True,
    )
    assert await store.update_client(changed)
    assert await store.client("client_a") == changed
    assert await store.update_client(CLIENT)
    assert await store.client("client_a") == CLIENT
    assert not await store.update_client(PUBLIC)


async def _changed(store: Store) -> Client | None:
    changed = replace(CLIENT, name="Other")
    assert await store.update_client(changed)
    return changed


async def _with_another_secret(store: Store) -> Client | None:
    assert await store.rotate_client_secret("client_a", ClientSecret("d2", NOW + 1), NOW + 2)
    return replace(CLIENT, secrets=(ClientSecret("d1", NOW, NOW + 2), ClientSecret("d2", NOW + 1)))


async def _deleted(store: Store) -> Client | None:
    assert await store.delete_client("client_a", NOW)
    return None


@pytest.mark.parametrize("change", [_changed, _with_another_secret, _deleted])
@pytest.mark.parametrize("by_another_process", [False, True])
async def test_a_change_is_seen_at_once_however_often_the_client_was_read(
    store: Store,
    backend: str,
    tmp_path: Path,
    change: Callable[[Store], Awaitable[Client | None]],
    by_another_process: bool,
) -> None:
    await store.add_client(CLIENT)
    assert [await store.client("client_a") for _ in range(2)] == [CLIENT, CLIENT]
    async with BACKENDS[backend](tmp_path / "store") as another:
        expected = await change(another if by_another_process else store)
    assert [await store.client("client_a") for _ in range(2)] == [expected, expected]


async def test_no_reader_keeps_what_a_change_has_overtaken(store: Store, backend: str, tmp_path: Path) -> None:
    await store.add_client(CLIENT)
    async with BACKENDS[backend](tmp_path / "store") as another, anyio.create_task_group() as group:
        for n in range(40):
            for _ in range(5):
                group.start_soon(store.client, "client_a")
            named = replace(CLIENT, name=f"Name {n}")
            assert await another.update_client(named)
            assert await store.client("client_a") == named


DOCUMENT = replace(
    PUBLIC,
    client_id="https://app.example/client.json",
    registration=Registration.DOCUMENT,
    document_expires_at=NOW + 300,
)


async def test_a_document_replaces_what_it_said_before(store: Store) -> None:
    """The client stays the same one, with its grants."""
    assert await store.add_client(DOCUMENT) is Addition.ADDED
    assert await store.client(DOCUMENT.client_id) == DOCUMENT
    changed = replace(
        DOCUMENT, name="New", redirect_uris=("https://new.example/",), created_at=NOW + 9, document_expires_at=NOW + 999
    )
    assert await store.add_client(changed) is Addition.KNOWN
    assert await store.client(DOCUMENT.client_id) == replace(changed, created_at=NOW)


async def test_a_document_replaces_no_client_of_the_operators(store: Store) -> None:
    """Nor one that registered itself, should ids ever meet."""
    for number, other in enumerate((CLIENT, PUBLIC)):
        known = replace(other, client_id=f"https://app.example/{number}")
        await store.add_client(known)
        assert await store.add_client(replace(DOCUMENT, client_id=known.client_id)) is Addition.KNOWN
        assert await store.client(known.client_id) == known


async def test_a_document_can_begin_and_end_to_publish_keys(store: Store) -> None:
    await store.add_client(DOCUMENT)
    for jwks, jwks_uri in (('{"keys":[]}', None), (None, "https://app.example/jwks.json"), (None, None)):
        renewed = replace(DOCUMENT, confidential=bool(jwks or jwks_uri), jwks=jwks, jwks_uri=jwks_uri)
        assert await store.add_client(renewed) is Addition.KNOWN
        assert await store.client(DOCUMENT.client_id) == renewed


async def test_a_document_that_nobody_used_goes_after_a_day(store: Store) -> None:
    """Anybody can name any number of them."""
    await store.add_client(DOCUMENT)
    await store.sweep(NOW + NEVER_USED_LIFETIME)
    assert await store.client(DOCUMENT.client_id) is None


async def test_a_document_that_the_operator_deleted_stays_out(store: Store) -> None:
    """It would be back with the next request."""
    await store.add_client(DOCUMENT)
    assert await store.delete_client(DOCUMENT.client_id, NOW)
    assert await store.add_client(DOCUMENT) is Addition.DELETED


MANAGED = replace(
    PUBLIC,
    client_id="dcr_random",
    confidential=True,
    jwks='{"keys":[{"kty":"EC","kid":"é"}]}',
    authentication_method=AuthenticationMethod.PRIVATE_KEY_JWT,
    registration_token="token 1",
)
RENEWED = replace(
    MANAGED, name="New", jwks=None, jwks_uri="https://app.example/jwks.json", registration_token="token 2"
)


async def test_a_client_that_holds_a_token_is_changed_with_it_and_given_another(store: Store) -> None:
    await store.add_client(MANAGED)
    assert await store.client("dcr_random") == MANAGED
    assert not await store.update_client(RENEWED, "token 2")
    assert await store.client("dcr_random") == MANAGED
    assert await store.update_client(RENEWED, "token 1")
    assert await store.client("dcr_random") == RENEWED
    assert not await store.update_client(MANAGED, "token 1")
    assert await store.client("dcr_random") == RENEWED
    await store.add_client(PUBLIC)
    assert not await store.update_client(PUBLIC, "token 1")


async def test_of_many_changes_with_one_token_one_is_made(store: Store) -> None:
    await store.add_client(MANAGED)
    changes = [replace(MANAGED, name=f"Name {n}", registration_token=f"new {n}") for n in range(20)]
    made: list[Client] = []

    async def change(client: Client) -> None:
        if await store.update_client(client, "token 1"):
            made.append(client)

    async with anyio.create_task_group() as group:
        for client in changes:
            group.start_soon(change, client)
    assert [await store.client("dcr_random")] == made


async def test_a_client_that_holds_a_token_is_deleted_with_it_and_leaves_no_mark(store: Store) -> None:
    """Its id was random: a mark would keep nobody out, and anybody could leave any number of them."""
    await store.add_client(MANAGED)
    await store.add_user(USER)
    await store.start_transaction(replace(TRANSACTION, request=replace(REQUEST, client_id="dcr_random")))
    assert await store.approve("txn", replace(GRANT, client_id="dcr_random"), CODE, NOW)
    assert not await store.delete_client("dcr_random", NOW + 1, "token 2")
    assert await store.client("dcr_random") == MANAGED
    assert await store.delete_client("dcr_random", NOW + 1, "token 1")
    assert not await store.delete_client("dcr_random", NOW + 1, "token 1")
    assert await store.client("dcr_random") is None
    assert await store.grants(NOW + 1) == []
    assert Revocation(Revoked.CLIENT, "dcr_random", NOW + 1) in await store.revocations(NOW)
    await store.sweep(NOW + 2)
    assert await store.add_client(MANAGED) is Addition.ADDED


async def test_a_client_with_a_random_id_that_the_operator_deletes_leaves_no_mark(store: Store) -> None:
    await store.add_client(MANAGED)
    assert await store.delete_client("dcr_random", NOW)
    await store.sweep(NOW + 1)
    assert await store.add_client(MANAGED) is Addition.ADDED
