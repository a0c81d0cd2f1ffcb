"""`/device_authorization`."""

from starlette.requests import Request
from starlette.responses import Response

from auth_server.flows.device_authorization import DeviceAuthorizations
from auth_server.web.api import Answer, arrived
from auth_server.web.endpoint import Handler


def device_authorization(flow: DeviceAuthorizations) -> Handler:
    """Takes device authorization requests (RFC 8628 §3.1)."""

    async def handle(request: Request) -> Response:
        return Answer(await flow.begin((await arrived(request)).read()))

    return handle
