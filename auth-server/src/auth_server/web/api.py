"""The endpoints that programs call: `/token`, `/register`, `/revoke`."""

import json
from collections.abc import Callable, Mapping
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from auth_server.domain.failures import Reason, Refused
from auth_server.flows import client_request
from auth_server.flows.client_request import ClientRequest
from auth_server.web import refusals
from auth_server.web.endpoint import Endpoint, Handler
from auth_server.web.parameters import bounded_body, media_type, parse_flat_json, parse_form
from shared_kernel.asgi import header_values
from shared_kernel.client_address import client_address

_encode = json.JSONEncoder(separators=(",", ":")).encode


def api(post: Handler, refuse: Callable[[Request, Refused], Response] = refusals.as_json) -> Endpoint:
    """An endpoint for programs, whatever site they run on."""
    return Endpoint({"POST": post}, refuse, cross_origin=True)


def answer(body: Mapping[str, Any], status: int = 200) -> Response:
    """A JSON object that no cache may keep."""
    return Response(_encode(body), status, refusals.NOT_STORED, "application/json")


async def read_client_request(request: Request) -> ClientRequest:
    """A request that a client authenticates by itself: a form or flat JSON body. Raises Refused."""
    # RFC 6749 §2.3.1: "The parameters can only be transmitted in the request-body and MUST NOT be included in the
    # request URI."
    if request.scope["query_string"]:
        raise Refused(Reason.PARAMETERS_IN_URL)
    authorizations = header_values(request.scope, "authorization")
    if len(authorizations) > 1:
        raise Refused(Reason.SEVERAL_AUTHORIZATION_HEADERS)
    kind = media_type(request.scope)
    if kind not in {"application/x-www-form-urlencoded", "application/json"}:
        raise Refused(Reason.FORM_REQUIRED)
    body = await bounded_body(request.receive)
    pairs = parse_form(body) if kind != "application/json" else parse_flat_json(body)
    return client_request.read(pairs, authorizations[0] if authorizations else None, client_address(request.scope))
