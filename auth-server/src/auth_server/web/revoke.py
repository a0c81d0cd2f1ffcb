"""`/revoke`."""

from starlette.requests import Request
from starlette.responses import Response

from auth_server.flows.revoke import Revoke
from auth_server.web.api import arrived
from auth_server.web.endpoint import Handler
from auth_server.web.refusals import NOT_STORED


def revoke(flow: Revoke) -> Handler:
    """Takes revocation requests (RFC 7009)."""

    async def handle(request: Request) -> Response:
        await flow.revoke((await arrived(request)).read())
        return Response(headers=NOT_STORED)

    return handle
