"""The official suite's server scenarios that need no fixtures, against mcp-server, through its guard.

The other scenarios want tools, resources and prompts of fixed names (`test_simple_text`, `test://...`) that only a test
server has, or protocol features that this server does not offer (sessions, sampling, elicitation, logging).
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

NO_FIXTURE = "Not testable: server does not list the diagnostic tool"
NO_SUCH_METHOD = "JSON-RPC error -32601: Method not found"

# Of a scenario, the checks that cannot pass here and what the suite says of each; every other check must succeed.
SCENARIOS: dict[tuple[str, str], dict[str, str]] = {
    ("2026-07-28", "server-stateless"): {
        "sep-2575-server-rejects-undeclared-capability": NO_FIXTURE,
        "sep-2575-missing-capability-http-400": NO_FIXTURE,
        "sep-2575-http-server-no-independent-requests-on-stream": NO_FIXTURE,
        "sep-2575-server-no-log-without-loglevel": NO_FIXTURE,
    },
    ("2026-07-28", "tools-list"): {},
    # There are no prompts and no resources, so their lists cannot carry hints.
    ("2026-07-28", "caching"): {
        "sep-2549-prompts-list-caching-hints": NO_SUCH_METHOD,
        "sep-2549-resources-list-caching-hints": NO_SUCH_METHOD,
        "sep-2549-resources-templates-list-caching-hints": NO_SUCH_METHOD,
    },
    ("2026-07-28", "server-sse-multiple-streams"): {},
    ("2026-07-28", "dns-rebinding-protection"): {},
    ("2026-07-28", "http-header-validation"): {},
    ("2026-07-28", "input-required-result-unsupported-methods"): {},
    ("2025-11-25", "server-initialize"): {},
    ("2025-11-25", "ping"): {},
    ("2025-11-25", "tools-list"): {},
    ("2025-11-25", "dns-rebinding-protection"): {},
    ("2025-06-18", "server-initialize"): {},
    ("2025-06-18", "ping"): {},
    ("2025-06-18", "tools-list"): {},
}


@pytest.fixture(scope="module")
def url(auth_server: AuthServer, emulator: Emulator, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """An mcp-server that takes every request for one that carries a token."""
    directory = tmp_path_factory.mktemp("conformance")
    # It has the resource of the session's mcp-server, so that the session's auth-server makes tokens for it; only its
    # port is its own.
    addresses = Addresses(auth_port=int(auth_server.issuer.rsplit(":", 1)[1]))
    environment = mcp_environment(addresses, directory, emulator.endpoint_url, MCP_RESOURCE=auth_server.resource)
    environment |= {"CONFORMANCE_TOKEN": auth_server.token(), "PYTHONPATH": str(REPOSITORY)}
    command = [sys.executable, "-m", "tests.conformance.serve_with_token"]
    origin = f"http://localhost:{addresses.mcp_port}"
    log = directory / "mcp-server.log"
    with running("mcp-server with a token", command, environment, log, answers(f"{origin}/readyz")):
        yield f"{origin}/mcp"


@pytest.mark.parametrize(("revision", "scenario"), SCENARIOS)
def test_a_server_scenario_passes(revision: str, scenario: str, url: str, tmp_path: Path) -> None:
    report = suite.run(tmp_path, "server", "--url", url, "--scenario", scenario, "--spec-version", revision)
    checks = [check for scenario_checks in report.scenarios.values() for check in scenario_checks]
    assert any(check.status == "SUCCESS" for check in checks), f"the scenario was not run:\n{report.output}"
    failed = {check.id: check.message for check in checks if check.status in {"FAILURE", "WARNING"}}
    cannot_pass = SCENARIOS[revision, scenario]
    assert failed.keys() == cannot_pass.keys(), report.output
    for check, message in cannot_pass.items():
        assert message in failed[check]
    assert report.passed == (not cannot_pass), report.output
