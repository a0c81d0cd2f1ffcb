"""`/oauth/client-info`."""

from starlette.requests import Request
from starlette.responses import Response

from auth_server.domain.failures import Reason, Refused
from auth_server.flows import client_request
from auth_server.flows.client_info import ClientInfo
from auth_server.protocol import parameters
from auth_server.web import refusals
from auth_server.web.api import Answer, arrived, sole_authorization
from auth_server.web.endpoint import Endpoint
from auth_server.web.parameters import parse_form
from shared_kernel.client_address import client_address


def client_info(flow: ClientInfo) -> Endpoint:
    """Tells anyone who a client is, by `client_id`, and a client that authenticates all about itself."""

    async def get(request: Request) -> Response:
        pairs, authorization = parse_form(request.scope["query_string"]), sole_authorization(request.scope)
        address = client_address(request.scope)
        if authorization is not None:
            # RFC 6749 §2.3.1: secrets and assertions "MUST NOT be included in the request URI".
            if pairs:
                raise Refused(Reason.PARAMETERS_IN_URL)
            return Answer(await flow.own(client_request.read(pairs, authorization, address, b"")))
        client_id = parameters.sole(pairs, "client_id")
        if client_id is None or len(pairs) > 1:
            raise Refused(Reason.PARAMETERS_IN_URL if client_id else Reason.MISSING_PARAMETER)
        return Answer(await flow.public(client_id, address))

    async def post(request: Request) -> Response:
        return Answer(await flow.own((await arrived(request)).read()))

    return Endpoint({"GET": get, "HEAD": get, "POST": post}, refusals.as_json, cross_origin=True)
