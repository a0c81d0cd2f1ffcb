"""The documents anyone may read and caches may keep: metadata and key set, encoded once, and sent without routing."""

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from auth_server.domain.deployment import Deployment
from auth_server.domain.signing_key import JWKS_MAX_AGE
from auth_server.ports.keys import KeyRing, Published
from auth_server.protocol.metadata import jwk_set, openid_configuration
from auth_server.web import refusals
from auth_server.web.endpoint import Endpoint
from shared_kernel.asgi import App, Header, Prepared, Receive, Scope, Send, header_values, send_answer
from shared_kernel.http_exchange import prepared

_METHODS = ("GET", "HEAD")


@dataclass(frozen=True, slots=True)
class _Encoded:
    """A document's two answers, sent as often as asked for: the whole, and that nothing has changed.

    Each has its `prepared` form, with the headers that every answer of its path has: for GET, and for HEAD.
    """

    tag: str
    whole: Response
    unchanged: Response
    prepared: Mapping[tuple[int, str], Prepared]

    def answer(self, scope: Scope) -> Response:
        known = [item.strip() for value in header_values(scope, "if-none-match") for item in value.split(",")]
        # RFC 9110 §13.1.2, weak comparison.
        if "*" in known or any(item.removeprefix("W/") == self.tag for item in known):
            return self.unchanged
        return self.whole


Document = Callable[[Published], _Encoded]
"""Gives a document in the form in which it tells of these keys."""


class Documents:
    """Answers the requests for documents; every other request is the application's."""

    def __init__(self, app: App, documents: Mapping[str, Document], keys: KeyRing) -> None:
        self._app, self._documents, self._keys = app, documents, keys

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serves one HTTP request."""
        document = self._documents.get(scope["path"])
        if document is None or scope["method"] not in _METHODS:
            await self._app(scope, receive, send)
            return
        answer = document(await self._keys.published()).answer(scope)
        await send_answer(scope, send, answer.status_code, answer.raw_headers, bytes(answer.body))

    def at_once(self, scope: Scope) -> Prepared | None:
        """The answer to a request for a document, unless the keys must be read for it."""
        document = self._documents.get(scope["path"])
        if document is None or scope["method"] not in _METHODS:
            return None
        published = self._keys.published_at_once()
        if published is None:
            return None
        encoded = document(published)
        return encoded.prepared[encoded.answer(scope).status_code, scope["method"]]


def document_endpoint(document: Document, keys: KeyRing) -> Endpoint:
    """The place of a document among the endpoints: what else is asked of its path is refused there."""

    async def handle(request: Request) -> Response:
        return document(await keys.published()).answer(request.scope)

    return Endpoint(dict.fromkeys(_METHODS, handle), refusals.as_json, cross_origin=True)


def fixed(content: Mapping[str, Any], headers: Sequence[Header]) -> Document:
    """A document that never changes. `headers` are those of every answer of its path."""
    encoded = _encode(content, headers)
    return lambda _published: encoded


def openid_metadata(deployment: Deployment, headers: Sequence[Header]) -> Document:
    """The metadata of OpenID Connect, which name the algorithm that ID tokens are signed with now."""
    encoded: dict[str, _Encoded] = {}

    def document(published: Published) -> _Encoded:
        algorithm = published.id_token_algorithm
        if algorithm not in encoded:
            encoded[algorithm] = _encode(openid_configuration(deployment, algorithm), headers)
        return encoded[algorithm]

    return document


def key_set(headers: Sequence[Header]) -> Document:
    """The published keys; they are encoded anew when one comes or goes."""
    known: Mapping[str, Any] = {}
    encoded = _encode({"keys": []}, headers)

    def document(published: Published) -> _Encoded:
        nonlocal known, encoded
        present = published.key_set
        # A key id is the thumbprint of its key: the same ids are the same document.
        if present is not known and present.keys() != known.keys():
            encoded = _encode(jwk_set(present), headers)
        known = present
        return encoded

    return document


def _encode(content: Mapping[str, Any], headers: Sequence[Header]) -> _Encoded:
    body = json.dumps(content, separators=(",", ":")).encode()
    tag = f'"{hashlib.sha256(body).hexdigest()[:32]}"'
    own = {
        "Cache-Control": f"public, max-age={JWKS_MAX_AGE}",
        "ETag": tag,
        "X-Content-Type-Options": "nosniff",
    }
    whole = Response(body, media_type="application/json", headers=own)
    unchanged = Response(status_code=304, headers=own)
    forms = {
        (answer.status_code, method): prepared(
            answer.status_code, [*answer.raw_headers, *headers], bytes(answer.body) if method == "GET" else b""
        )
        for answer in (whole, unchanged)
        for method in _METHODS
    }
    return _Encoded(tag, whole, unchanged, forms)
