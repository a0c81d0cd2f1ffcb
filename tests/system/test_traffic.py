"""What happens at the same moment: parallel refreshes, key rotation under traffic."""

import base64
import json
import subprocess
import threading
from concurrent.futures import ThreadPoolExecutor

import httpx2
import pytest

from tests.support.concurrency import at_once
from tests.support.grants import new_code, new_grant
from tests.support.mcp_wire import Wire
from tests.support.processes import SCRIPTS, wait_for
from tests.support.services import AuthServer, McpServer, run_cli

pytestmark = pytest.mark.slow

CALLERS = 40


def test_e02_forty_parallel_refreshes_give_forty_answers_and_one_successor(auth_server: AuthServer) -> None:
    grant = new_grant(auth_server)
    answered = at_once([grant.refresh] * CALLERS)
    assert [answer.status_code for answer in answered] == [200] * CALLERS
    successors = {answer.json()["refresh_token"] for answer in answered}
    assert len(successors) == 1
    assert grant.refresh(refresh_token=successors.pop()).status_code == 200


def test_a_replayed_code_takes_back_what_it_gave(auth_server: AuthServer) -> None:
    """RFC 6749 §4.1.2: "SHOULD revoke (when possible) all tokens previously issued" under it."""
    code = new_code(auth_server)
    refresh_token = code.redeem().json()["refresh_token"]
    assert code.redeem().status_code == 400
    form = {"grant_type": "refresh_token", "refresh_token": refresh_token, "client_id": code.client.id}
    refused = httpx2.post(f"{auth_server.issuer}/token", data=form)
    assert (refused.status_code, refused.json()["error"]) == (400, "invalid_grant")


def key_id(token: str) -> str:
    """The kid of a JWT's header."""
    header, _, _ = token.partition(".")
    return str(json.loads(base64.urlsafe_b64decode(header + "=" * (-len(header) % 4)))["kid"])


def test_keys_rotate_under_traffic_without_a_single_401(auth_server: AuthServer, mcp_server: McpServer) -> None:
    """Fresh and older tokens are used all the time while the signing key changes."""
    older = Wire(mcp_server.resource, auth_server.token())
    statuses: list[int] = []
    signed_with: list[str] = []
    ended = threading.Event()

    def use() -> None:
        while not ended.is_set():
            token = auth_server.token()
            signed_with.append(key_id(token))
            statuses.append(Wire(mcp_server.resource, token).send("tools/list").status_code)
            statuses.append(older.send("tools/list").status_code)

    with ThreadPoolExecutor(4) as pool:
        callers = [pool.submit(use) for _ in range(4)]
        try:
            wait_for(lambda: len(statuses) >= 20, 60, "traffic with the old key")
            run_cli(auth_server.server.environment, "key", "rotate")
            wait_for(lambda: len(set(signed_with)) == 2, 30, "tokens signed with the new key")
            enough = len(statuses) + 60
            wait_for(lambda: len(statuses) >= enough, 60, "traffic with the new key")
        finally:
            ended.set()
        for caller in callers:
            caller.result()
    assert set(statuses) == {200}


def test_a_second_rotation_waits_until_every_cache_knows_the_next_key(auth_server: AuthServer) -> None:
    """Whoever verifies offline may hold the key set for a while: a key signs only after it has been published as long.

    Runs after the rotation above, or makes that rotation itself.
    """
    command = [str(SCRIPTS / "auth-server"), "key", "rotate"]
    runs = [
        subprocess.run(
            command, env=auth_server.server.environment, capture_output=True, text=True, timeout=60, check=False
        )
        for _ in range(2)
    ]
    assert runs[-1].returncode == 1
    assert "try again in" in runs[-1].stderr
    assert len(runs[-1].stderr.splitlines()) == 1
