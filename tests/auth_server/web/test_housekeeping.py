"""What runs beside the requests, and must not end the service."""

import sqlite3
from pathlib import Path

import anyio
import pytest
from structlog.testing import capture_logs

from auth_server.app import serving
from shared_kernel.access_token import unverified_key_id
from tests.auth_server.web.site import Seed, Site, opened

pytestmark = pytest.mark.anyio


async def test_the_service_survives_a_sweep_that_fails(
    seed: Seed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(serving, "HOUSEKEEPING_SECONDS", 0.001)
    async with opened(seed, tmp_path) as site:
        with sqlite3.connect(site.database) as db:
            db.execute("CREATE TRIGGER stuck BEFORE DELETE ON sessions BEGIN SELECT RAISE(ABORT, 'stuck'); END")
            db.execute("INSERT INTO sessions SELECT 'expired', user_id, 0, 0 FROM users")
        db.close()
        with capture_logs() as lines, anyio.fail_after(30):
            while sum(line["event"] == "sweep_failed" for line in lines) < 2:
                await anyio.lowlevel.checkpoint()
        assert (await site.browser.get("/readyz")).status_code == 200
        with sqlite3.connect(site.database) as db:
            db.execute("DROP TRIGGER stuck")
        db.close()
        with anyio.fail_after(30):
            while site.rows("sessions"):
                await anyio.lowlevel.checkpoint()


async def test_another_key_signs_once_the_active_one_is_old(
    seed: Seed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(serving, "HOUSEKEEPING_SECONDS", 0.001)
    async with opened(seed, tmp_path, key_rotation_days=30) as site:
        first = await key_in_use(site)
        with capture_logs() as lines:
            site.clock.time += 30 * 86400 - 60
            assert await key_in_use(site) == first
            site.clock.time += 120
            with anyio.fail_after(30):
                while not any(line["event"] == "signing_key_rotated" for line in lines):
                    await anyio.lowlevel.checkpoint()
        (rotated,) = [line for line in lines if line["event"] == "signing_key_rotated"]
        assert rotated["key_id"] == await key_in_use(site) != first


async def test_keys_are_left_alone_when_the_operator_says_so(
    seed: Seed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(serving, "HOUSEKEEPING_SECONDS", 0.001)
    async with opened(seed, tmp_path, key_rotation_days=0) as site:
        first = await key_in_use(site)
        site.clock.time += 4000 * 86400
        with capture_logs() as lines, anyio.fail_after(30):
            while sum(line["event"] == "audit_head" for line in lines) < 3:
                await anyio.lowlevel.checkpoint()
        assert await key_in_use(site) == first


async def key_in_use(site: Site) -> str:
    """The id of the key that signs."""
    return unverified_key_id((await site.bot_token()).json()["access_token"])
