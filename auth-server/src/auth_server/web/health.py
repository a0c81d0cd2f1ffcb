"""Whether this process lives, and whether it can do its work: its own state only, never the other tier's."""

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from auth_server.ports.keys import KeyRing
from auth_server.ports.store import Maintenance, StoreUnavailable
from auth_server.web import refusals
from auth_server.web.endpoint import Endpoint, Handler

_HEADERS = {"Cache-Control": "no-store"}


def live() -> Endpoint:
    """`/livez`: the event loop turns."""

    async def handle(_request: Request) -> Response:
        return JSONResponse({"status": "ok"}, headers=_HEADERS)

    return _probe(handle)


def ready(store: Maintenance, keys: KeyRing) -> Endpoint:
    """`/readyz`: the store answers and there is a key to sign with."""

    async def handle(_request: Request) -> Response:
        checks = {}
        for name, check in (("store", store.check), ("signing_key", keys.signing_key)):
            try:
                await check()
                checks[name] = "ok"
            except StoreUnavailable:
                checks[name] = "unavailable"
        if set(checks.values()) == {"ok"}:
            return JSONResponse({"status": "ok", "checks": checks}, headers=_HEADERS)
        wait = {**_HEADERS, "Retry-After": str(refusals.STORE_RETRY_AFTER)}
        return JSONResponse({"status": "unavailable", "checks": checks}, 503, wait)

    return _probe(handle)


def _probe(handle: Handler) -> Endpoint:
    return Endpoint({"GET": handle, "HEAD": handle}, refusals.as_json, cross_origin=False)
