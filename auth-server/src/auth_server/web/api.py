"""The endpoints that programs call: `/token`, `/register`, `/revoke`."""

from collections.abc import Awaitable, Callable

import structlog
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from auth_server.domain.failures import WIRE, Reason, Refused
from auth_server.flows.answers import NOT_STORED, JsonAnswer, refusal_answer
from auth_server.ports.limits import AttemptLimiter
from auth_server.protocol import client_auth, parameters
from auth_server.web.endpoint import Endpoint, Handler, Problem
from auth_server.web.parameters import (
    BadRequest,
    Pairs,
    bounded_body,
    media_type,
    parse_flat_json,
    parse_form,
)
from shared_kernel.asgi import header_values

Exchange = Callable[[list[tuple[str, str]], str | None], Awaitable[JsonAnswer]]
"""What a flow makes of parameters and an Authorization header."""
_LOGGED_ID = 128
_log = structlog.get_logger("web")


def api(post: Handler) -> Endpoint:
    """An endpoint for programs, whatever site they run on."""
    return Endpoint({"POST": post}, refuse_json, cross_origin=True)


def answer(request: Request, result: JsonAnswer, unverified_client_id: str | None = None) -> Response:
    """A flow's answer as a response; why it refused, and whom, goes to the log only."""
    if result.reason is not None:
        whom = (unverified_client_id or "")[:_LOGGED_ID]
        _log.info("refused", path=request.url.path, status=result.status, reason=result.reason.value, client_id=whom)
    if result.body is None:
        return Response(status_code=result.status, headers=result.headers)
    return JSONResponse(dict(result.body), result.status, result.headers)


def refuse_json(_request: Request, problem: Problem) -> Response:
    """A problem as an OAuth error document."""
    headers = {**NOT_STORED, **dict(problem.headers)}
    return JSONResponse({"error": problem.error, "error_description": problem.text}, problem.status, headers)


def client_request(exchange: Exchange, limiter: AttemptLimiter, address_of: Callable[[Request], str]) -> Handler:
    """Takes requests that a client authenticates by itself; guessing at a client's secret is slowed down.

    The limit counts per client and address, so that nobody can lock a client out from elsewhere.
    """

    async def handle(request: Request) -> Response:
        authorization, pairs = await _credentials_and_parameters(request)
        client_id, address = _unverified_client_id(authorization, pairs), address_of(request)
        wait = limiter.client_authentication_wait(client_id, address) if client_id else None
        if wait is not None:
            return answer(request, refusal_answer(Reason.TOO_MANY_REQUESTS, wait), client_id)
        result = await exchange(list(pairs), authorization)
        if client_id and result.status == WIRE[Reason.CLIENT_NOT_AUTHENTICATED].status:
            limiter.client_authentication_failed(client_id, address)
        return answer(request, result, client_id)

    return handle


def _unverified_client_id(authorization: str | None, pairs: Pairs) -> str | None:
    try:
        return client_auth.presented(authorization, parameters.parse(pairs)).unverified_client_id
    except Refused:
        return None  # the flow will say what is wrong


async def _credentials_and_parameters(request: Request) -> tuple[str | None, Pairs]:
    """The Authorization header and the parameters of a form or flat JSON body. Raises BadRequest."""
    # RFC 6749 §2.3.1: "The parameters can only be transmitted in the request-body and MUST NOT be included in the
    # request URI."
    if request.scope["query_string"]:
        raise BadRequest("Send the parameters in the body, not in the URL.")
    authorizations = header_values(request.scope, "authorization")
    if len(authorizations) > 1:
        raise BadRequest("Send at most one Authorization header.")
    kind = media_type(request.scope)
    if kind not in {"application/x-www-form-urlencoded", "application/json"}:
        raise BadRequest("Send Content-Type: application/x-www-form-urlencoded.")
    body = await bounded_body(request.receive)
    pairs = parse_form(body) if kind != "application/json" else parse_flat_json(body)
    return (authorizations[0] if authorizations else None), pairs
