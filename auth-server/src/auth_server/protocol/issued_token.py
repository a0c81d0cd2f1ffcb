"""Which of our own access tokens a text is."""

from collections.abc import Mapping

from joserfc.jwk import ECKey

from auth_server.domain.deployment import Deployment
from shared_kernel import access_token
from shared_kernel.access_token import AccessToken, Refusal


def issued(
    unverified_token: str, *, keys: Mapping[str, ECKey], deployment: Deployment, now: float
) -> AccessToken | None:
    """The claims of an access token that this server has issued for one of its resources, and that has not expired.

    None for anything else. Whether the token has been revoked is not looked at.
    """
    for resource in deployment.resources:
        try:
            return access_token.verify(
                unverified_token, keys=keys, issuer=deployment.issuer, audience=resource, now=now
            )
        except access_token.TokenRefused as refused:
            if refused.reason is not Refusal.WRONG_AUDIENCE:
                return None
    return None
