"""`/register/{client_id}`."""

from starlette.requests import Request
from starlette.responses import Response

from auth_server.domain.failures import Reason, Refused
from auth_server.flows.registration_management import RegistrationManagement
from auth_server.web import refusals
from auth_server.web.api import Answer, bearer_token
from auth_server.web.endpoint import Endpoint
from auth_server.web.parameters import bounded_body, media_type, parse_json_object
from shared_kernel.client_address import client_address


def registration_management(flow: RegistrationManagement) -> Endpoint:
    """Serves the registration of one client (RFC 7592)."""

    async def read(request: Request) -> Response:
        return Answer(await flow.read(*_named(request), client_address(request.scope)))

    async def update(request: Request) -> Response:
        if media_type(request.scope) != "application/json":
            raise Refused(Reason.JSON_REQUIRED)
        metadata = parse_json_object(await bounded_body(request.scope, request.receive))
        return Answer(await flow.update(*_named(request), metadata, client_address(request.scope)))

    async def delete(request: Request) -> Response:
        await flow.delete(*_named(request), client_address(request.scope))
        return Response(status_code=204, headers=refusals.NOT_STORED)

    return Endpoint({"GET": read, "PUT": update, "DELETE": delete}, refusals.registration_as_json, cross_origin=True)


def _named(request: Request) -> tuple[str, str | None]:
    """The client in the path, and the token that came with the request."""
    if request.scope["query_string"]:
        raise Refused(Reason.PARAMETERS_IN_URL)
    return request.path_params["client_id"], bearer_token(request.scope)
