"""`/par`."""

from starlette.requests import Request
from starlette.responses import Response

from auth_server.flows.par import Par
from auth_server.web.api import Answer, arrived, offer_nonce
from auth_server.web.endpoint import Handler


def par(flow: Par) -> Handler:
    """Takes pushed authorization requests (RFC 9126)."""

    async def handle(request: Request) -> Response:
        given = await arrived(request)
        if given.proof is not None:
            offer_nonce(request, flow.nonce())
        return Answer(await flow.push(given.read()), 201)

    return handle
