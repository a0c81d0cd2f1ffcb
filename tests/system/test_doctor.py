"""`auth-server doctor` over running pairs of services, healthy and broken in every way that it looks for."""

import asyncio
import itertools
import json
import ssl
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import formatdate
from pathlib import Path
from typing import Any

import anyio
import pytest
import trustme

from auth_server.adapters.outside import OverHttp
from auth_server.domain.finding import Check, Finding, Verdict
from auth_server.flows.doctor.doctor import Doctor
from shared_kernel.clock import SystemClock
from tests.support.emulator import Emulator
from tests.support.gateway import Gateway, listening_on
from tests.support.processes import SCRIPTS, clean_environment, free_port
from tests.support.services import Addresses, AuthServer, McpServer, auth_serving, mcp_serving
from tests.support.tampering import Passing, Tamper, Tampering

pytestmark = [pytest.mark.slow, pytest.mark.anyio]

METADATA = "/.well-known/oauth-authorization-server"
OPENID = "/.well-known/openid-configuration"
KEYS = "/.well-known/jwks.json"
PROTECTED = "/.well-known/oauth-protected-resource"


def run(*arguments: str, **environment: str) -> tuple[int, str]:
    """The status and output of the command, which has no settings."""
    command = [str(SCRIPTS / "auth-server"), "doctor", *arguments]
    done = subprocess.run(
        command, env=clean_environment(**environment), capture_output=True, text=True, check=False, timeout=120
    )
    assert done.stderr == ""
    return done.returncode, done.stdout


def test_a_healthy_deployment_on_two_hosts(auth_server: AuthServer, mcp_server: McpServer) -> None:
    """Every check that applies to plain http is made."""
    status, output = run(auth_server.issuer, "--resource", mcp_server.resource, "--json")
    told = json.loads(output)
    assert status == 0, output
    assert {finding["verdict"] for finding in told["findings"]} == {"ok"}
    checks = {finding["check"] for finding in told["findings"]}
    assert checks == set(Check) - {Check.REACHABLE, Check.PLAIN_HTTP, Check.REDIRECT}
    assert {finding["url"] for finding in told["findings"]} >= {
        mcp_server.resource,
        f"{auth_server.issuer}/revocations",
    }


def test_a_resource_that_is_not_named_and_cannot_be_learnt_is_a_warning(auth_server: AuthServer) -> None:
    status, output = run(auth_server.issuer)
    assert status == 0
    assert [line for line in output.splitlines() if line.startswith("warning")] == [
        f"warning  protected-resource {auth_server.issuer}  no resource was named, and none is found at this origin."
        " Name each MCP server with --resource URL to have it examined."
    ]


@dataclass(frozen=True, slots=True)
class OneHost:
    """A pair behind a proxy that speaks TLS."""

    issuer: str
    resource: str
    proxy: Tampering
    authority: trustme.CA
    authority_file: Path
    numbers: "itertools.count[int]"

    async def examined(self, tamper: Tamper) -> list[Finding]:
        """What is found while the proxy tampers with what goes through it."""
        self.proxy.tamper = tamper
        # Another machine each time: the server slows down whoever fails to authenticate again and again.
        self.proxy.address = f"198.18.1.{next(self.numbers)}"
        clock, trusted = SystemClock(), ssl.create_default_context()
        self.authority.configure_trust(trusted)
        try:
            return await Doctor(OverHttp(clock, certificates=trusted), clock).examine(self.issuer)
        finally:
            self.proxy.tamper = lambda _passing: None


@pytest.fixture(scope="module")
def one_host(emulator: Emulator, tmp_path_factory: pytest.TempPathFactory) -> Iterator[OneHost]:
    directory, addresses = tmp_path_factory.mktemp("doctor"), Addresses(gateway_port=free_port(), scheme="https")
    authority = trustme.CA()
    certificate, authority_file = directory / "certificate.pem", directory / "authority.pem"
    authority.issue_cert("localhost").private_key_and_cert_chain_pem.write_to_path(certificate)
    authority.cert_pem.write_to_path(authority_file)
    origins = (f"http://localhost:{port}" for port in (addresses.auth_port, addresses.mcp_port))
    proxy = Tampering(Gateway(*origins))
    with (
        listening_on(addresses.gateway_port, proxy, certificate),
        auth_serving(addresses, directory, AUTH_TRUSTED_PROXIES="127.0.0.1"),
        mcp_serving(addresses, directory, emulator.endpoint_url, SSL_CERT_FILE=str(authority_file)),
    ):
        yield OneHost(addresses.issuer, addresses.resource, proxy, authority, authority_file, itertools.count(1))


