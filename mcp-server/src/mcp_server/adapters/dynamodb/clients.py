"""Connections to DynamoDB: aioboto3 as it is, but for the parser of the responses. Its exceptions as Failures.

Signing, credentials, endpoints, errors, and retries of what is lost or refused stay botocore's.
"""

from collections.abc import Iterator, Mapping
from contextlib import AsyncExitStack, contextmanager
from importlib import metadata
from types import TracebackType
from typing import Any, Self

import aioboto3
import botocore.exceptions
import structlog
from aiobotocore.config import AioConfig

from mcp_server.adapters.decoding.attribute_values import MalformedValue, binary
from mcp_server.adapters.dynamodb.pace import THROTTLING, Throttled, leave_throttling_to_pace
from mcp_server.adapters.dynamodb.responses import ATTEMPTS, ParserFactory, UnreadableResponse
from mcp_server.adapters.dynamodb.roles import OPERATION, credentials_of
from mcp_server.adapters.dynamodb.tallying import tally_requests, tally_roles
from mcp_server.domain.failures import Failure
from mcp_server.domain.failures.availability import (
    RoleNotAssumed,
    SourceRefused,
    SourceThrottles,
    SourceTooSlow,
    SourceUnavailable,
)
from mcp_server.domain.failures.tables import TableGone
from mcp_server.domain.schema import Role, Schema
from mcp_server.ports.tally import UNTALLIED, Tally

_log = structlog.get_logger(__name__)

CONNECT_SECONDS = 3
READ_SECONDS = 20
CONNECTIONS = 64

_DENIED = frozenset(
    {
        "AccessDeniedException",
        "ExpiredTokenException",
        "IncompleteSignature",
        "InvalidClientTokenId",
        "InvalidSignatureException",
        "MissingAuthenticationTokenException",
        "OptInRequired",
        "UnrecognizedClientException",
    }
)


class RequestRefused(Failure):
    """DynamoDB found a request invalid; `reason` is its word for that."""

    def __init__(self, reason: str) -> None:
        super().__init__(SourceRefused())
        self.reason = reason


_Place = tuple[str, str | None, Role | None]
"""A region, an endpoint and a role."""


class DynamoDbClients:
    """One long-lived client for each region, endpoint and role; an asynchronous context manager.

    Credentials come from botocore's own chain when the first request is signed, and are refreshed by it; those of a
    role are lent by STS (`roles`).
    """

    def __init__(self, schemas: tuple[Schema, ...], tally: Tally = UNTALLIED) -> None:
        self._places = {_place(schema) for schema in schemas if schema.active}
        self._clients: dict[_Place, Any] = {}
        self._tally = tally
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Self:
        own, lenders = aioboto3.Session(), dict[str, Any]()
        config = AioConfig(
            connect_timeout=CONNECT_SECONDS,
            read_timeout=READ_SECONDS,
            max_pool_connections=CONNECTIONS,
            parameter_validation=False,
            # By which CloudTrail tells our requests from others'; botocore makes its own anew for each of them.
            user_agent=f"dynamosql-mcp-server/{metadata.version('dynamosql-mcp-server')}",
            retries={"mode": "standard", "total_max_attempts": ATTEMPTS},
        )
        for region, endpoint_url, role in sorted(self._places, key=str):
            session = aioboto3.Session()
            session._session.register_component("response_parser_factory", ParserFactory())  # noqa: SLF001 - the hook
            if role is not None:
                if region not in lenders:
                    lender = own.client("sts", region_name=region, config=config)
                    lenders[region] = await self._stack.enter_async_context(lender)
                    tally_roles(lenders[region].meta.events, self._tally)
                session._session._credentials = credentials_of(role, lenders[region])  # noqa: SLF001 - as botocore does
            client = session.client("dynamodb", region_name=region, endpoint_url=endpoint_url, config=config)
            entered = await self._stack.enter_async_context(client)
            entered.meta.events.register_first("needs-retry.dynamodb", leave_throttling_to_pace)
            if self._tally is not UNTALLIED:  # botocore's way to a handler takes longer than what it does there
                tally_requests(entered.meta.events, self._tally)
            self._clients[region, endpoint_url, role] = entered
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._clients.clear()
        await self._stack.aclose()

    def of(self, schema: Schema) -> Any:
        """The client for a schema's tables."""
        return self._clients[_place(schema)]


def _place(schema: Schema) -> _Place:
    return schema.region, schema.endpoint_url, schema.role


@contextmanager
def failures_of(schema: Schema, table: str | None = None) -> Iterator[None]:
    """Turns botocore's exceptions into Failures. Their texts can hold account ids and hosts: those stay in the log."""
    try:
        yield
    except botocore.exceptions.ClientError as error:
        raise _client_failure(error, schema, table) from error
    except Throttled as error:
        raise throttled(schema) from error
    except (botocore.exceptions.BotoCoreError, UnreadableResponse) as error:
        error_name = type(error).__name__
        _log.warning("dynamodb_unavailable", schema=schema.name, table=table, error=error_name, reason=_reason(error))
        raise Failure(SourceUnavailable(schema.name)) from error


def too_slow(schema: str) -> Failure:
    """The Failure for a schema whose DynamoDB does not answer in time."""
    _log.warning("dynamodb_too_slow", schema=schema)
    return Failure(SourceTooSlow(schema), retry_after_seconds=60)


def throttled(schema: Schema) -> Failure:
    """The Failure for a table that has no capacity left to read it with."""
    return Failure(SourceThrottles(schema.name))


def from_wire(key: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """A key as it came in JSON, as boto's serialiser takes it: binary as bytes. Raises UnreadableResponse."""
    try:
        return {
            name: {kind: binary(content) if kind == "B" else content for kind, content in value.items()}
            for name, value in key.items()
        }
    except MalformedValue as error:
        raise UnreadableResponse from error


def _client_failure(error: botocore.exceptions.ClientError, schema: Schema, table: str | None) -> Failure:
    code = str(error.response.get("Error", {}).get("Code", ""))
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    if error.operation_name == OPERATION:
        _log.error("role_not_assumed", schema=schema.name, reason=code)
        return Failure(RoleNotAssumed(schema.name))
    if code in THROTTLING:
        return throttled(schema)
    if code == "ResourceNotFoundException" and table is not None:
        return Failure(TableGone(table))
    _log.error("dynamodb_refused", schema=schema.name, table=table, reason=code, operation=error.operation_name)
    if code in _DENIED or status >= 500:
        return Failure(SourceUnavailable(schema.name))
    return RequestRefused(code)


def _reason(error: Exception) -> str | None:
    """What made an answer unreadable."""
    return str(error) or repr(error.__cause__)[:200] if isinstance(error, UnreadableResponse) else None
