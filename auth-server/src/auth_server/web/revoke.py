"""`/revoke`."""

from starlette.requests import Request
from starlette.responses import Response

from auth_server.flows.revoke import Revoke
from auth_server.web.api import AddressOf, read_client_request
from auth_server.web.endpoint import Handler
from auth_server.web.refusals import NOT_STORED


def revoke(flow: Revoke, address_of: AddressOf) -> Handler:
    """Takes revocation requests (RFC 7009)."""

    async def handle(request: Request) -> Response:
        await flow.revoke(await read_client_request(request, address_of))
        return Response(headers=NOT_STORED)

    return handle
