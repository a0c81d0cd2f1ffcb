"""`/token`."""

from starlette.requests import Request
from starlette.responses import Response

from auth_server.flows.token.exchange import TokenExchange
from auth_server.web.api import answer, read_client_request
from auth_server.web.endpoint import Handler


def token(flow: TokenExchange) -> Handler:
    """Takes token requests (RFC 6749 §3.2)."""

    async def handle(request: Request) -> Response:
        return answer(await flow.exchange(await read_client_request(request)))

    return handle