def test_a_healthy_deployment_on_one_host_over_tls(one_host: OneHost) -> None:
    """The resource is learnt from its metadata at the same origin."""
    status, output = run(one_host.issuer, SSL_CERT_FILE=str(one_host.authority_file))
    assert status == 0, output
    *lines, total = output.splitlines()
    assert all(line.startswith("ok  ") for line in lines)
    assert total == f"ok: {len(lines)}, warnings: 0, faults: 0"
    assert any(f"challenge          {one_host.resource}" in line for line in lines)


def at(path: str, **changes: Any) -> Tamper:
    """Changes the answers of one path: `status`, `body`, `method`; anything else is a header, None takes it away."""

    def tamper(passing: Passing) -> None:
        if passing.path != path or passing.method != changes.get("method", passing.method):
            return
        for name, value in changes.items():
            match name:
                case "status":
                    passing.status = value
                case "body":
                    passing.body = value
                case "method":
                    pass
                case _ if value is None:
                    passing.headers.pop(name.replace("_", "-"), None)
                case _:
                    passing.headers[name.replace("_", "-")] = value

    return tamper


def members(path: str, **changes: Any) -> Tamper:
    """Changes members of a JSON document; None takes one away."""

    def tamper(passing: Passing) -> None:
        if passing.path == path:
            changed = {**json.loads(passing.body), **changes}
            passing.body = json.dumps({name: value for name, value in changed.items() if value is not None}).encode()

    return tamper


def reflected_host(passing: Passing) -> None:
    """As a server does that believes its callers."""
    if passing.path in (METADATA, OPENID) and "x-forwarded-host" in passing.asked:
        passing.body = passing.body.replace(b"localhost", passing.asked["x-forwarded-host"].encode())


def old_feed(passing: Passing) -> None:
    """As a cache does that was told not to keep an answer, which is another's by now."""
    if passing.path == "/revocations":
        passing.body = passing.body[:-8] + b"AAAAAAAA"


def later(seconds: float | None) -> Tamper:
    """A clock that is wrong by so many seconds, or not told."""

    def tamper(passing: Passing) -> None:
        date = None if seconds is None else formatdate(SystemClock().now() + seconds, usegmt=True)
        at(METADATA, date=date)(passing)

    return tamper


