"""The documents anyone may read and caches may keep: metadata and key set, encoded once, and sent without routing."""

import hashlib
import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from auth_server.domain.deployment import Deployment
from auth_server.domain.signing_key import JWKS_MAX_AGE
from auth_server.ports.keys import KeyRing
from auth_server.protocol.metadata import jwk_set, openid_configuration
from auth_server.web import refusals
from auth_server.web.endpoint import Endpoint
from shared_kernel.asgi import App, Receive, Scope, Send, header_values

_METHODS = ("GET", "HEAD")


@dataclass(frozen=True, slots=True)
class _Encoded:
    """A document's two answers, sent as often as asked for: the whole, and that nothing has changed."""

    tag: str
    whole: Response
    unchanged: Response

    def answer(self, scope: Scope) -> Response:
        known = [item.strip() for value in header_values(scope, "if-none-match") for item in value.split(",")]
        # RFC 9110 §13.1.2, weak comparison.
        if "*" in known or any(item.removeprefix("W/") == self.tag for item in known):
            return self.unchanged
        return self.whole


Document = Callable[[], Awaitable[_Encoded]]
"""Gives a document in its present form; never fails."""


class Documents:
    """Answers the requests for documents; every other request is the application's."""

    def __init__(self, app: App, documents: Mapping[str, Document]) -> None:
        self._app, self._documents = app, documents

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serves one HTTP request."""
        document = self._documents.get(scope["path"])
        if document is None or scope["method"] not in _METHODS:
            await self._app(scope, receive, send)
            return
        answer = (await document()).answer(scope)
        await send({"type": "http.response.start", "status": answer.status_code, "headers": answer.raw_headers})
        await send({"type": "http.response.body", "body": answer.body})


def document_endpoint(document: Document) -> Endpoint:
    """The place of a document among the endpoints: what else is asked of its path is refused there."""

    async def handle(request: Request) -> Response:
        return (await document()).answer(request.scope)

    return Endpoint(dict.fromkeys(_METHODS, handle), refusals.as_json, cross_origin=True)


def fixed(content: Mapping[str, Any]) -> Document:
    """A document that never changes."""
    encoded = _encode(content)

    async def document() -> _Encoded:
        return encoded

    return document


def openid_metadata(deployment: Deployment, keys: KeyRing) -> Document:
    """The metadata of OpenID Connect, which name the algorithm that ID tokens are signed with now."""
    encoded: dict[str, _Encoded] = {}

    async def document() -> _Encoded:
        algorithm = await keys.id_token_algorithm()
        if algorithm not in encoded:
            encoded[algorithm] = _encode(openid_configuration(deployment, algorithm))
        return encoded[algorithm]

    return document


def key_set(keys: KeyRing) -> Document:
    """The published keys; they are encoded anew when one comes or goes."""
    published: Mapping[str, Any] = {}
    encoded = _encode({"keys": []})

    async def document() -> _Encoded:
        nonlocal published, encoded
        present = await keys.key_set()
        # A key id is the thumbprint of its key: the same ids are the same document.
        if present is not published and present.keys() != published.keys():
            encoded = _encode(jwk_set(present))
        published = present
        return encoded

    return document


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
