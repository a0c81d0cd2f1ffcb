"""The table itself: how it is made, and whether what is there is one of ours."""

import asyncio
from typing import Any

import structlog
from botocore.exceptions import (
    ClientError,
    NoCredentialsError,
    PartialCredentialsError,
    ProfileNotFound,
    SSLError,
    UnauthorizedSSOTokenError,
)

from auth_server.adapters.dynamodb_store.items import STORE, encode, to_wire
from auth_server.adapters.dynamodb_store.table import INDEX
from auth_server.ports.store import StoreUnavailable, UnusableStore

FORMAT = 1
"""The version of the items that this server writes. It refuses a table with another."""
COMMAND = "auth-server store init"
_KEYS = {"pk": "HASH", "sk": "RANGE"}
_INDEX_KEYS = {"queue": "HASH", "due": "RANGE"}
_TYPES = {"pk": "S", "sk": "S", "queue": "S", "due": "N"}
_EXPIRY = "ttl"
_SETTINGS = (NoCredentialsError, PartialCredentialsError, ProfileNotFound, SSLError, UnauthorizedSSOTokenError)
"""What fails for lack of something that the operator sets, and will fail again."""
_CREATION_CHECKS = 240
_CHECK_SECONDS = 0.5
_log = structlog.get_logger("store")


async def create_table(client: Any, name: str) -> bool:
    """Makes the table, or completes one that this command did not finish; False if all was there.

    Raises UnusableStore, StoreUnavailable.
    """
    description = await _description(client, name)
    created = description is None and await _create(client, name)
    for _ in range(_CREATION_CHECKS):
        if description is not None and _is_ready(description):
            break
        description = await _description(client, name)
        if description is None or not _is_ready(description):
            await asyncio.sleep(_CHECK_SECONDS)
    _check_table(description, name)
    await _enable_expiry(client, name)
    answer = await _asked(
        client.update_item(
            TableName=name,
            Key=to_wire(STORE._asdict()),
            UpdateExpression="SET #format = if_not_exists(#format, :format)",
            ExpressionAttributeNames={"#format": "format"},
            ExpressionAttributeValues={":format": encode(FORMAT)},
            ReturnValues="ALL_NEW",
        ),
        name,
    )
    _check_format(answer["Attributes"], name)
    return created


async def _create(client: Any, name: str) -> bool:
    """False if somebody else was faster."""
    definition = {
        "TableName": name,
        "BillingMode": "PAY_PER_REQUEST",
        "AttributeDefinitions": [{"AttributeName": each, "AttributeType": of} for each, of in _TYPES.items()],
        "KeySchema": _key_schema(_KEYS),
        "GlobalSecondaryIndexes": [
            {
                "IndexName": INDEX,
                "KeySchema": _key_schema(_INDEX_KEYS),
                "Projection": {"ProjectionType": "KEYS_ONLY"},
            }
        ],
        "DeletionProtectionEnabled": True,
    }
    try:
        await _asked(client.create_table(**definition), name)
    except _ThereAlready:
        return False
    return True


async def verify_table(client: Any, name: str) -> None:
    """Raises UnusableStore unless the table is one of ours, and StoreUnavailable if that cannot be asked."""
    _check_table(await _description(client, name), name)
    answer = await _asked(client.get_item(TableName=name, Key=to_wire(STORE._asdict()), ConsistentRead=True), name)
    _check_format(answer.get("Item", {}), name)


def _check_table(description: Any, name: str) -> None:
    """Raises UnusableStore."""
    if description is None:
        raise UnusableStore(f"there is no DynamoDB table {name}; make it with: {COMMAND}")
    indexes = {index["IndexName"]: index for index in description.get("GlobalSecondaryIndexes", [])}
    if _keys(description) != _KEYS or _keys(indexes.get(INDEX, {})) != _INDEX_KEYS:
        raise UnusableStore(f"the DynamoDB table {name} has other keys or indexes than those of: {COMMAND}")
    if not _is_ready(description):
        raise UnusableStore(f"the DynamoDB table {name} is not ready yet; try again in a minute")


def _check_format(item: Any, name: str) -> None:
    """Raises UnusableStore."""
    version = item.get("format", {}).get("N")
    if version is None:
        raise UnusableStore(f"the DynamoDB table {name} is no store yet; complete it with: {COMMAND}")
    if int(version) != FORMAT:
        raise UnusableStore(f"the DynamoDB table {name} has format {version}, this server knows {FORMAT}")


async def _enable_expiry(client: Any, name: str) -> None:
    """CreateTable cannot do that."""
    if await _has_expiry(client, name):
        return
    specification = {"Enabled": True, "AttributeName": _EXPIRY}
    try:
        await _asked(client.update_time_to_live(TableName=name, TimeToLiveSpecification=specification), name)
    except UnusableStore:
        # Refused to whoever comes second.
        if not await _has_expiry(client, name):
            raise


async def _has_expiry(client: Any, name: str) -> bool:
    answer = await _asked(client.describe_time_to_live(TableName=name), name)
    return answer["TimeToLiveDescription"].get("TimeToLiveStatus") in {"ENABLED", "ENABLING"}


async def _description(client: Any, name: str) -> Any:
    """The table's description; None if there is no such table."""
    try:
        return (await _asked(client.describe_table(TableName=name), name))["Table"]
    except _NoTable:
        return None


class _NoTable(Exception):
    """There is no such table."""


async def _asked(request: Any, name: str) -> Any:
    """The answer to a request of the operator's. Raises UnusableStore, StoreUnavailable, _NoTable, _ThereAlready."""
    try:
        return await request
    except ClientError as error:
        code = error.response["Error"].get("Code", "")
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        if code == "ResourceNotFoundException":
            raise _NoTable from error
        if code == "ResourceInUseException":
            raise _ThereAlready from error
        if status >= 500 or "Throttl" in code or "Exceeded" in code:
            _log.error("store_away", operation=error.operation_name, cause=code)
            raise StoreUnavailable from error
        raise UnusableStore(f"DynamoDB refuses {error.operation_name} of table {name}: {code}") from error
    except _SETTINGS as error:
        raise UnusableStore(f"DynamoDB cannot be asked about table {name}: {error}") from error
    except Exception as error:  # only the driver runs in here, and its layers raise what they like
        _log.error("store_away", operation="opening", cause=type(error).__name__)
        raise StoreUnavailable from error


class _ThereAlready(Exception):
    """Somebody else makes the same at this moment."""


def _is_ready(description: Any) -> bool:
    indexes = description.get("GlobalSecondaryIndexes", [])
    return description["TableStatus"] in {"ACTIVE", "UPDATING"} and all(
        index["IndexStatus"] in {"ACTIVE", "UPDATING"} for index in indexes
    )


def _keys(description: Any) -> dict[str, str]:
    return {key["AttributeName"]: key["KeyType"] for key in description.get("KeySchema", [])}


def _key_schema(keys: dict[str, str]) -> list[dict[str, str]]:
    return [{"AttributeName": name, "KeyType": kind} for name, kind in keys.items()]
