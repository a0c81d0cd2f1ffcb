"""The endpoints that programs call: `/token`, `/par`, `/register`, `/revoke`."""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from auth_server.domain.failures import Reason, Refused
from auth_server.flows import client_request
from auth_server.flows.client_request import ClientRequest
from auth_server.web import refusals
from auth_server.web.endpoint import Endpoint, Handler
from auth_server.web.parameters import bounded_body, media_type, parse_flat_json, parse_form
from shared_kernel import dpop
from shared_kernel.asgi import Scope, answer_headers, header_values
from shared_kernel.client_address import client_address

_encode = msgspec.json.Encoder().encode
_HEADERS = [
    (b"content-type", b"application/json"),
    *((name.lower().encode(), value.encode()) for name, value in refusals.NOT_STORED.items()),
]


def api(post: Handler, refuse: Callable[[Request, Refused], Response] = refusals.as_json) -> Endpoint:
    """An endpoint for programs, whatever site they run on."""
    return Endpoint({"POST": post}, refuse, cross_origin=True)


class Answer(Response):
    """A JSON object that no cache may keep."""

    def render(self, content: Any) -> bytes:
        """The object's bytes."""
        return _encode(content)

    def init_headers(self, headers: Mapping[str, str] | None = None) -> None:
        """The same for all, encoded once."""
        assert headers is None
        self.raw_headers = [(b"content-length", b"%d" % len(self.body)), *_HEADERS]


@dataclass(frozen=True, slots=True)
class Arrived:
    """A request that a client authenticates by itself, whole and within bounds; nothing in it has been read.

    `proof` is the DPoP header. `fingerprint` is a digest of all else that the request says; its address is no part of
    that.
    """

    authorization: str | None
    kind: str
    body: bytes
    address: str
    fingerprint: bytes
    proof: str | None

    def read(self) -> ClientRequest:
        """What it says. Raises Refused."""
        pairs = parse_flat_json(self.body) if self.kind == "application/json" else parse_form(self.body)
        return client_request.read(pairs, self.authorization, self.address, self.fingerprint, self.proof)


async def arrived(request: Request) -> Arrived:
    """A request that a client authenticates by itself: a form or flat JSON body. Raises Refused."""
    # RFC 6749 §2.3.1: "The parameters can only be transmitted in the request-body and MUST NOT be included in the
    # request URI."
    if request.scope["query_string"]:
        raise Refused(Reason.PARAMETERS_IN_URL)
    authorization, proof = sole_authorization(request.scope), sole_proof(request.scope)
    kind = media_type(request.scope)
    if kind not in {"application/x-www-form-urlencoded", "application/json"}:
        raise Refused(Reason.FORM_REQUIRED)
    body = await bounded_body(request.scope, request.receive)
    head = f"{kind} {authorization is None} {len(authorization or '')} {authorization}".encode()
    fingerprint = hashlib.sha256(head + body).digest()
    return Arrived(authorization, kind, body, client_address(request.scope), fingerprint, proof)


def offer_nonce(request: Request, nonce: str) -> None:
    """Gives a nonce for the next proof, whatever the answer to this one is (RFC 9449 §8.2)."""
    answer_headers(request.scope).append((b"dpop-nonce", nonce.encode()))


def sole_authorization(scope: Scope) -> str | None:
    """The Authorization header; None without one. Raises Refused (SEVERAL_AUTHORIZATION_HEADERS)."""
    values = header_values(scope, "authorization")
    if len(values) > 1:
        raise Refused(Reason.SEVERAL_AUTHORIZATION_HEADERS)
    return values[0] if values else None


def bearer_token(scope: Scope) -> str | None:
    """The token of an Authorization header of the scheme Bearer; None without one. Raises as sole_authorization()."""
    scheme, _, token = (sole_authorization(scope) or "").strip().partition(" ")
    return token.strip() if scheme.lower() == "bearer" else None


def sole_proof(scope: Scope) -> str | None:
    """The DPoP header; None without one. Raises Refused (SEVERAL_DPOP_HEADERS)."""
    values = header_values(scope, dpop.HEADER)
    # RFC 9449 §4.3: "There is not more than one DPoP HTTP request header field."
    if len(values) > 1:
        raise Refused(Reason.SEVERAL_DPOP_HEADERS)
    return values[0] if values else None
