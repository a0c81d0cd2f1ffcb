"""`/register`."""

from starlette.requests import Request
from starlette.responses import Response

from auth_server.domain.failures import Reason, Refused
from auth_server.flows.register import Register
from auth_server.web.api import Answer, bearer_token
from auth_server.web.endpoint import Handler
from auth_server.web.parameters import bounded_body, media_type, parse_json_object
from shared_kernel.client_address import client_address


def register(flow: Register) -> Handler:
    """Takes registrations (RFC 7591)."""

    async def handle(request: Request) -> Response:
        if request.scope["query_string"]:
            raise Refused(Reason.PARAMETERS_IN_URL)
        # RFC 7591 §3.1: 'an HTTP POST to the client registration endpoint with a content type of "application/json"'
        if media_type(request.scope) != "application/json":
            raise Refused(Reason.JSON_REQUIRED)
        metadata = parse_json_object(await bounded_body(request.scope, request.receive))
        return Answer(await flow.register(metadata, bearer_token(request.scope), client_address(request.scope)), 201)

    return handle
