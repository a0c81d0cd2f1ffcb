"""Two operating-system processes on one store: C02 and E02 across processes, and the first signing key."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.auth_server.flows.world import ok, open_world

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

ROOT = Path(__file__).parents[3]
LIMIT = 60


def _race(backend: str, path: Path, *action: str, processes: int = 2) -> list[list[list[str]]]:
    """The outcomes of each process; all have opened the store before any acts."""
    command = [sys.executable, "-m", "tests.auth_server.stores.racer", backend, str(path), *action]
    racers = [
        subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for _ in range(processes)
    ]
    try:
        for racer in racers:
            assert racer.stdout is not None
            assert racer.stdout.readline() == "ready\n"
        for racer in racers:
            assert racer.stdin is not None
            racer.stdin.write("go\n")
            racer.stdin.flush()
        return [json.loads(racer.communicate(timeout=LIMIT)[0]) for racer in racers]
    finally:
        for racer in racers:
            racer.kill()
            racer.communicate()


async def test_c02_of_40_redemptions_in_two_processes_one_succeeds(backend: str, tmp_path: Path) -> None:
    path = tmp_path / "store"
    async with open_world(path, backend=backend) as world:
        client = await world.register()
        code = await world.code(client.client_id)
        outcomes = _race(backend, path, "redeem", client.client_id, code)
    assert [len(each) for each in outcomes] == [20, 20]
    statuses = [status for each in outcomes for (status,) in each]
    assert sorted(statuses) == ["200"] + ["400"] * 39


async def test_e02_40_refreshes_in_two_processes_get_40_answers_and_one_successor(backend: str, tmp_path: Path) -> None:
    path = tmp_path / "store"
    async with open_world(path, backend=backend) as world:
        client = await world.register()
        tokens = await world.tokens(client.client_id)
        outcomes = _race(backend, path, "refresh", client.client_id, tokens["refresh_token"])
        answers = [tuple(answer) for each in outcomes for answer in each]
        assert len(answers) == 40
        assert len(set(answers)) == 1
        status, successor, _ = answers[0]
        assert status == "200"
        ok(await world.refresh(client.client_id, successor))


async def test_processes_that_start_at_once_end_up_with_the_same_keys(backend: str, tmp_path: Path) -> None:
    for attempt in range(3):
        outcomes = _race(backend, tmp_path / f"store-{attempt}", "open", processes=4)
        assert len({tuple(keys) for (keys,) in outcomes}) == 1
        (active, *published) = outcomes[0][0]
        assert active in published
        assert len(published) == 2
