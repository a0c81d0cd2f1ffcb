"""`/token`."""

from starlette.requests import Request
from starlette.responses import Response

from auth_server.flows.token.exchange import TokenExchange
from auth_server.web.api import Answer, arrived, offer_nonce
from auth_server.web.endpoint import Handler


def token(flow: TokenExchange) -> Handler:
    """Takes token requests (RFC 6749 §3.2)."""

    async def handle(request: Request) -> Response:
        given = await arrived(request)
        if given.proof is not None:
            offer_nonce(request, flow.nonce())
            return Answer(await flow.exchange(given.read()))
        tokens = await flow.again(given.fingerprint, given.address)
        return Answer(tokens if tokens is not None else await flow.exchange(given.read()))

    return handle
