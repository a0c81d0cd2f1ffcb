"""A store of the first release goes on working. first_release.sql is the dump of one, made by that release's code."""

import contextlib
import sqlite3
from pathlib import Path

import pytest

from auth_server.adapters.sqlite_store import migrations
from auth_server.adapters.sqlite_store.store import SqliteStore
from auth_server.domain.user import Session
from tests.auth_server.flows.world import EMAIL, basic, error, ok, open_world

pytestmark = pytest.mark.anyio

MACHINE, SECRET = "client_CPWfEeSiWmhkbLILtd8_jg", "cs_l2Nil2vGLmR3UZBDMtfAW30G9Nsbeup5w_LZU7Y5V1Y"
CLIENT = "dcr_I615cGuXBtYCachC-hRTy7bo-WlDJ5xr"
FIRST = "rt_-LqrvJV7WMKY09HU3Wk-hQ.xG-b5WDlCvYetBIlnVsvoQNfNtk-XFdd62oWJ7PsKhk"
PREVIOUS = "rt_-LqrvJV7WMKY09HU3Wk-hQ.83UGWQ-7CsYU1MXFP_YmSGf4OVSuINf2mS2fOhzgRZs"
LIVE = "rt_-LqrvJV7WMKY09HU3Wk-hQ.jDM8E3s_ucIcIi5zrk4NgoYjw4GzU5b3WquZWTAoibs"
CODE = "ac_kuzI6ROFNcpQ5kdcmxieow.EIfgFWCBMzH0r1mXFw0kOxNjpnkUs0UD01jGJcEiKwo"
RETIRED_KEY = "-bBgPlK8zzHwFMEEjV6B6qE67JJtQj2011h2_CqRDUA"


@pytest.fixture
def old_store(tmp_path: Path) -> Path:
    """The path of a store that the first release has left."""
    path = tmp_path / "store"
    with contextlib.closing(sqlite3.connect(path)) as db:
        db.executescript((Path(__file__).parent / "first_release.sql").read_text("utf-8"))
    path.chmod(0o600)
    return path


async def test_clients_and_keys_go_on(old_store: Path) -> None:
    async with open_world(old_store) as world:
        tokens = ok(await world.exchange(basic(MACHINE, SECRET), grant_type="client_credentials"))
        await world.claims(tokens["access_token"])
        assert RETIRED_KEY in await world.keys.published_keys()


async def test_codes_go_on(old_store: Path) -> None:
    async with open_world(old_store) as world:
        refresh_token = ok(await world.redeem(CLIENT, CODE))["refresh_token"]
        ok(await world.refresh(CLIENT, refresh_token))
        assert error(await world.redeem(CLIENT, CODE)) == (400, "invalid_grant")


async def test_refresh_tokens_go_on(old_store: Path) -> None:
    async with open_world(old_store) as world:
        successor = ok(await world.refresh(CLIENT, LIVE))["refresh_token"]
        assert ok(await world.refresh(CLIENT, LIVE))["refresh_token"] == successor
        newest = ok(await world.refresh(CLIENT, successor))["refresh_token"]
        assert error(await world.refresh(CLIENT, LIVE)) == (400, "invalid_grant")
        # The old spelling of the token names no family; the new one does, and is recognised for good.
        newest = ok(await world.refresh(CLIENT, newest))["refresh_token"]
        assert error(await world.refresh(CLIENT, successor)) == (400, "invalid_grant")
        assert error(await world.refresh(CLIENT, newest)) == (400, "invalid_grant")


async def test_the_last_response_is_replayed(old_store: Path) -> None:
    async with open_world(old_store) as world:
        assert ok(await world.refresh(CLIENT, PREVIOUS))["refresh_token"] == LIVE
        assert error(await world.refresh(CLIENT, FIRST)) == (400, "invalid_grant")


async def test_reuse_of_the_last_rotated_token_revokes(old_store: Path) -> None:
    async with open_world(old_store) as world:
        ok(await world.refresh(CLIENT, LIVE))
        world.clock.time += 120
        assert error(await world.refresh(CLIENT, LIVE)) == (400, "invalid_grant")
        assert world.sql("SELECT count(*) FROM grants WHERE revoked_at IS NOT NULL") == [(1,)]


async def test_people_sessions_and_used_clients_are_kept(old_store: Path) -> None:
    async with open_world(old_store) as world:
        user = await world.store.user_by_email(EMAIL)
        assert user is not None
        assert user.disabled_at is None
        (session,) = await world.store.sessions(world.clock.now())
        assert isinstance(session, Session)
        world.clock.time += 7 * 86400
        await world.store.sweep(world.clock.now())
        assert {client.client_id for client in await world.store.clients()} == {CLIENT, MACHINE}


def test_a_new_store_and_a_migrated_one_have_the_same_schema(old_store: Path, tmp_path: Path) -> None:
    for path in (old_store, tmp_path / "new"):
        SqliteStore.open(path).close()
    assert _schema(old_store) == _schema(tmp_path / "new")


def test_migration_is_done_once_and_whole(old_store: Path) -> None:
    SqliteStore.open(old_store).close()
    before = _schema(old_store)
    SqliteStore.open(old_store).close()
    assert _schema(old_store) == before
    with contextlib.closing(sqlite3.connect(old_store)) as db:
        assert migrations.version(db) == migrations.known_version()


def _schema(path: Path) -> list[tuple[str, ...]]:
    with contextlib.closing(sqlite3.connect(path)) as db:
        return db.execute("SELECT type, name, tbl_name, sql FROM sqlite_schema ORDER BY type, name").fetchall()
