"""Signing keys through their life: published before use, sealed at rest, rotated without one refusal."""

import asyncio
import json
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from joserfc.jwk import ECKey, RSAKey

from auth_server.adapters.signing_keys import SNAPSHOT_AGE, WrongMasterKey, open_key_ring
from auth_server.domain.signing_key import JWKS_MAX_AGE, LONGEST_OUTAGE, PUBLICATION_LEAD, RETIRED_LIFETIME, KeyStage
from auth_server.ports.store import StoreUnavailable
from auth_server.protocol import metadata
from shared_kernel import access_token
from shared_kernel.entropy import SystemEntropy
from tests.auth_server.flows.old_keys import made_by_the_first_release
from tests.auth_server.flows.world import (
    ISSUER,
    MASTER_KEY,
    RESOURCE,
    World,
    basic,
    ok,
    open_world,
    unverified_header,
)

pytestmark = pytest.mark.anyio


async def _token(world: World, authorization: str) -> str:
    return str(ok(await world.exchange(authorization, grant_type="client_credentials"))["access_token"])


async def _authorization(world: World) -> str:
    made = await world.machine()
    return basic(made.client.client_id, str(made.client_secret))


def _kid(token: str) -> str:
    return str(unverified_header(token)["kid"])


async def test_two_keys_are_published_from_the_start(tmp_path: Path) -> None:
    async with open_world(tmp_path / "store") as world:
        published = await world.keys.published_keys()
        active = await world.keys.signing_key()
        assert len(published) == 2
        assert active.key_id in published
        assert all(key.thumbprint() == key_id for key_id, key in published.items())
        shown = metadata.jwk_set((await world.keys.published()).key_set)["keys"]
        assert [entry["alg"] for entry in shown] == ["ES256", "RS256"] * 2
        assert {entry["kid"] for entry in shown} >= set(published)
        assert all(entry.keys() <= {"kty", "crv", "x", "y", "n", "e", "kid", "use", "alg"} for entry in shown)


async def test_kid_is_the_rfc_7638_thumbprint_and_private_halves_are_sealed(tmp_path: Path) -> None:
    async with open_world(tmp_path / "store") as world:
        assert (await world.keys.signing_key()).key_id in await world.keys.published_keys()
        for key_id, sealed in world.sql("SELECT key_id, sealed FROM signing_keys"):
            opened = AESGCM(MASTER_KEY).decrypt(sealed[:12], sealed[12:], key_id.encode())
            ec, rsa = json.loads(opened)["keys"]
            assert ec["kid"] == key_id == ECKey.import_key(ec).thumbprint()
            assert rsa["kid"] == RSAKey.import_key(rsa).thumbprint()
            for private in (ec["d"], rsa["d"], rsa["p"]):
                assert private not in world.dump()
                assert private.encode() not in sealed


async def test_first_rotation_needs_no_waiting_and_tokens_of_both_keys_verify(tmp_path: Path) -> None:
    async with open_world(tmp_path / "store") as world:
        authorization = await _authorization(world)
        cached = await world.keys.published_keys()  # what a resource server fetched at the very start
        before = await _token(world, authorization)
        assert await world.keys.rotate() is None
        after = await _token(world, authorization)
        assert _kid(before) != _kid(after)
        for token in (before, after):
            assert _kid(token) in cached
            await world.claims(token)


async def test_second_rotation_waits_until_every_cache_knows_the_key(tmp_path: Path) -> None:
    async with open_world(tmp_path / "store") as world:
        assert await world.keys.rotate() is None
        assert await world.keys.rotate() == PUBLICATION_LEAD
        world.clock.time += PUBLICATION_LEAD - 1
        assert await world.keys.rotate() == 1
        world.clock.time += 1
        assert await world.keys.rotate() is None


