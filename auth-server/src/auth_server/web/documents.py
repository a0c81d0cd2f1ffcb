"""The documents anyone may read and caches may keep: metadata and key set, encoded once."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from auth_server.domain.signing_key import JWKS_MAX_AGE
from auth_server.ports.keys import KeyRing
from auth_server.protocol.metadata import jwk_set
from auth_server.web import refusals
from auth_server.web.endpoint import Endpoint, Handler
from shared_kernel.asgi import header_values


@dataclass(frozen=True, slots=True)
class _Encoded:
    """A document's two answers, sent as often as asked for: the whole, and that nothing has changed."""

    tag: str
    whole: Response
    unchanged: Response

    def answer(self, request: Request) -> Response:
        known = [item.strip() for value in header_values(request.scope, "if-none-match") for item in value.split(",")]
        # RFC 9110 §13.1.2, weak comparison.
        if "*" in known or any(item.removeprefix("W/") == self.tag for item in known):
            return self.unchanged
        return self.whole


def fixed(content: Mapping[str, Any]) -> Endpoint:
    """An endpoint that serves a document that never changes."""
    encoded = _encode(content)

    async def handle(request: Request) -> Response:
        return encoded.answer(request)

    return _public(handle)


def key_set(keys: KeyRing) -> Endpoint:
    """An endpoint that serves the published keys; they are encoded anew when one comes or goes."""
    known: frozenset[str] = frozenset()
    encoded = _encode({"keys": []})

    async def handle(request: Request) -> Response:
        nonlocal known, encoded
        published = await keys.published_keys()
        # A key id is the thumbprint of its key: the same ids are the same document.
        if published.keys() != known:
            known, encoded = frozenset(published), _encode(jwk_set(published))
        return encoded.answer(request)

    return _public(handle)


def _encode(content: Mapping[str, Any]) -> _Encoded:
    body = json.dumps(content, separators=(",", ":")).encode()
    tag = f'"{hashlib.sha256(body).hexdigest()[:32]}"'
    headers = {
        "Cache-Control": f"public, max-age={JWKS_MAX_AGE}",
        "ETag": tag,
        "X-Content-Type-Options": "nosniff",
    }
    whole = Response(body, media_type="application/json", headers=headers)
    return _Encoded(tag, whole, Response(status_code=304, headers=headers))


def _public(handle: Handler) -> Endpoint:
    return Endpoint({"GET": handle, "HEAD": handle}, refusals.as_json, cross_origin=True)
