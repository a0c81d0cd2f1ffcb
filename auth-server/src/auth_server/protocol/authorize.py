"""Judging an authorization request (RFC 6749 §4.1.1, RFC 9700 §2.1): two stages, told apart by where errors may go.

Until client and redirect URI are proven, an error is shown to the person; afterwards it goes to the client.
"""

from dataclasses import dataclass

from auth_server.domain.authorization import AuthorizationRequest
from auth_server.domain.client import Client, GrantType, Registration
from auth_server.domain.deployment import Deployment
from auth_server.domain.failures import Reason, Refused
from auth_server.domain.user import MalformedEmail, normalise_email
from auth_server.protocol import parameters, redirect_uri, resource_indicator
from auth_server.protocol.authlib import authorization_code
from auth_server.protocol.parameters import Pairs, Parameters
from shared_kernel import dpop

MAX_STATE = 8192
MAX_NONCE = 1024
MAX_PARAMETERS = 64
MAX_TOTAL = 32768
"""Bounds on a request: the lengths of `state` and `nonce`, the number of parameters, the length of them all."""


@dataclass(frozen=True, slots=True)
class Proven:
    """A client and one of its redirect URIs: errors may go there. `state` is None if absent or not to be trusted."""

    client: Client
    redirect_uri: str
    state: str | None


@dataclass(frozen=True, slots=True)
class Accepted:
    """A good request. `silent` forbids any page (`prompt=none`); `authenticated_since` as in Transaction.

    `unverified_hint` is what the client gave as the ID token of the person that it expects.
    """

    request: AuthorizationRequest
    silent: bool
    authenticated_since: float
    unverified_hint: str | None


def unverified_client_id(pairs: Pairs) -> str:
    """The client a request names, to load it. Raises Refused for the error page."""
    if len(pairs) > MAX_PARAMETERS or sum(len(name) + len(value) for name, value in pairs) > MAX_TOTAL:
        raise Refused(Reason.MALFORMED_REQUEST)
    client_id = parameters.sole(pairs, "client_id")
    if client_id is None:
        raise Refused(Reason.UNKNOWN_CLIENT)
    return client_id


def prove(pairs: Pairs, client: Client | None, deployment: Deployment) -> Proven:
    """Stage one. Raises Refused for the error page."""
    if client is None:
        raise Refused(Reason.UNKNOWN_CLIENT)
    uri = parameters.sole(pairs, "redirect_uri")
    if uri is None or not _is_allowed(uri, client, deployment):
        raise Refused(Reason.REDIRECT_URI_NOT_ALLOWED)
    states = [value for name, value in pairs if name == "state"]
    if any(len(state) > MAX_STATE for state in states):
        raise Refused(Reason.MALFORMED_REQUEST)
    try:
        state = parameters.sole(pairs, "state")
    except Refused as refusal:
        if refusal.reason is Reason.MALFORMED_REQUEST:
            raise
        state = None  # of two, neither is the client's for sure; stage two refuses the request
    return Proven(client, uri, state)


def judge(
    pairs: Pairs,
    proven: Proven,
    deployment: Deployment,
    now: float,
    *,
    pushed: bool = False,
    workspace: str | None = None,
) -> Accepted:
    """Stage two, for a request that its client has pushed or that only the browser brings.

    `workspace` is the one that the browser's URL names. Raises Refused for the error redirect.
    """
    given = parameters.parse(pairs)
    _check_extensions(given)
    # RFC 9126 §5 has the server require that requests are pushed, §6 the client.
    if (deployment.par_required or proven.client.par_required) and not pushed:
        raise Refused(Reason.PUSHED_REQUEST_REQUIRED)
    scopes = authorization_code.allowed_scopes(proven.client, given.values)
    resource = resource_indicator.resolve(given.resources, deployment)
    prompts, authenticated_since = _prompt(given, now)
    request = AuthorizationRequest(
        client_id=proven.client.client_id,
        redirect_uri=proven.redirect_uri,
        state=proven.state,
        scopes=scopes,
        resource=resource,
        code_challenge=given.required("code_challenge"),
        nonce=_nonce(given),
        login_hint=_login_hint(given),
        key_thumbprint=_key_thumbprint(given),
        workspace=workspace,
        asks_consent="consent" in prompts,
    )
    return Accepted(request, "none" in prompts, authenticated_since, given.get("id_token_hint"))