async def test_another_process_notices_a_rotation_within_a_second(tmp_path: Path) -> None:
    path = tmp_path / "store"
    async with open_world(path) as server:
        authorization = await _authorization(server)
        before = _kid(await _token(server, authorization))
        async with open_world(path, server.clock) as command_line:
            assert await command_line.keys.rotate() is None
            expected = (await command_line.keys.signing_key()).key_id
        server.clock.time += SNAPSHOT_AGE
        after = await _token(server, authorization)
        assert _kid(after) == expected != before
        assert len(await server.keys.published_keys()) == 3


async def test_a_withdrawn_key_signs_nothing_and_is_published_nowhere_a_second_later(tmp_path: Path) -> None:
    path = tmp_path / "store"
    async with open_world(path) as server:
        authorization = await _authorization(server)
        token = await _token(server, authorization)
        async with open_world(path, server.clock) as command_line:
            assert await command_line.keys.withdraw(_kid(token))
            assert _kid(token) not in await command_line.keys.published_keys()
        server.clock.time += SNAPSHOT_AGE
        assert _kid(token) not in await server.keys.published_keys()
        with pytest.raises(access_token.TokenRefused):
            await server.claims(token)
        await server.claims(await _token(server, authorization))
        assert server.sql("SELECT count(*) FROM signing_keys") == [(2,)]


async def test_every_stage_of_key_can_be_withdrawn(tmp_path: Path) -> None:
    async with open_world(tmp_path / "store") as world:
        await world.keys.rotate()
        for stage in (KeyStage.RETIRED, KeyStage.NEXT, KeyStage.ACTIVE):
            (key_id,) = (key.key_id for key in await world.keys.keys() if key.stage is stage)
            assert await world.keys.withdraw(key_id)
            assert not await world.keys.withdraw(key_id)
            stages = sorted(key.stage for key in await world.keys.keys())
            assert stages == [KeyStage.ACTIVE, KeyStage.NEXT]
            assert key_id not in await world.keys.published_keys()


async def test_the_clock_set_back_does_not_freeze_the_keys(tmp_path: Path) -> None:
    path = tmp_path / "store"
    async with open_world(path) as server:
        async with open_world(path, server.clock) as command_line:
            await command_line.keys.rotate()
            expected = (await command_line.keys.signing_key()).key_id
        server.clock.wall -= 3600
        server.clock.time += SNAPSHOT_AGE
        assert (await server.keys.signing_key()).key_id == expected


async def test_f18_no_token_is_refused_over_many_rotations_by_caches_of_any_age(tmp_path: Path) -> None:
    """A resource server that refreshes its keys only every 300 s, and two servers whose copies are a second apart."""
    path = tmp_path / "store"
    async with open_world(path) as one, open_world(path, one.clock) as two:
        authorization = await _authorization(one)
        issued: list[tuple[float, str]] = []
        cache, fetched_at = await one.keys.published_keys(), one.clock.now()
        for step in range(160):
            one.clock.time += 29
            now = one.clock.now()
            if now - fetched_at >= JWKS_MAX_AGE:
                cache, fetched_at = await (one, two)[step % 2].keys.published_keys(), now
            if step % 3 == 0:
                await one.keys.rotate()
            issued.append((now, await _token((one, two)[step % 2], authorization)))
            issued = [(at, token) for at, token in issued if now < at + access_token.LIFETIME]
            for _, token in issued:
                access_token.verify(token, keys=cache, issuer=ISSUER, audience=RESOURCE, now=now)
        assert len({key_id for (key_id,) in one.sql("SELECT key_id FROM signing_keys")}) >= 4


async def test_a_process_without_its_store_signs_for_a_while(tmp_path: Path) -> None:
    path = tmp_path / "store"
    async with open_world(path) as one:
        key = await one.keys.signing_key()
        one.store.close()  # type: ignore[attr-defined]
        one.clock.time += LONGEST_OUTAGE - 0.1
        assert await one.keys.signing_key() is key
        one.clock.time += 0.2
        with pytest.raises(StoreUnavailable):
            await one.keys.signing_key()
        assert key.key_id in await one.keys.published_keys()


