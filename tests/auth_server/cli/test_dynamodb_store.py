"""`auth-server store` with a store on DynamoDB."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.auth_server.cli.command_line import CommandLine, assert_failed
from tests.auth_server.cli.test_stores import filled, records, url
from tests.support.dynamodb_emulators import dynoxide_serving, store_url
from tests.support.emulator import CREDENTIALS

pytestmark = pytest.mark.slow


@pytest.fixture
def dynamodb_url(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """AUTH_STORE_URL, which names a table that does not exist."""
    with dynoxide_serving(tmp_path / "dynoxide") as dynoxide:
        for name, value in CREDENTIALS.items():
            monkeypatch.setenv(name, value)
        chosen = store_url(dynoxide.endpoint_url, "auth")
        monkeypatch.setenv("AUTH_STORE_URL", chosen)
        yield chosen


def test_the_table_is_made_by_one_command_and_nothing_else(run: CommandLine, dynamodb_url: str) -> None:
    command = "there is no DynamoDB table auth; make it with: auth-server store init"
    assert_failed(run("client", "list"), command)
    assert_failed(run("serve"), command)
    made = run("store", "init", "--json")
    assert (made.status, made.document) == (0, {"made": True})
    assert run("store", "init", "--json").document == {"made": False}
    assert run("client", "create", "--name", "Report", "--confidential", "--scope", "query").status == 0
    assert "Report" in run("client", "list").out


def test_a_store_moves_there_and_back(run: CommandLine, dynamodb_url: str) -> None:
    expected = filled(run.directory / "source.db")
    assert_failed(run("store", "copy", url(run.directory / "source.db"), dynamodb_url), "auth-server store init")
    run("store", "init")
    there = run("store", "copy", url(run.directory / "source.db"), dynamodb_url, "--json")
    assert (there.status, there.document) == (0, {"records": len(expected)})
    assert_failed(run("store", "copy", url(run.directory / "source.db"), dynamodb_url), "the store is not empty")
    back = run("store", "copy", dynamodb_url, url(run.directory / "back.db"), "--json")
    # What the copy there has left in the trail goes back too.
    assert (back.status, back.document) == (0, {"records": len(expected) + 1})
    assert set(records(run.directory / "back.db")) == {*expected}
