"""Judging a request to exchange an access token for one that may do less (RFC 8693)."""

from auth_server.domain.client import Client, GrantType, Registration
from auth_server.domain.deployment import Deployment
from auth_server.domain.failures import Reason, Refused
from auth_server.protocol import resource_indicator
from auth_server.protocol.parameters import Parameters
from shared_kernel import scope
from shared_kernel.access_token import AccessToken
from shared_kernel.dpop import Proof

ACCESS_TOKEN = "urn:ietf:params:oauth:token-type:access_token"


def subject_token(given: Parameters) -> str:
    """The token to exchange, unverified.

    Raises Refused: MISSING_PARAMETER, TOKEN_TYPE_NOT_EXCHANGED, TOKEN_TYPE_NOT_ISSUED, ACTOR_TOKEN_NOT_SUPPORTED.
    """
    text = given.required("subject_token")
    if given.required("subject_token_type") != ACCESS_TOKEN:
        raise Refused(Reason.TOKEN_TYPE_NOT_EXCHANGED)
    if given.get("requested_token_type") not in (None, ACCESS_TOKEN):
        raise Refused(Reason.TOKEN_TYPE_NOT_ISSUED)
    if given.get("actor_token") is not None or given.get("actor_token_type") is not None:
        raise Refused(Reason.ACTOR_TOKEN_NOT_SUPPORTED)
    return text


def check_caller(token: AccessToken, client: Client, proof: Proof | None) -> None:
    """Raises Refused (SUBJECT_TOKEN_NOT_VALID, DPOP_PROOF_MISSING) unless that client may exchange that token.

    Every client may give up rights of its own tokens; of others' only one that the operator has trusted with this
    grant, in the workspace that the token is for. Anybody else learns nothing of the token.
    """
    if token.client_id != client.client_id and not _is_trusted(client, token):
        raise Refused(Reason.SUBJECT_TOKEN_NOT_VALID)
    # Otherwise the exchange would free the token from its key.
    if token.key_thumbprint is not None and (proof is None or proof.thumbprint != token.key_thumbprint):
        raise Refused(Reason.SUBJECT_TOKEN_NOT_VALID if proof else Reason.DPOP_PROOF_MISSING)


def allowed_scopes(given: Parameters, token: AccessToken, client: Client, deployment: Deployment) -> frozenset[str]:
    """What the new token may do: what is asked for, or all that is left of the old one's.

    Raises Refused: SCOPE_NOT_ALLOWED, UNKNOWN_RESOURCE, RESOURCE_WITHDRAWN.
    """
    audience = given.get("audience")
    resource_indicator.resolve([*given.resources, *([audience] if audience else [])], deployment, token.audience)
    ceiling = token.scopes if token.client_id == client.client_id else token.scopes & client.scopes
    try:
        asked = scope.parse(given.get("scope") or "") or ceiling
    except scope.MalformedScope as error:
        raise Refused(Reason.SCOPE_NOT_ALLOWED) from error
    if not asked or not asked <= ceiling:
        raise Refused(Reason.SCOPE_NOT_ALLOWED)
    return asked


def _is_trusted(client: Client, token: AccessToken) -> bool:
    return (
        client.registration is Registration.OPERATOR
        and client.confidential
        and GrantType.TOKEN_EXCHANGE in client.grant_types
        and client.tenant == token.tenant
    )