async def test_a_token_outlives_no_key_although_a_rotation_was_missed(tmp_path: Path) -> None:
    """A process whose store is away signs with the old key to the last moment; the others have rotated."""
    path = tmp_path / "store"
    async with open_world(path) as cut_off, open_world(path, cut_off.clock) as other:
        clock, authorization = other.clock, await _authorization(other)
        await _token(cut_off, authorization)
        cut_off.store.close()  # type: ignore[attr-defined]
        assert await other.keys.rotate() is None
        clock.time += LONGEST_OUTAGE - 0.1
        late = await _token(cut_off, authorization)
        clock.time += access_token.LIFETIME - 1
        await other.claims(late)


async def test_retired_keys_go_when_no_token_of_theirs_can_be_left(tmp_path: Path) -> None:
    async with open_world(tmp_path / "store") as world:
        token = await _token(world, await _authorization(world))
        retired = _kid(token)
        await world.keys.rotate()
        world.clock.time += RETIRED_LIFETIME - 1
        assert retired in await world.keys.published_keys()
        world.clock.time += 1
        assert retired not in await world.keys.published_keys()
        await world.store.sweep(world.clock.now())
        assert world.sql("SELECT count(*) FROM signing_keys") == [(2,)]


async def test_wrong_master_key_is_one_clear_error(tmp_path: Path) -> None:
    async with open_world(tmp_path / "store") as world:
        with pytest.raises(WrongMasterKey, match="master key"):
            await open_key_ring(world.store, b"x" * 32, world.clock, SystemEntropy())
        again = await open_key_ring(world.store, MASTER_KEY, world.clock, SystemEntropy())
        assert (await again.signing_key()).key_id == (await world.keys.signing_key()).key_id


async def test_of_many_processes_that_find_a_key_old_one_rotates(tmp_path: Path) -> None:
    path = tmp_path / "store"
    async with open_world(path) as world, open_world(path, clock=world.clock) as other:
        assert not await world.keys.rotate_older(1000)
        world.clock.time += 1000
        outcomes = await asyncio.gather(*(each.keys.rotate_older(1000) for each in (world, other) * 5))
        assert sorted(outcomes) == [False] * 9 + [True]
        assert not await other.keys.rotate_older(1000)


async def test_keys_of_the_first_release_sign_everything_until_they_are_rotated_out(tmp_path: Path) -> None:
    path = tmp_path / "store"
    async with open_world(path) as world:
        await made_by_the_first_release(world)
    async with open_world(path) as world:
        authorization = await _authorization(world)
        token = await _token(world, authorization)
        await world.claims(token)
        assert (await world.keys.published()).key_set == await world.keys.published_keys()
        assert (await world.keys.id_token_key()).kid == _kid(token)
        assert await world.keys.rotate() is None
        world.clock.time += PUBLICATION_LEAD
        await world.claims(token)
        assert isinstance(await world.keys.id_token_key(), ECKey)
        assert await world.keys.rotate() is None
        assert isinstance(await world.keys.id_token_key(), RSAKey)
        await world.claims(await _token(world, authorization))


async def test_both_keys_of_a_generation_go_when_either_is_withdrawn(tmp_path: Path) -> None:
    async with open_world(tmp_path / "store") as world:
        for of_id_tokens in (True, False):
            rsa, ec = (await world.keys.id_token_key()).kid, (await world.keys.signing_key()).key_id
            assert {rsa, ec} <= set((await world.keys.published()).key_set)
            assert await world.keys.withdraw(str(rsa) if of_id_tokens else ec)
            assert not {rsa, ec} & set((await world.keys.published()).key_set)
            assert (await world.keys.id_token_key()).kid != rsa


async def test_a_process_without_its_store_signs_id_tokens_for_a_while(tmp_path: Path) -> None:
    async with open_world(tmp_path / "store") as one:
        key = await one.keys.id_token_key()
        one.store.close()  # type: ignore[attr-defined]
        one.clock.time += LONGEST_OUTAGE - 0.1
        assert await one.keys.id_token_key() is key
        one.clock.time += 0.2
        with pytest.raises(StoreUnavailable):
            await one.keys.id_token_key()
        assert key.kid in (await one.keys.published()).key_set
