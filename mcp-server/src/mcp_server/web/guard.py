"""Stands before the MCP endpoint: nothing reaches it but one well-formed message whose bearer may send it.

Plain ASGI. The checks run in the order in which `_admit` lists them; the first that fails answers. Nothing in an answer
comes from the request, so none can echo a token.
"""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple, Self

import structlog
from mcp.server.transport_security import TransportSecurityMiddleware, TransportSecuritySettings
from starlette.requests import Request

from mcp_server.access.bearer import (
    MESSAGE_KEY,
    PRINCIPAL_KEY,
    Challenge,
    Denial,
    MalformedCredentials,
    Presented,
    Scheme,
    presented_token,
)
from mcp_server.domain.principal import Principal
from mcp_server.engine.limits import BUSY_SECONDS
from mcp_server.ports.keys import KeySetUnavailable
from mcp_server.ports.revocations import RevocationsUnknown
from mcp_server.web import message
from mcp_server.web.possession import ProofVerifier, Unproven
from mcp_server.web.verification import TokenVerifier
from shared_kernel import dpop
from shared_kernel.access_token import AccessToken, TokenRefused
from shared_kernel.asgi import (
    App,
    BodyTooLarge,
    ClientDisconnected,
    Header,
    Receive,
    Scope,
    Send,
    answer_headers,
    body_at_once,
    header_values,
    read_body,
    send_json,
)
from shared_kernel.client_address import client_address

BODY_LIMIT = 1024 * 1024
"""Longest request body, in bytes."""
BODY_SECONDS = 15
"""How long a client may take to send its body."""
FLOOD_SECONDS = 0.2
"""How long whoever asks on and on waits for a refusal: with it, they would be in the way of others again at once."""
_RETRY_AFTER_SECONDS = "2"
_FLOOD: dict[str, object] = {
    "error": "too_many_requests",
    "error_description": "Query after query of yours was refused, because as many as may are running. Wait.",
}
_NONE: tuple[bytes, ...] = ()
_JSON = (b"application/json",)
_ADDRESSED = 64
"""How many of the hosts and origins that were admitted last are known again."""
_log = structlog.get_logger("guard")


class _Headers(NamedTuple):
    """The headers of a request without white space around their values, and those that decide about every request."""

    lines: list[Header]
    host: tuple[bytes, ...]
    origin: tuple[bytes, ...]
    authorization: tuple[bytes, ...]
    content_type: tuple[bytes, ...]

    @classmethod
    def of(cls, given: Iterable[Header]) -> Self:
        """Those of a request, found in one pass; ASGI has their names in lower case."""
        lines: list[Header] = []
        host = origin = authorization = content_type = _NONE
        for name, padded in given:
            # RFC 9110 §5.5: "A field value does not include leading or trailing whitespace"; httptools leaves it there.
            value = padded.strip(b" \t")
            lines.append((name, value))
            if name == b"host":
                host = (*host, value)
            elif name == b"origin":
                origin = (*origin, value)
            elif name == b"authorization":
                authorization = (*authorization, value)
            elif name == b"content-type":
                content_type = (*content_type, value)
        return cls(lines, host, origin, authorization, content_type)


class _Refused(Exception):
    """The answer to a request that is not admitted; `reason` is for the log."""

    def __init__(
        self, status: int, reason: str, document: dict[str, object], headers: Sequence[tuple[str, str]] = ()
    ) -> None:
        super().__init__(reason)
        self.status, self.reason, self.document, self.headers = status, reason, document, headers


