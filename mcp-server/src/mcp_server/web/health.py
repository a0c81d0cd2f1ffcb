"""Liveness and readiness. They report on this process only: trouble in another tier does not take it out of service."""

from collections.abc import Callable

from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

_HEADERS = {"Cache-Control": "no-store"}


def routes(ready: Callable[[], bool]) -> list[Route]:
    """`/livez`, and `/readyz`, which is 503 until `ready`."""

    async def livez(_request: Request) -> JSONResponse:
        return JSONResponse({"status": "ok"}, headers=_HEADERS)

    async def readyz(_request: Request) -> JSONResponse:
        if ready():
            return JSONResponse({"status": "ready"}, headers=_HEADERS)
        return JSONResponse({"status": "starting"}, status_code=503, headers=_HEADERS)

    return [Route("/livez", livez), Route("/readyz", readyz)]
