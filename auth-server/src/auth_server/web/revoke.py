"""`/revoke`."""

from starlette.requests import Request
from starlette.responses import Response

from auth_server.flows.revoke import Revoke
from auth_server.web.api import answer, credentials_and_parameters
from auth_server.web.endpoint import Handler


def revoke(flow: Revoke) -> Handler:
    """Takes revocation requests (RFC 7009)."""

    async def handle(request: Request) -> Response:
        authorization, pairs = await credentials_and_parameters(request)
        return answer(request, await flow.revoke(list(pairs), authorization))

    return handle
