"""Which grant an access token belongs to, so that revoking the token can end the grant (RFC 7009 §2.1)."""

from collections.abc import Mapping

from joserfc.jwk import ECKey

from auth_server.domain.client import Client
from auth_server.domain.deployment import Deployment
from auth_server.protocol.issued_token import issued
from shared_kernel.access_token import AccessToken


def own_token(
    unverified_token: str, *, keys: Mapping[str, ECKey], deployment: Deployment, client: Client, now: float
) -> AccessToken | None:
    """The claims of a live access token that this server issued to this client; None for anything else."""
    claims = issued(unverified_token, keys=keys, deployment=deployment, now=now)
    # RFC 7009 §2.1: "the token was issued to the client making the revocation request"
    return claims if claims and claims.client_id == client.client_id else None
