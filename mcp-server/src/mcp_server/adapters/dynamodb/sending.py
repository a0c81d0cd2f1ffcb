"""The requests that read items, sent with less of botocore: Query, Scan and BatchGetItem.

For each request botocore walks the service's model, evaluates the rules for endpoints, signs, and emits a dozen events,
which together take longer than the request itself. Here it does so once for an operation on a table (`routes`). Further
requests go where that one went, with its headers, the arguments as JSON and our own signature (`signing`).

botocore's retries and their quota are asked by its events `needs-retry` and `after-call`, credentials are those that
it signs with, and its HTTP session has the connections, time limits, proxies and TLS. Handlers of its other events see
only the requests that it sends itself. Only public parts of it are used; aiobotocore's `AioConfig.http_session_cls`
hands out the session.
"""

import asyncio
import uuid
from collections.abc import Mapping
from contextvars import ContextVar
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

from botocore.awsrequest import AWSPreparedRequest
from botocore.compat import get_current_datetime

from mcp_server.adapters.dynamodb.responses import RAW, ParserFactory, raw_response
from mcp_server.adapters.dynamodb.routes import Route, body_of, learnt
from mcp_server.adapters.dynamodb.signing import TIMESTAMP, Credentials
from mcp_server.adapters.dynamodb.tallying import RequestTally
from mcp_server.planning.plan import Operation
from shared_kernel.entropy import SystemEntropy

ROUTES_KEPT = 1000
"""For how many tables and operations the route of their requests is kept."""

_METHODS: dict[Operation, str] = {"BatchGetItem": "batch_get_item", "Query": "query", "Scan": "scan"}

_prepared: ContextVar[list[Any] | None] = ContextVar("prepared", default=None)
"""Where the requests that botocore is about to send for a call are noted."""

_entropy = SystemEntropy()
"""For ids that only have to differ; botocore takes no other source for its own either."""


