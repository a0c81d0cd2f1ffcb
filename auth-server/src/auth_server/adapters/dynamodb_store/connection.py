"""Connections to DynamoDB through aioboto3, with a bound on everything."""

import zlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from http import HTTPStatus
from importlib import metadata
from typing import Any

import aioboto3
from aiobotocore.config import AioConfig
from botocore.exceptions import BotoCoreError

from auth_server.adapters.dynamodb_store.address import Address
from auth_server.ports.store import UnusableStore

_REQUEST_SHARE = 0.45
"""Of the patience, what one request may take: one that is lost is sent once again."""
_REQUESTS = 2
_CONNECTIONS = 64


@asynccontextmanager
async def connected(address: Address, patience: float) -> AsyncIterator[Any]:
    """A client of DynamoDB. Credentials are looked for when the first request is signed. Raises UnusableStore."""
    config = AioConfig(
        connect_timeout=patience * _REQUEST_SHARE,
        read_timeout=patience * _REQUEST_SHARE,
        max_pool_connections=_CONNECTIONS,
        parameter_validation=False,
        retries={"mode": "standard", "total_max_attempts": _REQUESTS},
        # So that CloudTrail tells who asked.
        user_agent=f"dynamosql-auth-server/{metadata.version('dynamosql-auth-server')}",
    )
    connection = aioboto3.Session().client(
        "dynamodb", region_name=address.region, endpoint_url=address.endpoint_url, config=config
    )
    try:
        client = await connection.__aenter__()
    except (BotoCoreError, ValueError) as error:  # no region, or a malformed endpoint
        raise UnusableStore(f"DynamoDB cannot be reached: {error}") from error
    client.meta.events.register("before-parse.dynamodb", _check_sum)
    try:
        yield client
    finally:
        await connection.__aexit__(None, None, None)


class _DamagedAnswer(Exception):
    """What came is not what DynamoDB sent."""


def _check_sum(response_dict: dict[str, Any], **_: Any) -> None:
    """DynamoDB sends the CRC-32 of every answer. Without this check, whatever says 200 would be an empty answer.

    botocore takes a text that is not JSON for an answer without members, and a wrong checksum once its retries are used
    up; both would be an item that is not there, or a write that succeeded.
    """
    if response_dict["status_code"] < HTTPStatus.MULTIPLE_CHOICES:
        given = response_dict["headers"].get("x-amz-crc32")
        if given != str(zlib.crc32(response_dict["body"])):
            raise _DamagedAnswer
