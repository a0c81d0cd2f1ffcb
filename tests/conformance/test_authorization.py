"""The official suite's authorization-server scenarios against auth-server, a person at Chromium answering its URL.

The suite has a secret stay unused wherever the server offers `none`, so its client is a public one.
"""

from pathlib import Path

import pytest

from tests.conformance import suite
from tests.support.browser import Browser
from tests.support.processes import free_port
from tests.support.services import AuthServer

pytestmark = pytest.mark.slow

SCENARIOS = {"authorization-server-metadata-endpoint", "authorization-code-grant"}
CHECKS = {"authorization-server-metadata", "authorization-server-metadata-cimd", "authorization-code-grant"}


def test_the_authorization_scenarios_pass_without_a_warning(
    auth_server: AuthServer, browser: Browser, tmp_path: Path
) -> None:
    port = free_port()
    redirect_uri = f"http://127.0.0.1:{port}/callback"
    client = auth_server.create_client("--public", "--name", "Conformance suite", "--redirect-uri", redirect_uri)
    visits: list[str] = []

    def open_printed_url(line: str) -> None:
        if line.startswith(f"{auth_server.issuer}/authorize?"):
            visits.append(line)
            browser.allow(line)

    arguments = ["--url", auth_server.issuer, "--client-id", client.id, "--resource", auth_server.resource]
    report = suite.run(tmp_path, "authorization", *arguments, "--port", str(port), on_line=open_printed_url)
    assert len(visits) == 1, report.output
    assert len(report.scenarios) == len(SCENARIOS), report.output
    outcomes = {(check.id, check.status) for checks in report.scenarios.values() for check in checks}
    assert outcomes == {(check, "SUCCESS") for check in CHECKS}, report.output
    assert report.passed, report.output


def test_no_authorization_scenario_of_the_suite_is_left_out() -> None:
    assert suite.scenarios("--authorization") == SCENARIOS
