"""Every server scenario of the official suite, for every revision that mcp-server speaks, through its guard.

The tools, resources and prompts of fixed names that the scenarios want are a profile of ours, which stands in for the
product's behind the same guard, transport and surface.
"""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conformance import suite
from tests.support.emulator import Emulator
from tests.support.processes import REPOSITORY, answers, running
from tests.support.services import Addresses, AuthServer, mcp_environment

pytestmark = pytest.mark.slow

REVISIONS = ("2026-07-28", "2025-11-25", "2025-06-18")
NOT_APPLICABLE = {
    # It deletes a session that the handshake gave it. Its client shows no forms, and only those that do get one.
    "server-session-lifecycle",
    # It goes on with a stream that the server closed, from an event's id. Nothing is kept of an exchange here: a stream
    # ends with its reply, and a call whose connection breaks is made again.
    "server-sse-polling",
}
"""Scenarios about what a server may have and this one has not; the suite then passes no judgement."""


@pytest.fixture(scope="module")
def url(auth_server: AuthServer, emulator: Emulator, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The profile, served so that every request carries a token."""
    directory = tmp_path_factory.mktemp("conformance")
    # It has the resource of the session's mcp-server, so that the session's auth-server makes tokens for it; only its
    # port is its own.
    addresses = Addresses(auth_port=int(auth_server.issuer.rsplit(":", 1)[1]))
    environment = mcp_environment(addresses, directory, emulator.endpoint_url, MCP_RESOURCE=auth_server.resource)
    environment |= {"CONFORMANCE_TOKEN": auth_server.token(), "PYTHONPATH": str(REPOSITORY)}
    command = [sys.executable, "-m", "tests.conformance.serve_profile"]
    origin = f"http://localhost:{addresses.mcp_port}"
    log = directory / "mcp-server.log"
    with running("the profile with a token", command, environment, log, answers(f"{origin}/readyz")):
        yield f"{origin}/mcp"


@pytest.mark.parametrize("revision", REVISIONS)
def test_every_server_scenario_passes(revision: str, url: str, tmp_path: Path) -> None:
    scenarios = suite.scenarios("--server", "--spec-version", revision)
    report = suite.run(tmp_path, "server", "--url", url, "--suite", "all", "--spec-version", revision)
    assert report.of_status("FAILURE") | report.of_status("WARNING") | report.of_status("SKIPPED") == set(), (
        report.output
    )
    passed = {scenario for scenario, _check, _message in report.of_status("SUCCESS")}
    assert scenarios - passed == scenarios & NOT_APPLICABLE, report.output
    assert report.passed, report.output
