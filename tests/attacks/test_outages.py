"""Attacks on a server whose store fails, over HTTP, on running servers: cases C15, E14, E16, I20, I22."""

import re
import shutil
import sqlite3
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import httpx2
import pytest

from tests.attacks.target import LOOPBACK, Target, assert_refused
from tests.support.concurrency import at_once
from tests.support.people import Pkce
from tests.support.processes import answers, wait_for
from tests.support.redis_server import redis_serving
from tests.support.services import Addresses, auth_serving
from tests.support.store_servers import SqliteFile

pytestmark = pytest.mark.slow

MOST = 4
TELLING = re.compile(r"Traceback|Error\b|sqlite|SELECT|broken|\.py|/tmp")


@pytest.fixture(scope="module")
def fragile(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Target]:
    """A server of its own, on SQLite, that works on few requests at once."""
    settings = {"AUTH_TRUSTED_PROXIES": "127.0.0.1", "AUTH_MAX_CONCURRENT_REQUESTS": str(MOST)}
    with (
        auth_serving(Addresses(), tmp_path_factory.mktemp("fragile"), **settings) as server,
        httpx2.Client(base_url=server.issuer, timeout=60) as browser,
    ):
        yield Target(server, browser)


def test_e14_i22_without_a_store_nothing_is_used_up_and_nobody_waits_in_line(fragile: Target) -> None:
    pkce = Pkce()
    code, token = fragile.code(pkce), fragile.tokens()["refresh_token"]
    store = SqliteFile(fragile.server.directory / "auth.db")
    store.stall()
    try:
        given = at_once([partial(fragile.redeem, code, pkce), *[partial(fragile.refresh, token)] * (4 * MOST)])
        with fragile.stranger() as stranger:
            assert stranger.get("/livez").status_code == 200
    finally:
        store.resume()
    for answer in given:
        assert_refused(answer, 503, "temporarily_unavailable")
        assert int(answer.headers["retry-after"]) > 0
        assert not TELLING.search(answer.text)
    assert any("busy" in answer.text for answer in given)
    assert fragile.redeem(code, pkce).status_code == 200
    assert fragile.refresh(token).status_code == 200


def test_i20_a_crash_tells_nothing(fragile: Target) -> None:
    client = fragile.server.create_client("--confidential", "--name", "Damaged", "--redirect-uri", LOOPBACK)
    with sqlite3.connect(fragile.server.directory / "auth.db") as db:
        statement = "UPDATE clients SET redirect_uris = 'broken', grant_types = 'broken' WHERE client_id = ?"
        db.execute(statement, (client.id,))
    db.close()
    answer = fragile.token(client, grant_type="client_credentials")
    assert_refused(answer, 500, "server_error")
    page = fragile.authorize(client_id=client.id)
    assert page.status_code == 500
    assert page.headers["x-frame-options"] == "DENY"
    assert page.headers["cache-control"] == "no-store"
    for text in (answer.text, page.text):
        assert not TELLING.search(text)


def test_c15_e16_a_fail_over_that_forgets_gives_nobody_a_second_family(tmp_path: Path) -> None:
    """What a replica that lags brings back: the store as it was before a code was redeemed and a token rotated."""
    with redis_serving(tmp_path / "redis") as redis:
        settings = {"AUTH_STORE_URL": redis.url, "AUTH_TRUSTED_PROXIES": "127.0.0.1"}
        with (
            auth_serving(Addresses(), tmp_path, **settings) as server,
            httpx2.Client(base_url=server.issuer, timeout=60) as browser,
        ):
            target, pkce = Target(server, browser), Pkce()
            code, first = target.code(pkce), target.tokens()["refresh_token"]
            lagging = shutil.copytree(redis.directory / "appendonlydir", tmp_path / "lagging")
            forgotten = target.redeem(code, pkce).json()["refresh_token"]
            second = target.refresh(first).json()["refresh_token"]
            redis.server.kill()
            shutil.rmtree(redis.directory / "appendonlydir")
            shutil.copytree(lagging, redis.directory / "appendonlydir")
            redis.restart()
            wait_for(answers(f"{server.issuer}/readyz"), 60, "the store")

            given = target.redeem(code, pkce).json()["refresh_token"]
            assert_refused(target.refresh(forgotten), 400, "invalid_grant")
            assert_refused(target.redeem(code, pkce), 400, "invalid_grant")
            assert_refused(target.refresh(given), 400, "invalid_grant")

            thief = target.refresh(first).json()["refresh_token"]
            assert_refused(target.refresh(second), 400, "invalid_grant")
            assert_refused(target.refresh(thief), 400, "invalid_grant")
