"""Where requests that read items go and what they are signed with, and what stays botocore's because it may change."""

import ssl
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import trustme
from botocore.credentials import ReadOnlyCredentials
from botocore.exceptions import NoCredentialsError, SSLError

from mcp_server.adapters.dynamodb.responses import RAW
from tests.mcp_server.adapters.both_ways import (
    ARGUMENTS,
    OK,
    access_key,
    always,
    forget_credentials,
    have_credentials,
    in_turn,
    learnt,
    lending,
    signed_again,
    ways,
)
from tests.mcp_server.adapters.endpoint import Answer, Body, endpoint, error
from tests.mcp_server.adapters.test_dynamodb import schema

pytestmark = [pytest.mark.anyio, pytest.mark.slow]


@pytest.fixture(autouse=True)
def credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    have_credentials(monkeypatch)


async def test_without_credentials_nothing_is_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ours."""
    forget_credentials(monkeypatch)
    async with endpoint(always) as at, ways(schema(at)) as both:
        with pytest.raises(NoCredentialsError):
            await both.ours()
        assert at.heads == []


async def test_a_container_lends_credentials_anew_before_they_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ours: requests are signed with what botocore would sign with, that was renewed while the service runs."""
    async with endpoint(always) as at, lending(monkeypatch) as lent, learnt(at) as both:
        for _ in range(3):
            lent.number += 1
            await both.ours()
        assert both.by_botocore == 0
        assert [access_key(head) for head in at.heads] == ["KEY2", "KEY3", "KEY4"]
        for head, body in zip(at.heads, at.bodies, strict=True):
            number = access_key(head).removeprefix("KEY")
            assert head["x-amz-security-token"] == f"token {number}"
            renewed = ReadOnlyCredentials(f"KEY{number}", f"secret {number}", f"token {number}")
            assert head["authorization"] == signed_again(at, head, body, credentials=renewed)


async def test_a_repeated_request_is_signed_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ours: credentials may have been renewed since."""
    async with lending(monkeypatch) as lent:

        def script(_operation: str, _request: Body) -> Answer:
            lent.number += 1
            return OK if lent.number % 2 else error("InternalServerError", 500)

        async with endpoint(script) as at, learnt(at) as both:
            await both.ours()
            assert [access_key(head) for head in at.heads] == ["KEY1", "KEY2"]
            assert both.by_botocore == 0


async def test_another_account_may_have_another_endpoint(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ours: where requests go is learnt for each account whose credentials sign."""
    async with endpoint(always) as at, lending(monkeypatch) as lent, learnt(at) as both:
        for account in ("111122223333", "111122223333", "444455556666", "111122223333"):
            lent.account = account
            await both.ours()
        assert both.by_botocore == 2


async def test_another_table_may_have_another_endpoint() -> None:
    """Ours: that of its account, if it is named by its ARN."""
    async with endpoint(always) as at, learnt(at) as both:
        for table in ("t", "arn:aws:dynamodb:us-east-1:444455556666:table/t", "u"):
            for _ in range(2):
                await both.ours(arguments={**ARGUMENTS, "TableName": table})
        assert both.by_botocore == 2
        assert [request["TableName"][-1] for _, request in at.requests] == list("ttttuu")


async def test_an_endpoint_that_the_environment_names_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ours: a VPC's, for instance."""
    async with endpoint(always) as at:
        monkeypatch.setenv("AWS_ENDPOINT_URL_DYNAMODB", at.url)
        async with ways(replace(schema(at), endpoint_url=None)) as both:
            for _ in range(3):
                await both.ours()
            assert both.by_botocore == 1
        assert [head["host"] for head in at.heads] == [at.url.removeprefix("http://")] * 3


async def test_a_proxy_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ours: whatever the host is called; here its name has no address."""
    async with endpoint(always) as proxy:
        monkeypatch.setenv("HTTP_PROXY", proxy.url)
        async with ways(replace(schema(proxy), endpoint_url="http://dynamodb.invalid:8000")) as both:
            for _ in range(3):
                await both.ours()
            assert both.by_botocore == 1
        assert [head["host"] for head in proxy.heads] == ["dynamodb.invalid:8000"] * 3


async def test_certificates_are_checked(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Ours: no less than botocore does, also of the next connection."""
    trusted, unknown = trustme.CA(), trustme.CA()
    trusted.cert_pem.write_to_path(tmp_path / "authority.pem")
    monkeypatch.setenv("AWS_CA_BUNDLE", str(tmp_path / "authority.pem"))
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    trusted.issue_cert("127.0.0.1").configure_cert(context)
    async with endpoint(in_turn(OK, OK, ConnectionError), context) as at, ways(schema(at)) as both:
        for _ in range(2):
            await both.ours()
        assert both.by_botocore == at.connections == 1
        unknown.issue_cert("127.0.0.1").configure_cert(context)
        with pytest.raises(SSLError):
            await both.ours()
        assert both.by_botocore == 1
        assert len(at.requests) == 3, "none was read on a connection that isn't trusted"


@pytest.mark.parametrize(
    "environment",
    [
        {"AWS_ENDPOINT_DISCOVERY_ENABLED": "True"},
        {"AWS_LAMBDA_FUNCTION_NAME": "f", "_X_AMZN_TRACE_ID": "Root=1-5759e988-bd862e3fe1be46a994272793"},
        {"config": "signature_version = v3"},
    ],
    ids=lambda environment: next(iter(environment.values())),
)
async def test_what_is_not_certain_to_last_is_left_to_botocore(
    environment: dict[str, str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Ours: endpoints that are discovered, headers of a single request, other signatures."""
    config = environment.pop("config", None)
    if config is not None:
        (tmp_path / "config").write_text(f"[default]\ndynamodb =\n  {config}\n")
        environment["AWS_CONFIG_FILE"] = str(tmp_path / "config")
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    async with endpoint(always) as at, ways(schema(at)) as both:
        for _ in range(3):
            assert (await both.ours())[RAW].Count == 0
        assert both.by_botocore == 3
        assert len({frozenset(head) for head in at.heads}) == 1


@pytest.mark.parametrize("event", ["before-sign", "request-created", "before-call"])
async def test_a_header_that_a_handler_adds_is_sent_with_every_request(event: str) -> None:
    """Ours: botocore sends what has a header that isn't known here, be it signed or not."""

    def handler(request: Any = None, params: Any = None, **_: Any) -> None:
        (request.headers if request is not None else params["headers"])["X-Trace"] = "1"

    async with endpoint(always) as at, ways(schema(at)) as both:
        both.client.meta.events.register_last(f"{event}.dynamodb", handler)
        for _ in range(2):
            await both.ours()
        assert [head.get("x-trace") for head in at.heads] == ["1", "1"]
        assert both.by_botocore == 2


async def test_a_body_that_a_handler_changes_is_changed_every_time() -> None:
    """Ours: as it would be if botocore wrote arguments otherwise than we do."""

    def handler(params: Any, **_: Any) -> None:
        params["body"] = params["body"].replace(b'"TableName": "t"', b'"TableName": "u"')

    async with endpoint(always) as at, ways(schema(at)) as both:
        both.client.meta.events.register("before-call.dynamodb", handler)
        for _ in range(2):
            await both.ours()
        assert [request["TableName"] for _, request in at.requests] == ["u", "u"]
