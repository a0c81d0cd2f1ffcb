"""`/userinfo`: a protected resource of this server's own."""

from starlette.requests import Request
from starlette.responses import Response

from auth_server.domain.failures import Reason, Refused
from auth_server.flows.userinfo import PresentedToken, UserInfo
from auth_server.web import refusals
from auth_server.web.api import Answer, offer_nonce, sole_authorization, sole_proof
from auth_server.web.endpoint import Endpoint
from shared_kernel import dpop, scope
from shared_kernel.client_address import client_address

_STATUS = {"invalid_token": 401, "invalid_dpop_proof": 401, "use_dpop_nonce": 401, "insufficient_scope": 403}
"""Of the errors that a challenge goes with (RFC 6750 §3.1, RFC 9449 §7.1)."""


def userinfo(flow: UserInfo) -> Endpoint:
    """Answers whoever holds an access token (OpenID Connect Core §5.3.1: GET and POST)."""

    async def handle(request: Request) -> Response:
        proof = sole_proof(request.scope)
        if proof is not None:
            offer_nonce(request, flow.nonce())
        scheme, token = _credentials(request)
        return Answer(
            await flow.claims(
                PresentedToken(token, scheme == "dpop", proof, request.method, client_address(request.scope))
            )
        )

    return Endpoint({"GET": handle, "POST": handle}, _refuse, cross_origin=True)


def _credentials(request: Request) -> tuple[str, str]:
    """The scheme, in lower case, and the token of the Authorization header. Raises Refused (BEARER_TOKEN_REQUIRED)."""
    scheme, _, token = (sole_authorization(request.scope) or "").strip().partition(" ")
    if scheme.lower() not in {"bearer", "dpop"} or not token.strip():
        raise Refused(Reason.BEARER_TOKEN_REQUIRED)
    return scheme.lower(), token.strip()


def _refuse(request: Request, refused: Refused) -> Response:
    """The refusal, with the challenge that goes with it (RFC 6750 §3, RFC 9449 §7.1)."""
    response, wire = refusals.as_json(request, refused), refused.wire
    if wire.error not in _STATUS:
        return response
    response.status_code = _STATUS[wire.error]
    parameters = {"error": wire.error, "error_description": wire.description}
    if refused.reason is Reason.BEARER_TOKEN_REQUIRED:
        # RFC 6750 §3.1: who has authenticated in no way "SHOULD NOT" be told an error.
        parameters = {}
    elif refused.reason is Reason.OPENID_SCOPE_REQUIRED:
        parameters["scope"] = scope.OPENID
    bound = "dpop" in wire.error or (sole_authorization(request.scope) or "").lower().startswith("dpop ")
    if bound:
        parameters["algs"] = " ".join(dpop.ALGORITHMS)
    scheme = "DPoP" if bound else "Bearer"
    shown = ", ".join(f'{name}="{value}"' for name, value in parameters.items())
    response.headers["WWW-Authenticate"] = f"{scheme} {shown}".rstrip()
    return response
