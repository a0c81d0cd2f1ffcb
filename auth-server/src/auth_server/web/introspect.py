"""`/introspect`."""

from starlette.requests import Request
from starlette.responses import Response

from auth_server.flows.introspect import Introspect
from auth_server.protocol.introspection import MEDIA_TYPE
from auth_server.web import refusals
from auth_server.web.api import Answer, arrived
from auth_server.web.endpoint import Endpoint
from auth_server.web.refusals import NOT_STORED
from shared_kernel.asgi import header_values


def introspect(flow: Introspect) -> Endpoint:
    """Takes introspection requests (RFC 7662), of servers only: whoever has a secret is no script of a page's."""

    async def handle(request: Request) -> Response:
        found = await flow.introspect((await arrived(request)).read())
        if _wants_jwt(request):
            return Response(await flow.signed(found), media_type=MEDIA_TYPE, headers=NOT_STORED)
        return Answer(found.members)

    return Endpoint({"POST": handle}, refusals.as_json, cross_origin=False)


def _wants_jwt(request: Request) -> bool:
    """Whether the caller names the signed form among what it accepts (RFC 9701 §4)."""
    ranges = [each.split(";") for value in header_values(request.scope, "accept") for each in value.split(",")]
    return any(
        kind.strip().lower() == MEDIA_TYPE and not any(p.strip() in {"q=0", "q=0.0"} for p in parameters)
        for kind, *parameters in ranges
    )
