"""Making a table with `auth-server store init`, and refusing what is not one of ours."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import anyio
import pytest
from structlog.testing import capture_logs

from auth_server.adapters.dynamodb_store.address import address_in
from auth_server.adapters.dynamodb_store.connection import connected
from auth_server.adapters.dynamodb_store.store import open_dynamodb, prepare_dynamodb
from auth_server.ports.store import StoreUnavailable, UnusableStore
from tests.auth_server.stores.backends import EMULATORS, prefix
from tests.support.dynamodb_emulators import store_url
from tests.support.emulator import CREDENTIALS
from tests.support.processes import free_port

pytestmark = [pytest.mark.anyio, pytest.mark.slow]


PATIENCE = 60.0
"""A busy machine is slow, not wrong."""


@pytest.fixture(params=["dynoxide", "ministack"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of a table that does not exist, in each emulator."""
    endpoint: str = request.getfixturevalue(str(request.param)).endpoint_url
    return store_url(endpoint, prefix(tmp_path))


async def _refusal(url: str) -> str:
    with pytest.raises(UnusableStore) as refused:
        async with open_dynamodb(url, patience=PATIENCE):
            pass
    return str(refused.value)


async def _ask(url: str, operation: str, **parameters: Any) -> Any:
    """The answer to one request about the table."""
    address = address_in(url)
    async with connected(address, PATIENCE) as client:
        return await getattr(client, operation)(TableName=address.table, **parameters)


async def test_a_missing_table_is_refused_with_the_command_that_makes_it(url: str) -> None:
    assert await _refusal(url) == (
        f"there is no DynamoDB table {address_in(url).table}; make it with: auth-server store init"
    )


async def test_a_table_that_was_made_is_opened_and_protected(url: str) -> None:
    assert await prepare_dynamodb(url)
    assert not await prepare_dynamodb(url)
    async with open_dynamodb(url, patience=PATIENCE) as store:
        await store.check()
    table = (await _ask(url, "describe_table"))["Table"]
    assert table["DeletionProtectionEnabled"]
    assert table["BillingModeSummary"]["BillingMode"] == "PAY_PER_REQUEST"
    expiry = (await _ask(url, "describe_time_to_live"))["TimeToLiveDescription"]
    assert (expiry["TimeToLiveStatus"], expiry["AttributeName"]) == ("ENABLED", "ttl")


async def test_several_operators_may_make_it_at_once(url: str) -> None:
    made: list[bool] = []

    async def make() -> None:
        made.append(await prepare_dynamodb(url))

    async with anyio.create_task_group() as group:
        for _ in range(4):
            group.start_soon(make)
    assert made.count(True) == 1
    async with open_dynamodb(url, patience=PATIENCE) as store:
        await store.check()


async def test_a_table_that_was_left_half_made_is_completed(url: str) -> None:
    await prepare_dynamodb(url)
    await _ask(url, "delete_item", Key={"pk": {"S": "store"}, "sk": {"S": "store"}})
    assert "is no store yet; complete it with: auth-server store init" in await _refusal(url)
    assert not await prepare_dynamodb(url)
    async with open_dynamodb(url, patience=PATIENCE) as store:
        await store.check()


async def test_somebody_elses_table_is_refused_and_left_alone(url: str) -> None:
    await _ask(
        url,
        "create_table",
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
    )
    assert "has other keys or indexes than those of: auth-server store init" in await _refusal(url)
    with pytest.raises(UnusableStore, match="other keys or indexes"):
        await prepare_dynamodb(url)
    assert (await _ask(url, "scan"))["Items"] == []
    expiry = (await _ask(url, "describe_time_to_live"))["TimeToLiveDescription"]
    assert expiry["TimeToLiveStatus"] == "DISABLED"


async def test_a_table_of_a_newer_server_is_refused(url: str) -> None:
    await prepare_dynamodb(url)
    newer = {"pk": {"S": "store"}, "sk": {"S": "store"}, "format": {"N": "2"}}
    await _ask(url, "put_item", Item=newer)
    assert "has format 2, this server knows 1" in await _refusal(url)


@pytest.mark.parametrize(
    "url",
    [
        "dynamodb://",
        "dynamodb://ab",
        "dynamodb://table/more",
        "dynamodb://user:password@table",
        "dynamodb://table?create=true",
        "dynamodb://table?region=x#y",
        "dynamodb://table?endpoint_url=ftp%3A%2F%2Fx",
        "dynamodb://table?endpoint_url=http%3A%2F%2F",
        "dynamodb://table?endpoint_url=http%3A%2F%2Fuser:password@x",
        "dynamodb://tab%20le",
    ],
)
async def test_urls_that_name_no_table_are_refused(url: str) -> None:
    message = await _refusal(url)
    assert message.startswith("must be dynamodb://TABLE")
    assert "password" not in message


async def test_without_a_region_nothing_is_guessed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("AWS_DEFAULT_REGION", "AWS_REGION", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    assert "region" in await _refusal("dynamodb://table")


async def test_without_credentials_the_operator_learns_that(
    url: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, str(tmp_path / "none"))
    assert "Unable to locate credentials" in await _refusal(url)


async def test_a_dynamodb_out_of_reach_is_an_outage(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in CREDENTIALS.items():
        monkeypatch.setenv(name, value)
    with capture_logs() as logs, pytest.raises(StoreUnavailable):
        async with open_dynamodb(store_url(f"http://127.0.0.1:{free_port()}", "table")):
            pass
    assert [(line["event"], line["cause"]) for line in logs] == [("store_away", "EndpointConnectionError")]


def test_a_server_on_another_store_does_not_load_the_sdk() -> None:
    """It takes half a second, which every command would wait for."""
    loaded = "import sys, auth_server.cli.main; print({name.partition('.')[0] for name in sys.modules})"
    run = subprocess.run([sys.executable, "-c", loaded], capture_output=True, text=True, timeout=60, check=True)
    assert "auth_server" in run.stdout
    for package in ("aioboto3", "aiobotocore", "boto3", "botocore"):
        assert f"'{package}'" not in run.stdout


def test_both_emulators_are_backends_of_the_contract_suite() -> None:
    assert {"dynamodb-dynoxide", "dynamodb-ministack"} == EMULATORS.keys()
