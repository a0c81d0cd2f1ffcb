"""`/revocations`."""

from starlette.requests import Request
from starlette.responses import Response

from auth_server.flows.revocation_feed import RevocationFeed
from auth_server.web import refusals
from auth_server.web.endpoint import Endpoint

_MEDIA_TYPE = "application/revocations+jwt"


def revocations(flow: RevocationFeed) -> Endpoint:
    """Tells resource servers which access tokens have ended; it is signed, and holds nothing that names a person."""

    async def handle(request: Request) -> Response:
        text = await flow.feed(request.query_params.get("after"))
        return Response(text, headers=refusals.NOT_STORED, media_type=_MEDIA_TYPE)

    return Endpoint({"GET": handle, "HEAD": handle}, refusals.as_json, cross_origin=False)