class Sender:
    """Sends the reading operations of one client of aiobotocore; its methods are called like the client's.

    `http` is the client's HTTP session. `credentials` are those that it signs with, None where it has none. `learns` is
    false where an endpoint that was right once may not be used again: botocore sends every request then.
    """

    def __init__(self, client: Any, http: Any, credentials: Any, tally: RequestTally | None, *, learns: bool) -> None:
        self._client, self._http, self._credentials, self._tally = client, http, credentials, tally
        self._learns = learns and credentials is not None
        self._routes: dict[tuple[Operation, str, str | None], Route] = {}
        self._parser = ParserFactory().create_parser("json")
        client.meta.events.register_last("before-send.dynamodb", _note)

    async def query(self, **arguments: Any) -> dict[str, Any]:
        """The response, as the client's method answers: under RAW, with BYTES and ResponseMetadata.

        Raises what the client's method raises.
        """
        return await self._send("Query", arguments["TableName"], arguments)

    async def scan(self, **arguments: Any) -> dict[str, Any]:
        """See `query`."""
        return await self._send("Scan", arguments["TableName"], arguments)

    async def batch_get_item(self, **arguments: Any) -> dict[str, Any]:
        """See `query`. Asks for keys of one table."""
        (table,) = arguments["RequestItems"]
        return await self._send("BatchGetItem", table, arguments)

    async def _send(self, operation: Operation, table: str, arguments: Mapping[str, Any]) -> dict[str, Any]:
        if not self._learns:
            return await self._by_botocore(operation, arguments)
        signs: Credentials = await self._credentials.get_frozen_credentials()
        key = operation, table, signs.account_id  # an endpoint may be that of an account
        route = self._routes.get(key)
        if route is not None:
            return await self._by_route(operation, route, body_of(arguments), signs)
        prepared: list[Any] = []
        token = _prepared.set(prepared)
        try:
            response = await self._by_botocore(operation, arguments)
        finally:
            _prepared.reset(token)
        if prepared and (route := learnt(prepared[-1], arguments, signs)) is not None:
            if len(self._routes) >= ROUTES_KEPT:
                self._routes.clear()
            self._routes[key] = route
        return response

    async def _by_botocore(self, operation: Operation, arguments: Mapping[str, Any]) -> dict[str, Any]:
        return await getattr(self._client, _METHODS[operation])(**arguments)  # type: ignore[no-any-return] # no types

    async def _by_route(self, operation: Operation, route: Route, body: bytes, signs: Credentials) -> dict[str, Any]:
        """One call: its attempts, as botocore's handlers want them."""
        events, model = self._client.meta.events, self._client.meta.service_model.operation_model(operation)
        retries: dict[str, Any] = {"invocation-id": str(uuid.UUID(bytes=_entropy.bytes(16), version=4)), "attempt": 1}
        context: dict[str, Any] = {"retries": retries}
        while True:
            signed = route.signer.sign(body, signs, get_current_datetime())
            headers = {**route.headers, **signed, **_attempt(retries)}
            request = AWSPreparedRequest("POST", route.url, headers, body, stream_output=False)
            response, lost = await self._response(operation, model, request, context)
            if response is not None and RAW in response[1]:  # answered, and read: none of botocore's reasons can hold
                break
            answers = await events.emit(
                f"needs-retry.dynamodb.{operation}",
                response=response,
                endpoint=None,
                operation=model,
                attempts=retries["attempt"],
                caught_exception=lost,
                request_dict={"context": context},
            )
            pause = next((answer for _handler, answer in answers if answer is not None), None)
            if pause is None:
                break
            await asyncio.sleep(pause)
            retries["attempt"] += 1
            if response is not None:
                self._set_time_to_live(retries, response[0])
            signs = await self._credentials.get_frozen_credentials()  # they may have been refreshed since
        if response is None:
            assert lost is not None
            raise lost
        http, parsed = response
        parsed.setdefault("ResponseMetadata", {})["RetryAttempts"] = retries["attempt"] - 1
        await events.emit(  # gives back what retries took from their quota
            f"after-call.dynamodb.{operation}", http_response=http, parsed=parsed, model=model, context=context
        )
        if http.status_code >= 300:
            raise self._client.exceptions.from_code(parsed.get("Error", {}).get("Code"))(parsed, operation)
        return parsed

    async def _response(
        self, operation: Operation, model: Any, request: Any, context: dict[str, Any]
    ) -> tuple[tuple[Any, dict[str, Any]] | None, Exception | None]:
        """The answer to one attempt with what it holds, or the exception for which there is none."""
        if self._tally is not None:
            self._tally.sent(context, operation)
        try:
            http = await self._http.send(request)
        except Exception as error:  # as botocore does: its handlers decide whether to ask again
            return None, error
        parsed = await self._parsed(model, http)
        if self._tally is not None:
            self._tally.answered(context, operation, parsed)
        return (http, parsed), None

    async def _parsed(self, model: Any, http: Any) -> dict[str, Any]:
        body, shape = await http.content, model.output_shape
        if http.status_code == 200:
            return {**raw_response(shape.name, body, http.headers), "ResponseMetadata": {}}
        answer = {"headers": http.headers, "status_code": http.status_code, "body": body}
        answer["context"] = {"operation_name": model.name}
        parsed: dict[str, Any] = await self._parser.parse(answer, shape)
        code = parsed.get("Error", {}).get("Code")
        modelled = None if code is None else model.service_model.shape_for_error_code(code)
        if modelled is not None:
            parsed.update(await self._parser.parse(answer, modelled))
        return parsed

    def _set_time_to_live(self, retries: dict[str, Any], http: Any) -> None:
        """Says until when an answer to the next attempt is awaited, by the server's clock, as botocore does."""
        try:
            then = parsedate_to_datetime(http.headers["date"]).timestamp() + self._client.meta.config.read_timeout
        except (KeyError, ValueError):
            return
        retries["ttl"] = datetime.fromtimestamp(then, UTC).strftime(TIMESTAMP)


def _note(request: Any, **_: Any) -> None:
    """A handler of botocore's event `before-send`."""
    prepared = _prepared.get()
    if prepared is not None:
        prepared.append(request)


def _attempt(retries: Mapping[str, Any]) -> dict[str, str]:
    """The headers by which AWS tells attempts of one call from other calls."""
    said = "; ".join(f"{name}={retries[name]}" for name in ("ttl", "attempt", "max") if name in retries)
    return {"amz-sdk-invocation-id": retries["invocation-id"], "amz-sdk-request": said}
