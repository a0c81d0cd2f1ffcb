"""`/register`."""

from collections.abc import Callable

from starlette.requests import Request
from starlette.responses import Response

from auth_server.flows.register import Register
from auth_server.web.api import answer, refuse_json
from auth_server.web.endpoint import Handler, unreadable
from auth_server.web.parameters import BadRequest, bounded_body, media_type, parse_json_object


def register(flow: Register, address_of: Callable[[Request], str]) -> Handler:
    """Takes registrations (RFC 7591)."""

    async def handle(request: Request) -> Response:
        try:
            if request.scope["query_string"]:
                raise BadRequest("Send the metadata in the body, not in the URL.")
            # RFC 7591 §3.1: "an HTTP POST to the client registration endpoint with a content type of
            # "application/json""
            if media_type(request.scope) != "application/json":
                raise BadRequest("Send Content-Type: application/json.")
            metadata = parse_json_object(await bounded_body(request.receive))
        except BadRequest as error:
            return refuse_json(request, unreadable(error, "invalid_client_metadata"))
        return answer(request, await flow.register(metadata, address_of(request)))

    return handle