def still_allowed(request: AuthorizationRequest, client: Client | None, deployment: Deployment) -> bool:
    """Whether a stored request would be accepted today, by the client as it is now."""
    return (
        client is not None
        and _may_ask(request, client, deployment)
        and request.scopes <= client.allowed_scopes
        and request.resource in deployment.resources
    )


def code_redirect(request: AuthorizationRequest, code: str, issuer: str) -> str:
    """Where the browser goes with a code."""
    # RFC 9207 §2: "the authorization server MUST include [...] the iss parameter", in errors as well.
    return redirect_uri.with_parameters(
        request.redirect_uri, [("code", code), ("state", request.state), ("iss", issuer)]
    )


def error_redirect(uri: str, state: str | None, refused: Refused, issuer: str, reference: str) -> str:
    """Where the browser goes with an error; nothing in it is the client's own text but `state`.

    `reference` is the request's id, under which the operator finds what happened.
    """
    wire = refused.wire
    description = f"{wire.description} (reference {reference})" if reference else wire.description
    return redirect_uri.with_parameters(
        uri, [("error", wire.error), ("error_description", description), ("state", state), ("iss", issuer)]
    )


def _may_ask(request: AuthorizationRequest, client: Client, deployment: Deployment) -> bool:
    if request.device_id is not None:
        return GrantType.DEVICE_CODE in client.grant_types
    return _is_allowed(request.redirect_uri, client, deployment)


def _is_allowed(uri: str, client: Client, deployment: Deployment) -> bool:
    """Whether the client may be answered at the URI: registered, and of a kind that may be registered today."""
    if not redirect_uri.is_registered(client.redirect_uris, uri):
        return False
    if client.registration is not Registration.OPERATOR:
        try:
            redirect_uri.check_self_registered(uri, deployment.redirect_schemes)
        except redirect_uri.UnacceptableRedirectUri:
            return False
    return True


def _check_extensions(given: Parameters) -> None:
    """Refuses what would change the meaning of the request and is not served; nothing is fetched."""
    if given.get("request") is not None:
        raise Refused(Reason.REQUEST_OBJECT_NOT_SUPPORTED)
    if given.get("request_uri") is not None:
        raise Refused(Reason.REQUEST_URI_NOT_SUPPORTED)
    # OpenID Connect Core §7: of a self-issued provider. What else it defines and is not served (claims, acr_values,
    # display, ui_locales) only hints at what is wanted, and is ignored.
    if given.get("registration") is not None:
        raise Refused(Reason.REGISTRATION_NOT_SUPPORTED)
    if given.get("response_type") is None:
        raise Refused(Reason.MISSING_PARAMETER)
    if given.get("response_mode") not in (None, "query"):
        raise Refused(Reason.UNSUPPORTED_RESPONSE_MODE)


def _nonce(given: Parameters) -> str | None:
    """What the ID token is to repeat (OpenID Connect Core §3.1.2.1)."""
    nonce = given.get("nonce")
    if nonce is not None and len(nonce) > MAX_NONCE:
        raise Refused(Reason.MALFORMED_REQUEST)
    return nonce


def _login_hint(given: Parameters) -> str | None:
    """The address that the client expects to sign in; whatever else a hint may be means nothing here."""
    try:
        return normalise_email(given.get("login_hint") or "")
    except MalformedEmail:
        return None


def _key_thumbprint(given: Parameters) -> str | None:
    """The key by which the code is to be redeemed (RFC 9449 §10)."""
    thumbprint = given.get("dpop_jkt")
    if thumbprint is not None and not dpop.is_thumbprint(thumbprint):
        raise Refused(Reason.MALFORMED_REQUEST)
    return thumbprint


def _prompt(given: Parameters, now: float) -> tuple[frozenset[str], float]:
    """`prompt` and `max_age` (OpenID Connect Core §3.1.2.1): the prompts, and the oldest sign-in that will do."""
    prompts = frozenset((given.get("prompt") or "").split())
    if "none" in prompts and len(prompts) > 1:
        raise Refused(Reason.MALFORMED_PROMPT)
    since = now if prompts & {"login", "select_account"} else 0.0
    max_age = given.get("max_age")
    if max_age is not None:
        if not (max_age.isascii() and max_age.isdigit() and len(max_age) <= 10):
            raise Refused(Reason.MALFORMED_PROMPT)
        since = max(since, now - int(max_age))
    return prompts, since
