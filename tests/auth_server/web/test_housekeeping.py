"""What runs beside the requests, and must not end the service."""

import sqlite3
from pathlib import Path

import anyio
import pytest
from structlog.testing import capture_logs

from auth_server import app
from tests.auth_server.web.site import Seed, opened

pytestmark = pytest.mark.anyio


async def test_the_service_survives_a_sweep_that_fails(
    seed: Seed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(app, "SWEEP_SECONDS", 0.001)
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
