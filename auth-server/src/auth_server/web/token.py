"""`/token`."""

from starlette.requests import Request
from starlette.responses import Response

from auth_server.flows.token import Token
from auth_server.web.api import answer, credentials_and_parameters
from auth_server.web.endpoint import Handler


def token(flow: Token) -> Handler:
    """Takes token requests (RFC 6749 §3.2)."""

    async def handle(request: Request) -> Response:
        authorization, pairs = await credentials_and_parameters(request)
        return answer(request, await flow.exchange(list(pairs), authorization))

    return handle