HTML = {"body": b"<h1>Blocked</h1>", "content_type": "text/html"}
FAULTS: dict[str, tuple[Tamper, Check, str]] = {
    "metadata is missing": (at(METADATA, status=404), Check.METADATA, "answers 404"),
    "openid-configuration is missing": (at(OPENID, status=404), Check.METADATA, "answers 404"),
    "metadata is a page": (at(METADATA, **HTML), Check.METADATA, "text/html, not JSON"),
    "metadata is cut off": (at(METADATA, body=b"{"), Check.METADATA, "not a JSON object"),
    "metadata is elsewhere": (
        at(METADATA, status=308, location="https://elsewhere.example/"),
        Check.REDIRECT,
        "redirects to https://elsewhere.example/",
    ),
    "metadata has no token endpoint": (members(METADATA, token_endpoint=None), Check.METADATA, "lacks token_endpoint"),
    "metadata has no PKCE": (members(METADATA, code_challenge_methods_supported=None), Check.METADATA, "S256"),
    "issuer with a slash": (members(OPENID, issuer="https://localhost/"), Check.ISSUER, "'https://localhost/'"),
    "issuer of the caller's choice": (reflected_host, Check.ISSUER, "X-Forwarded-Host"),
    "endpoints at another origin": (
        members(METADATA, token_endpoint="http://10.0.0.7:9000/token"),
        Check.ENDPOINTS,
        "another origin for token_endpoint",
    ),
    "metadata without CORS": (at(METADATA, access_control_allow_origin=None), Check.CORS, "missing"),
    "metadata with CORS twice": (at(METADATA, access_control_allow_origin="*, *"), Check.CORS, "*, *"),
    "cookies for other sites": (at(METADATA, access_control_allow_credentials="true"), Check.CORS, "cookies"),
    "no preflight": (at("/token", method="OPTIONS", status=405), Check.CORS, "preflight with 405"),
    "clock two minutes ahead": (later(120), Check.CLOCK, "s ahead of this machine's"),
    "clock two minutes behind": (later(-120), Check.CLOCK, "s behind this machine's"),
    "no keys": (at(KEYS, status=404), Check.KEY_SET, "answers 404"),
    "an empty key set": (members(KEYS, keys=[]), Check.KEY_SET, "holds no key"),
    "a private key": (members(KEYS, keys=[{"kty": "EC", "d": "x"}]), Check.KEY_SET, "private"),
    "an unreadable key": (members(KEYS, keys=[{"kty": "EC", "kid": "x"}]), Check.KEY_SET, "cannot be read"),
    "no feed of revocations": (at("/revocations", status=404), Check.REVOCATIONS, "answers 404"),
    "a changed feed": (old_feed, Check.REVOCATIONS, "cannot be believed"),
    "token is redirected": (at("/token", method="POST", status=301, location="/token/"), Check.REDIRECT, "/token/"),
    "token is blocked": (at("/token", status=403, **HTML), Check.ENDPOINTS, "answers 403 (text/html)"),
    "registration may be cached": (at("/register", cache_control="public"), Check.ENDPOINTS, "may be cached"),
    "errors are replaced": (at("/token", status=400), Check.TOKEN_ERRORS, "answers 400 invalid_client"),
    "errors without a challenge": (at("/token", www_authenticate=None), Check.TOKEN_ERRORS, "no challenge"),
    "pages without a policy": (at("/authorize", content_security_policy=None), Check.PAGES, "content-security-policy"),
    "pages without HSTS": (at("/authorize", strict_transport_security=None), Check.PAGES, "strict-transport-security"),
    "pages with form-action": (
        at("/authorize", content_security_policy="form-action 'self'; frame-ancestors 'none'"),
        Check.PAGES,
        "form-action",
    ),
    "pages for scripts": (
        at("/authorize", access_control_allow_origin="https://x"),
        Check.CORS,
        "scripts of https://x",
    ),
    "error pages are replaced": (at("/authorize", status=502), Check.PAGES, "answers 502"),
    "sign-in elsewhere": (at("/authorize", status=302, location="/sso"), Check.REDIRECT, "redirects to /sso"),
    "an open redirector": (
        at("/authorize", status=302, location="https://doctor.invalid/callback?error=x"),
        Check.PAGES,
        "redirects for an unknown client",
    ),
    "no metadata of the resource": (at(f"{PROTECTED}/mcp", status=404), Check.PROTECTED_RESOURCE, "answers 404"),
    "metadata of another resource": (
        members(f"{PROTECTED}/mcp", resource="https://elsewhere/mcp"),
        Check.PROTECTED_RESOURCE,
        "'https://elsewhere/mcp'",
    ),
    "a resource without an issuer": (
        members(f"{PROTECTED}/mcp", authorization_servers=[]),
        Check.PROTECTED_RESOURCE,
        "no authorization server",
    ),
    "a resource of another issuer": (
        members(f"{PROTECTED}/mcp", authorization_servers=["https://localhost/"]),
        Check.ISSUER,
        "'https://localhost/'",
    ),
    "an open resource": (at("/mcp", status=200), Check.CHALLENGE, "answers 200 to a POST without a token"),
    "no challenge": (at("/mcp", www_authenticate=None), Check.CHALLENGE, "no Bearer challenge"),
    "a challenge that leads elsewhere": (
        at("/mcp", www_authenticate='Bearer resource_metadata="http://10.0.0.7:8000/x"'),
        Check.CHALLENGE,
        "points to http://10.0.0.7:8000/x",
    ),
    "a resource with a slash": (at("/mcp", status=307, location="/mcp/"), Check.REDIRECT, "redirects to /mcp/"),
}
WARNINGS: dict[str, tuple[Tamper, Check, str]] = {
    "no promise of iss": (
        members(METADATA, authorization_response_iss_parameter_supported=None),
        Check.METADATA,
        "`iss`",
    ),
    "clock twenty seconds ahead": (later(20), Check.CLOCK, "ahead"),
    "no Date": (later(None), Check.CLOCK, "no Date"),
    "keys that are fetched each time": (at(KEYS, cache_control="no-store"), Check.KEY_SET, "cached"),
}


def test_every_check_has_found_a_fault_here() -> None:
    """Certificates and silence have tests of their own below; what answers on port 80 is judged beside the flows."""
    assert {check for _, check, _ in FAULTS.values()} == set(Check) - {Check.REACHABLE, Check.TLS, Check.PLAIN_HTTP}


