"""Operating-system processes on one store: whatever happens only once happens in only one of them."""

import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from auth_server.domain.client import GrantType
from tests.auth_server.flows.world import EMAIL, World, error, ok, open_world
from tests.auth_server.stores.full_store import PUSHED
from tests.auth_server.stores.racer import ATTEMPTS, TIMES
from tests.auth_server.stores.test_contract import TRANSACTION
from tests.auth_server.stores.test_devices_contract import DEVICE

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

ROOT = Path(__file__).parents[3]


class Racers:
    """Processes that have all opened the store."""

    def __init__(self, processes: Sequence["subprocess.Popen[str]"]) -> None:
        self._processes = processes
        assert [self._told(process) for process in processes] == ["ready"] * len(processes)

    def race(self, *action: str) -> list[Any]:
        """The outcome in each process, which all act at once."""
        self.begin(*action)
        return [self._told(process) for process in self._processes]

    def begin(self, *action: str) -> None:
        """Has each process act, without waiting for the outcome."""
        for process in self._processes:
            assert process.stdin is not None
            process.stdin.write(f"{json.dumps(action)}\n")
            process.stdin.flush()

    def kill_first(self) -> None:
        """Ends the first process by SIGKILL."""
        self._processes[0].kill()
        self._processes[0].wait()

    def outcomes(self, *action: str) -> list[Any]:
        """The outcomes of 40 calls in two processes."""
        told = self.race(*action)
        assert [len(each) for each in told] == [TIMES, TIMES]
        return [outcome for each in told for outcome in each]

    @staticmethod
    def _told(process: "subprocess.Popen[str]") -> Any:
        assert process.stdout is not None
        return json.loads(process.stdout.readline())


@contextmanager
def racing(backend: str, path: Path, *mode: str, processes: int = 2) -> Iterator[Racers]:
    """Processes that are gone after the block."""
    command = [sys.executable, "-m", "tests.auth_server.stores.racer", backend, str(path), *mode]
    started = [
        subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for _ in range(processes)
    ]
    try:
        yield Racers(started)
    finally:
        for process in started:
            process.kill()
            process.communicate()


async def test_c02_e02_h16_i15_what_happens_once_happens_in_one_process(backend: str, tmp_path: Path) -> None:
    """40 calls in two processes of every verb that only one caller may succeed with, or so many."""
    path = tmp_path / "store"
    async with open_world(path, backend=backend) as world:
        with racing(backend, path) as racers:
            await _race_for_tokens(world, racers)
            await _race_for_decisions(world, racers)
            await _race_for_devices(world, racers)
            for action, argument in (("use_once", "jti"), ("add_user", "bob@example.com")):
                assert racers.outcomes(action, argument).count(True) == 1, action
            assert racers.outcomes("add_client", "client_new").count("ADDED") == 1
            token = (await world.administration.initial_tokens.create(uses=1, days=1, label="")).token
            assert sorted(racers.outcomes("add_client", "", token.token_id)) == ["ADDED"] + ["NO_TOKEN"] * 39
            assert racers.outcomes("attempt", "key").count(True) == ATTEMPTS
            assert racers.outcomes("promote").count(True) == 1
            assert len(await world.store.signing_keys(world.clock.now())) == 3


async def _race_for_tokens(world: World, racers: Racers) -> None:
    client = await world.register()
    assert sorted(racers.outcomes("redeem", client.client_id, await world.code(client.client_id))) == [200] + [400] * 39
    tokens = await world.tokens(client.client_id)
    ((status, successor, _),) = set(map(tuple, racers.outcomes("refresh", client.client_id, tokens["refresh_token"])))
    assert status == 200
    newest = ok(await world.refresh(client.client_id, successor))
    handle = (await world.claims(newest["access_token"])).grant_handle
    assert racers.outcomes("revoke", handle).count(True) == 1


async def _race_for_decisions(world: World, racers: Racers) -> None:
    client, user = await world.register(), await world.store.user_by_email(EMAIL)
    assert user is not None
    for digest in ("approved", "denied"):
        transaction = replace(TRANSACTION, digest=digest, expires_at=world.clock.now() + 600)
        await world.store.start_transaction(transaction)
    await world.store.push(replace(PUSHED, expires_at=world.clock.now() + 60))
    assert racers.outcomes("start_pushed", PUSHED.digest).count(True) == 1
    before = len(await world.store.grants(world.clock.now(), user.user_id))
    assert racers.outcomes("approve", "approved", client.client_id, user.user_id).count(True) == 1
    assert len(await world.store.grants(world.clock.now(), user.user_id)) == before + 1
    assert racers.outcomes("deny", "denied").count(True) == 1


async def _race_for_devices(world: World, racers: Racers) -> None:
    """A device code that is sent 40 times gets one set of tokens; of all decisions about a device, one counts."""
    grants = [GrantType.DEVICE_CODE, GrantType.REFRESH_TOKEN]
    client, user = await world.register(grant_types=grants, redirect_uris=None), await world.store.user_by_email(EMAIL)
    assert user is not None
    codes = ok(await world.device_authorization(client_id=client.client_id, scope="query"))
    assert (await world.decided_device(codes["user_code"])).approved
    ((status, successor, access_token),) = set(
        map(tuple, racers.outcomes("poll", client.client_id, codes["device_code"]))
    )
    assert (status, (await world.claims(access_token)).subject) == (200, user.user_id)
    ok(await world.refresh(client.client_id, successor))
    ended = racers.outcomes("poll", client.client_id, codes["device_code"])  # whoever sends it now is another
    assert {status for status, _, _ in ended} == {400}
    assert error(await world.refresh(client.client_id, successor)) == (400, "invalid_grant")
    now = world.clock.now()
    waiting = replace(DEVICE, device_id="waiting", client_id=client.client_id, created_at=now, expires_at=now + 600)
    assert await world.store.start_device(waiting)
    assert racers.outcomes("decide_device", "waiting", client.client_id, user.user_id).count(True) == 1


async def test_processes_that_start_at_once_end_up_with_the_same_keys(backend: str, tmp_path: Path) -> None:
    for attempt in range(2):
        with racing(backend, tmp_path / f"store-{attempt}", "open", processes=4) as racers:
            told = racers.race("go")
        assert len({tuple(keys) for keys in told}) == 1
        (active, *published) = told[0]
        assert active in published
        assert len(published) == 2