class Guard:
    """Admits requests to the MCP endpoint and leaves their Principal and their message in the scope's state.

    `needed_scopes` gives the scopes that a method needs for a name or URI, `common_scopes` are what a client without a
    token is told to ask for, and `metadata_url` is where it learns of the authorization server. `dpop_required` refuses
    bearers. `held_back` refusals of who floods wait at a time; the next is given at once: each takes a request's place.
    """

    def __init__(
        self,
        app: App,
        *,
        verifier: TokenVerifier,
        proofs: ProofVerifier,
        dpop_required: bool,
        transport: TransportSecuritySettings,
        metadata_url: str,
        needed_scopes: Callable[[str, str], frozenset[str]],
        common_scopes: frozenset[str],
        floods: Callable[[Principal], bool],
        held_back: int,
    ) -> None:
        self._app, self._verifier, self._metadata_url = app, verifier, metadata_url
        self._proofs, self._dpop_required = proofs, dpop_required
        self._transport = TransportSecurityMiddleware(transport)
        self._needed_scopes, self._common_scopes = needed_scopes, common_scopes
        self._floods = floods
        self._addressed: set[tuple[tuple[bytes, ...], tuple[bytes, ...]]] = set()
        self._holding_back = asyncio.Semaphore(held_back)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serves one HTTP request."""
        headers = _Headers.of(scope["headers"])
        scope = {**scope, "headers": headers.lines}
        # MCP, Streamable HTTP: "Servers MUST validate the `Origin` header on all incoming connections"
        addressed = (headers.host, headers.origin)
        if addressed not in self._addressed:
            misdirected = await self._transport.validate_request(Request(scope))
            if misdirected is not None:
                return await misdirected(scope, receive, send)
            if len(self._addressed) >= _ADDRESSED:
                self._addressed.clear()
            self._addressed.add(addressed)
        try:
            await self._admit(scope, headers, receive)
        except _Refused as refused:
            _log.info("request_denied", reason=refused.reason, status=refused.status, address=client_address(scope))
            return await send_json(send, refused.status, refused.document, refused.headers)
        except ClientDisconnected:
            return None
        return await self._app(scope, receive, send)

    async def _admit(self, scope: Scope, headers: "_Headers", receive: Receive) -> None:
        presented = self._presented(scope, headers)
        principal = await self._authenticate(presented, scope)
        if self._floods(principal):
            await self._hold_back()
            raise _Refused(429, "flood", _FLOOD, [("Retry-After", str(BUSY_SECONDS))])
        _check_method(scope)
        _check_content_type(headers)
        body = _arrived_body(scope)
        request = _parse(await _read_body(receive) if body is None else body)
        self._authorize(principal, request, presented.scheme)
        scope.setdefault("state", {}).update({PRINCIPAL_KEY: principal, MESSAGE_KEY: request.document})

    async def _hold_back(self) -> None:
        if not self._holding_back.locked():
            async with self._holding_back:
                await asyncio.sleep(FLOOD_SECONDS)

    def _presented(self, scope: Scope, headers: "_Headers") -> Presented:
        try:
            presented = presented_token(headers.authorization, scope["query_string"])
        except MalformedCredentials:
            raise self._denied(Denial.MALFORMED, self._common_scopes, "malformed_credentials") from None
        if presented is None:
            raise self._denied(Denial.NO_TOKEN, self._common_scopes, "no_token")
        if presented.scheme is Scheme.DPOP:
            # RFC 9449 §8.2: a nonce may come with any answer.
            answer_headers(scope).append((b"dpop-nonce", self._proofs.nonce().encode()))
        elif self._dpop_required:
            raise self._denied(Denial.INVALID_TOKEN, self._common_scopes, "dpop_required")
        return presented

    async def _authenticate(self, presented: Presented, scope: Scope) -> Principal:
        """MCP, Authorization: "MCP servers [...] MUST validate access tokens", on every request of every method."""
        try:
            verified = await self._verifier.verified(presented.token)
            if verified.claims.key_thumbprint is not None or presented.scheme is not Scheme.BEARER:
                await self._check_binding(presented, verified.claims, scope)
        except TokenRefused as refused:
            denial, scheme = Denial.INVALID_TOKEN, presented.scheme
            raise self._denied(denial, self._common_scopes, refused.reason.value, scheme) from None
        except Unproven as unproven:
            reason, scheme = str(unproven), presented.scheme
            raise self._denied(unproven.denial, self._common_scopes, reason, scheme, unproven.defect) from None
        except (KeySetUnavailable, RevocationsUnknown) as error:
            # A 401 would make clients throw away a good token.
            document: dict[str, object] = {
                "error": "temporarily_unavailable",
                "error_description": "Tokens cannot be verified at the moment. Try again in a few seconds.",
            }
            reason = "key_set_unavailable" if isinstance(error, KeySetUnavailable) else "revocations_unknown"
            raise _Refused(503, reason, document, [("Retry-After", _RETRY_AFTER_SECONDS)]) from None
        return verified.principal

    async def _check_binding(self, presented: Presented, claims: AccessToken, scope: Scope) -> None:
        """Raises Unproven unless a bound token comes with its proof, and another as a bearer's."""
        # RFC 9449 §4.3: "confirm that the public key to which the access token is bound matches the public key from the
        # DPoP proof"
        thumbprint = claims.key_thumbprint
        if thumbprint is None:
            if presented.scheme is Scheme.DPOP:
                raise Unproven(Denial.UNBOUND_TOKEN, "unbound_token")
            return
        if presented.scheme is Scheme.BEARER:
            raise Unproven(Denial.BOUND_TOKEN, "bound_token")
        proofs = header_values(scope, dpop.HEADER)
        await self._proofs.check(proofs, method=scope["method"], token=presented.token, thumbprint=thumbprint)

    def _authorize(self, principal: Principal, request: message.Message, scheme: Scheme) -> None:
        # MCP, Authorization: every scope the operation needs in one challenge, so that one step-up is enough.
        needed = self._needed_scopes(request.method, request.target)
        if not needed <= principal.scopes:
            raise self._denied(Denial.INSUFFICIENT_SCOPE, needed, "insufficient_scope", scheme)

    def _denied(
        self,
        denial: Denial,
        scopes: frozenset[str],
        reason: str,
        scheme: Scheme = Scheme.BEARER,
        defect: str = "",
    ) -> _Refused:
        challenge = Challenge(denial, scopes, self._metadata_url, scheme, defect, self._dpop_required)
        description = defect or denial.description
        document: dict[str, object] = {"error": denial.error or "unauthorized", "error_description": description}
        headers = [("WWW-Authenticate", value) for value in challenge.headers]
        return _Refused(denial.status, reason, document, [*headers, ("Cache-Control", "no-store")])


