"""Which grant an access token belongs to, so that revoking the token can end the grant (RFC 7009 §2.1)."""

from collections.abc import Mapping

from joserfc.jwk import ECKey

from auth_server.domain.client import Client
from auth_server.domain.deployment import Deployment
from shared_kernel import access_token
from shared_kernel.access_token import AccessToken


def own_token(
    unverified_token: str, *, keys: Mapping[str, ECKey], deployment: Deployment, client: Client, now: float
) -> AccessToken | None:
    """The claims of a live access token that this server issued to this client; None for anything else."""
    for resource in deployment.resources:
        try:
            claims = access_token.verify(
                unverified_token, keys=keys, issuer=deployment.issuer, audience=resource, now=now
            )
        except access_token.TokenRefused:
            continue
        # RFC 7009 §2.1: "the token was issued to the client making the revocation request"
        return claims if claims.client_id == client.client_id else None
    return None
