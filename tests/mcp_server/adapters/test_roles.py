"""Schemas of other accounts are read as their roles, with what STS lends. STS and DynamoDB check every signature.

Formats: https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html and Signature Version 4.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing
from dataclasses import replace

import pytest
from structlog.testing import capture_logs

from mcp_server.adapters.dynamodb.clients import DynamoDbClients
from mcp_server.adapters.dynamodb.items import DynamoDbItems
from mcp_server.adapters.dynamodb.responses import ATTEMPTS
from mcp_server.adapters.metrics import MeteredTally
from mcp_server.domain.failures import Failure, FailureCode
from mcp_server.domain.failures.availability import RoleNotAssumed
from mcp_server.domain.schema import Role, Schema, TypeKind
from mcp_server.planning.access_path import plan_read
from mcp_server.planning.plan import Read
from tests.mcp_server.adapters.relations import S, column, of, relation, table
from tests.support.lent_roles import LentRoles, lending
from tests.support.metrics import tallied

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

ARN = "arn:aws:iam::111122223333:role/readers/dynamo"
EXTERNAL_ID = "shown-to-nobody"
COLUMNS = (column("pk", of(TypeKind.VARCHAR), S),)


@pytest.fixture
async def lender(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[LentRoles]:
    async with lending(ARN, EXTERNAL_ID, ("OWN", "own secret")) as roles:
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "OWN")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "own secret")
        monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
        monkeypatch.setenv("AWS_ENDPOINT_URL_STS", roles.url)
        yield roles


def schema(at: LentRoles, name: str = "theirs", region: str = "eu-west-1", role: Role | None = None) -> Schema:
    return Schema(name, "acme", region, at.url, role=role or Role(ARN, EXTERNAL_ID))


def scan() -> Read:
    return plan_read(relation(COLUMNS, of_table=table(COLUMNS)), consistent=False)


async def rows(clients: DynamoDbClients, of_schema: Schema) -> int:
    items = DynamoDbItems(clients)
    async with aclosing(items.pages(of_schema, scan(), lambda _: None)) as pages:
        return sum([page.num_rows async for page in pages])


async def test_a_role_is_lent_once_for_many_requests(lender: LentRoles) -> None:
    """We chose one long-lived client per role and region: not each request asks STS, nor each schema."""
    both = (schema(lender), schema(lender, "theirs_too"))
    tally = MeteredTally()
    async with DynamoDbClients(both, tally) as clients:
        assert clients.of(both[0]) is clients.of(both[1])
        assert await asyncio.gather(*(rows(clients, one) for one in both * 4)) == [1] * 8
        assert await rows(clients, both[0]) == 1

    assert lender.asked == 1
    assert tallied(tally, "mcp_role_requests_total") == tallied(tally, "mcp_role_request_seconds_count") == 1
    assert 0 < tallied(tally, "mcp_role_request_seconds_sum") < 30
    assert set(lender.read_with) == {"LENT1"}


async def test_every_region_has_its_client_and_its_own_credentials(lender: LentRoles) -> None:
    both = (schema(lender), schema(lender, "far", "us-east-2"))
    async with DynamoDbClients(both) as clients:
        assert clients.of(both[0]) is not clients.of(both[1])
        assert [await rows(clients, one) for one in both] == [1, 1]

    assert lender.asked == 2


async def test_what_is_about_to_end_is_lent_again(lender: LentRoles) -> None:
    lender.seconds = 120
    async with DynamoDbClients((schema(lender),)) as clients:
        assert await rows(clients, schema(lender)) == 1
        lender.seconds = 3600
        assert await rows(clients, schema(lender)) == 1
        assert await rows(clients, schema(lender)) == 1

    first, *later = lender.read_with
    assert len(later) == 2
    assert set(later) == {later[0]} != {first}


async def test_while_what_is_lent_still_lasts_a_failure_to_renew_it_is_no_failure(lender: LentRoles) -> None:
    lender.seconds = 720  # of the last 15 minutes, but not of the last 10
    async with DynamoDbClients((schema(lender),)) as clients:
        assert await rows(clients, schema(lender)) == 1
        lender.arn = "withdrawn"
        assert await rows(clients, schema(lender)) == 1

    first, second = lender.read_with
    assert first == second


@pytest.mark.parametrize("role", [Role(ARN), Role(ARN, "another"), Role(ARN + "s", EXTERNAL_ID)])
async def test_a_role_that_is_refused_is_a_failure_of_its_schema_alone(
    lender: LentRoles, role: Role, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    refused, other = schema(lender, "refused", role=role), schema(lender)
    async with DynamoDbClients((refused, other)) as clients:
        with pytest.raises(Failure) as failed, capture_logs() as logged:
            await rows(clients, refused)
        assert await rows(clients, other) == 1

    assert failed.value.fact == RoleNotAssumed("refused")
    written = capsys.readouterr()
    said = repr(failed.value) + written.out + written.err
    said += caplog.text + repr(logged) + repr(refused)
    assert [(entry["event"], entry["schema"]) for entry in logged] == [("role_not_assumed", "refused")]
    assert not [secret for secret in (EXTERNAL_ID, "another", "own secret", "token of", "secret of") if secret in said]


async def test_an_sts_that_is_away_is_a_failure(lender: LentRoles, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_STS", "http://127.0.0.1:1")
    tally = MeteredTally()
    async with DynamoDbClients((schema(lender),), tally) as clients:
        with pytest.raises(Failure) as failed:
            await rows(clients, schema(lender))

    assert failed.value.code is FailureCode.SOURCE_UNAVAILABLE
    assert lender.read_with == []
    assert tallied(tally, "mcp_role_requests_total") == ATTEMPTS
    assert tallied(tally, "mcp_role_request_seconds_count") == 0


async def test_without_a_role_the_server_reads_as_itself(lender: LentRoles) -> None:
    own = replace(schema(lender), role=None)
    async with DynamoDbClients((own, schema(lender))) as clients:
        with pytest.raises(Failure):  # this DynamoDB knows lent credentials alone
            await rows(clients, own)

    assert (lender.asked, lender.read_with[0]) == (0, "OWN")
