"""The documents anyone may read and caches may keep: metadata and key set."""

import hashlib
import json
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from auth_server.domain.signing_key import JWKS_MAX_AGE
from auth_server.web import refusals
from auth_server.web.endpoint import Endpoint
from shared_kernel.asgi import header_values

Document = Callable[[], Awaitable[Mapping[str, Any]]]


def document(load: Document) -> Endpoint:
    """An endpoint that serves a JSON document with a validator, to programs on any site."""

    async def handle(request: Request) -> Response:
        body = json.dumps(await load(), separators=(",", ":")).encode()
        tag = f'"{hashlib.sha256(body).hexdigest()[:32]}"'
        headers = {
            "Cache-Control": f"public, max-age={JWKS_MAX_AGE}",
            "ETag": tag,
            "X-Content-Type-Options": "nosniff",
        }
        if _matches(request, tag):
            return Response(status_code=304, headers=headers)
        return Response(body, media_type="application/json", headers=headers)

    return Endpoint({"GET": handle, "HEAD": handle}, refusals.as_json, cross_origin=True)


def _matches(request: Request, tag: str) -> bool:
    """Whether the caller has this version already (RFC 9110 §13.1.2, weak comparison)."""
    known = [item.strip() for value in header_values(request.scope, "if-none-match") for item in value.split(",")]
    return "*" in known or any(item.removeprefix("W/") == tag for item in known)