@pytest.mark.parametrize(("tamper", "check", "text"), FAULTS.values(), ids=list(FAULTS))
async def test_a_fault_is_found_and_named(one_host: OneHost, tamper: Tamper, check: Check, text: str) -> None:
    """It stands among what is found, with a remedy; nothing is called a fault that does not follow from it."""
    findings = await one_host.examined(tamper)
    faults = [finding for finding in findings if finding.verdict is Verdict.FAULT]
    assert [each for each in faults if each.check is check and text in each.text and each.remedy], faults
    assert len(faults) <= 4, faults


@pytest.mark.parametrize(("tamper", "check", "text"), WARNINGS.values(), ids=list(WARNINGS))
async def test_what_may_break_is_a_warning(one_host: OneHost, tamper: Tamper, check: Check, text: str) -> None:
    findings = await one_host.examined(tamper)
    [found] = [finding for finding in findings if finding.verdict is not Verdict.OK]
    assert (found.verdict, found.check) == (Verdict.WARNING, check)
    assert text in found.text
    assert found.remedy


async def _greet(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"220 mail.example ESMTP\r\n")
    writer.close()


async def _stay_silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read()
    writer.close()


async def _never_end(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 999999999\r\n\r\n" + b" " * 300_000)
    await writer.drain()
    writer.close()


@pytest.mark.parametrize(
    ("certificate", "verdict", "text"),
    [
        ({"days": -1}, Verdict.FAULT, "has expired"),
        ({"name": "elsewhere.example"}, Verdict.FAULT, "for another name"),
        ({"stranger": True}, Verdict.FAULT, "not trusted"),
        ({"plain": True}, Verdict.FAULT, "does not speak TLS"),
        ({"days": 5}, Verdict.WARNING, "expires in 4 days"),
        ({"days": 40}, Verdict.OK, "good for 39 days"),
    ],
    ids=str,
)
async def test_what_is_wrong_with_a_certificate_is_named(
    certificate: dict[str, Any], verdict: Verdict, text: str
) -> None:
    authority, trusted = trustme.CA(), ssl.create_default_context()
    authority.configure_trust(trusted)
    context, now = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH), datetime.now(UTC)
    issuing = trustme.CA() if certificate.get("stranger") else authority
    issuing.issue_cert(
        certificate.get("name", "localhost"),
        not_before=now - timedelta(days=9),
        not_after=now + timedelta(days=certificate.get("days", 40)),
    ).configure_cert(context)
    encryption = None if certificate.get("plain") else context
    clock = SystemClock()
    async with await asyncio.start_server(_greet, "127.0.0.1", 0, ssl=encryption) as server:
        url = f"https://localhost:{server.sockets[0].getsockname()[1]}"
        first, *others = await Doctor(OverHttp(clock, certificates=trusted), clock).examine(url, [f"{url}/mcp"])
    assert (first.check, first.verdict) == (Check.TLS, verdict)
    assert text in first.text
    # Where the certificate is good it is what answers that is not: a mail server.
    assert {finding.check for finding in others} <= {Check.REACHABLE}


@pytest.mark.parametrize(
    ("behaviour", "text"),
    [(_greet, "does not speak HTTP"), (_stay_silent, "no answer came in time"), (_never_end, "does not end")],
)
async def test_a_server_that_does_not_answer_holds_nobody_up(behaviour: Any, text: str) -> None:
    clock = SystemClock()
    async with await asyncio.start_server(behaviour, "127.0.0.1", 0) as server:
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        with anyio.fail_after(60):
            findings = await Doctor(OverHttp(clock), clock).examine(url, [f"{url}/mcp"])
    faults = [finding for finding in findings if finding.verdict is Verdict.FAULT]
    assert faults
    assert all(fault.check is Check.REACHABLE and text in fault.text for fault in faults), faults


def test_nobody_at_home_and_no_such_name() -> None:
    for url, text in (
        (f"http://localhost:{free_port()}", "nothing accepts connections"),
        ("https://doctor.invalid", "its name has no address"),
    ):
        status, output = run(url)
        assert status == 1
        assert f"fault    reachable          {url}" in output
        assert text in output


@pytest.mark.parametrize(
    "url", ["auth.example.com", "ftp://auth.example.com", "https://auth.example.com/", "https://a/?b"]
)
def test_what_is_not_an_issuers_url_is_a_matter_of_usage(url: str) -> None:
    command = [str(SCRIPTS / "auth-server"), "doctor", url]
    done = subprocess.run(command, env=clean_environment(), capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 2
    assert "Invalid value" in done.stderr
