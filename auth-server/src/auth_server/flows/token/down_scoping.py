"""`grant_type=urn:ietf:params:oauth:grant-type:token-exchange` (RFC 8693): a token for one that may do less.

Not through Authlib, whose module for it is empty.
"""

from auth_server.domain.client import Client, GrantType
from auth_server.domain.deployment import Deployment
from auth_server.domain.failures import Facts, Reason, Refused
from auth_server.flows.client_request import ClientRequest
from auth_server.flows.living_tokens import LivingTokens
from auth_server.flows.token.issuing import Issuing
from auth_server.protocol import token_exchange
from auth_server.protocol.token import IssuedTokens


class DownScoping:
    """Exchanges access tokens.

    The new one is for the same person or program and the same resource, under the same grant, so that it ends with it;
    it lives no longer than the old one, and is never refreshed.
    """

    def __init__(self, *, deployment: Deployment, tokens: LivingTokens, issuing: Issuing) -> None:
        self._deployment, self._tokens, self._issuing = deployment, tokens, issuing

    async def exchange(self, request: ClientRequest, client: Client, now: float) -> IssuedTokens:
        """The token. Raises Refused, StoreUnavailable."""
        given = request.parameters
        living = await self._tokens.find(token_exchange.subject_token(given), now)
        if living is None:
            raise Refused(Reason.SUBJECT_TOKEN_NOT_VALID)
        token = living.token
        token_exchange.check_caller(token, client, request.proof)
        user_id = living.grant.user_id if living.grant else None
        try:
            scopes = token_exchange.allowed_scopes(given, token, client, self._deployment)
        except Refused as refused:
            facts = Facts(user_id=user_id, grant_handle=token.grant_handle, resources=refused.facts.resources)
            raise Refused(refused.reason, facts) from refused
        issued = await self._issuing.in_place_of(token, client, scopes, request.proof, now)
        self._issuing.record(issued, GrantType.TOKEN_EXCHANGE, client.client_id, request.address, user_id=user_id)
        return issued
