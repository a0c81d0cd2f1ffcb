"""How the server says no: status, headers and texts of a refusal, all from the one table of reasons."""

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from auth_server.domain.failures import WIRE, Reason, Refused

# RFC 6749 §5.1: 'the "Cache-Control" response header field with a value of "no-store" [...] "Pragma" [...] "no-cache"'
NOT_STORED = {"Cache-Control": "no-store", "Pragma": "no-cache", "X-Content-Type-Options": "nosniff"}
STORE_RETRY_AFTER = 2
"""Seconds after which a caller may try a store that could not answer."""


def headers(refused: Refused) -> dict[str, str]:
    """The headers that a refusal carries whoever reads it."""
    wire, facts = WIRE[refused.reason], refused.facts
    result = {}
    if wire.status in {429, 503}:
        result["Retry-After"] = str(facts.retry_after or STORE_RETRY_AFTER)
    if wire.status == 405:
        result["Allow"] = ", ".join(facts.allowed_methods)
    if wire.status in {408, 413}:
        # The rest of such a body may never end, and would be read as long as the connection lives.
        result["Connection"] = "close"
    return result


def request_id(request: Request) -> str:
    """The id under which the request is logged, and its events are found."""
    return str(request.scope.get("state", {}).get("request_id", ""))


def as_json(request: Request, refused: Refused, *, invalid_request: str = "invalid_request") -> Response:
    """The refusal as an OAuth error document (RFC 6749 §5.2), and the request's id for whoever is asked about it.

    `invalid_request` is the endpoint's word for that.
    """
    wire = refused.wire
    sent = {**NOT_STORED, **headers(refused)}
    if wire.status == 401:
        # RFC 6749 §5.2: 'the response MUST include the "WWW-Authenticate" response header field'
        sent["WWW-Authenticate"] = 'Basic realm="authorization server", charset="UTF-8"'
    error = invalid_request if wire.error == "invalid_request" else wire.error
    document = {"error": error, "error_description": wire.description, "request_id": request_id(request)}
    return JSONResponse(document, wire.status, sent)


def registration_as_json(request: Request, refused: Refused) -> Response:
    """As as_json, in the words of RFC 7591 §3.2.2, which has no `invalid_request`."""
    response = as_json(request, refused, invalid_request="invalid_client_metadata")
    if response.status_code == 401:
        # RFC 6750 §3, to which RFC 7591 §3 and RFC 7592 §2 refer; §3.1: who has authenticated in no way "SHOULD NOT" be
        # told an error.
        told = "" if refused.reason is Reason.INITIAL_TOKEN_REQUIRED else ', error="invalid_token"'
        response.headers["WWW-Authenticate"] = f'Bearer realm="authorization server"{told}'
    return response
