"""Connections to DynamoDB: aioboto3, but for the parser of responses. Its exceptions as Failures.

Requests that read items take a shorter way through it (`sending`). Credentials, endpoints, errors, and retries of what
is lost or refused stay botocore's.
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
from aiobotocore.httpsession import AIOHTTPSession
from aiobotocore.session import get_session

from mcp_server.adapters.decoding.attribute_values import MalformedValue, binary
from mcp_server.adapters.dynamodb.pace import THROTTLING, Paces, Throttled, leave_throttling_to_pace
from mcp_server.adapters.dynamodb.responses import ATTEMPTS, ParserFactory, UnreadableResponse
from mcp_server.adapters.dynamodb.roles import OPERATION, Lent
from mcp_server.adapters.dynamodb.sending import Sender
from mcp_server.adapters.dynamodb.tallying import RequestTally, tally_requests, tally_roles
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
        self._senders: dict[_Place, Sender] = {}
        self._tally = tally
        self._stack = AsyncExitStack()
        self.paces = Paces()
        """At which tables are read, be it for statements or for samples."""

    async def __aenter__(self) -> Self:
        own, lenders = aioboto3.Session(), dict[str, Any]()
        for region, endpoint_url, role in sorted(self._places, key=str):
            session = get_session()
            session.register_component("response_parser_factory", ParserFactory())
            if role is not None:
                if region not in lenders:
                    lender = own.client("sts", region_name=region, config=_config(AIOHTTPSession))
                    lenders[region] = await self._stack.enter_async_context(lender)
                    tally_roles(lenders[region].meta.events, self._tally)
                session.register_component("credential_provider", Lent(role, lenders[region]))
            await self._open(session, (region, endpoint_url, role))
        return self

    async def _open(self, session: Any, place: _Place) -> None:
        """Makes the client of a place, and what sends through it."""
        opened: list[AIOHTTPSession] = []

        def opening(**settings: Any) -> AIOHTTPSession:
            opened.append(AIOHTTPSession(**settings))
            return opened[-1]

        region, endpoint_url, _role = place
        client = aioboto3.Session(botocore_session=session).client(
            "dynamodb", region_name=region, endpoint_url=endpoint_url, config=_config(opening)
        )
        entered = self._clients[place] = await self._stack.enter_async_context(client)
        entered.meta.events.register_first("needs-retry.dynamodb", leave_throttling_to_pace)
        tally = None if self._tally is UNTALLIED else RequestTally(self._tally)
        if tally is not None:  # botocore's way to a handler takes longer than what it does there
            tally_requests(entered.meta.events, tally)
        (http,) = opened
        credentials = await session.get_credentials()  # the client's: the session keeps what was found for it
        discovers = str(session.get_config_variable("endpoint_discovery_enabled")).lower() == "true"
        self._senders[place] = Sender(entered, http, credentials, tally, learns=not discovers)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._clients.clear()
        self._senders.clear()
        await self._stack.aclose()

    def of(self, schema: Schema) -> Any:
        """The client for a schema's tables."""
        return self._clients[_place(schema)]

    def sender_of(self, schema: Schema) -> Sender:
        """What sends the requests that read items of a schema's tables."""
        return self._senders[_place(schema)]


def _config(http_session: Any) -> AioConfig:
    """The settings of a client whose connections are what `http_session` makes."""
    return AioConfig(
        connect_timeout=CONNECT_SECONDS,
        read_timeout=READ_SECONDS,
        max_pool_connections=CONNECTIONS,
        parameter_validation=False,
        # By which CloudTrail tells our requests from others'; botocore makes its own anew for each of them.
        user_agent=f"dynamosql-mcp-server/{metadata.version('dynamosql-mcp-server')}",
        retries={"mode": "standard", "total_max_attempts": ATTEMPTS},
        http_session_cls=http_session,
    )


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
