"""What all tests of mcp-server have."""

from collections.abc import Iterator

import pytest

from mcp_server.adapters.dynamodb import pace, requesting, responses
from tests.support.hasty_retries import HASTE, hasten_retries
from tests.support.light_sdk import lighten_sessions


@pytest.fixture(scope="session", autouse=True)
def light_sdk() -> Iterator[None]:
    """Hundreds of tests have clients of DynamoDB of their own, and half of their time was spent on those files."""
    with pytest.MonkeyPatch.context() as patch:
        lighten_sessions(patch)
        yield


@pytest.fixture(autouse=True)
def hasty(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a slow test, requests to DynamoDB are made again after a fiftieth of the pause that a service makes.

    That the pauses before a table that throttles grow is shown with a clock of the test's own (adapters/test_pace.py).
    """
    if request.node.get_closest_marker("slow") is None:
        return
    hasten_retries(monkeypatch)
    for module, name in (
        (pace, "FIRST_PAUSE_SECONDS"),
        (pace, "LONGEST_PAUSE_SECONDS"),
        (requesting, "FIRST_PAUSE_SECONDS"),
        (responses, "FIRST_PAUSE_SECONDS"),
    ):
        monkeypatch.setattr(module, name, getattr(module, name) / HASTE)