def _check_method(scope: Scope) -> None:
    # Stateless: there is no stream to GET, and no session is remembered that a DELETE could end. MCP, Session
    # Management: "The server MAY respond to this request with HTTP 405 Method Not Allowed".
    if scope["method"] != "POST":
        raise _rpc_error(405, "method_not_allowed", message.INVALID_REQUEST, "Method not allowed", [("Allow", "POST")])


def _check_content_type(headers: "_Headers") -> None:
    # A browser's page can send other types across origins without asking first.
    types = headers.content_type
    if types != _JSON and [_without_parameters(value) for value in types] != list(_JSON):
        text = "The Content-Type header must be application/json"
        raise _rpc_error(415, "not_json", message.INVALID_REQUEST, text)


def _without_parameters(content_type: bytes) -> bytes:
    return content_type.partition(b";")[0].strip().lower()


def _arrived_body(scope: Scope) -> bytes | None:
    body = body_at_once(scope)
    if body is not None and len(body) > BODY_LIMIT:
        raise _too_large()
    return body


async def _read_body(receive: Receive) -> bytes:
    try:
        async with asyncio.timeout(BODY_SECONDS):
            return await read_body(receive, BODY_LIMIT)
    except BodyTooLarge:
        raise _too_large() from None
    except TimeoutError:
        text = f"The body did not arrive within {BODY_SECONDS} seconds"
        raise _rpc_error(408, "body_too_slow", message.INVALID_REQUEST, text) from None


def _too_large() -> _Refused:
    text = f"The body is longer than {BODY_LIMIT} bytes"
    return _rpc_error(413, "body_too_large", message.INVALID_REQUEST, text)


def _parse(body: bytes) -> message.Message:
    try:
        return message.parse(body)
    except message.InvalidMessage as invalid:
        raise _rpc_error(400, "invalid_message", invalid.code, invalid.message) from None


def _rpc_error(status: int, reason: str, code: int, text: str, headers: Sequence[tuple[str, str]] = ()) -> _Refused:
    return _Refused(status, reason, message.error_document(code, text), headers)
