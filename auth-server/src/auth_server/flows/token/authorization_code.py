"""`grant_type=authorization_code` (RFC 6749 §4.1.3, RFC 7636 §4.6)."""

from auth_server.domain import credentials
from auth_server.domain.client import Client, GrantType
from auth_server.domain.deployment import Deployment
from auth_server.domain.failures import Reason, Refused
from auth_server.flows.client_request import ClientRequest
from auth_server.flows.token.issuing import Issuing, about, family_key, stored
from auth_server.ports.authorizations import CodeStore, LoadedCode, Redeemed
from auth_server.ports.grants import Reused
from auth_server.protocol import resource_indicator
from auth_server.protocol.authlib import authorization_code
from auth_server.protocol.authlib.authorization_code import StoredCode
from auth_server.protocol.authlib.server import TokenRequest
from auth_server.protocol.token import IssuedTokens
from shared_kernel.dpop import Proof


class AuthorizationCode:
    """Redeems codes."""

    def __init__(self, *, deployment: Deployment, codes: CodeStore, issuing: Issuing) -> None:
        self._deployment, self._codes, self._issuing = deployment, codes, issuing

    async def exchange(self, request: ClientRequest, client: Client, now: float) -> IssuedTokens:
        """The tokens. Raises Refused, StoreUnavailable."""
        given = request.parameters
        code = given.get("code")
        digest = credentials.digest(code or "")
        loaded = await self._codes.code(digest) if code else None
        try:
            decision = authorization_code.decide(
                TokenRequest(client, request.credentials.method, given.values),
                StoredCode(loaded.code.redirect_uri, loaded.code.code_challenge, loaded.grant) if loaded else None,
            )
        except Refused as refused:
            if refused.reason is Reason.WRONG_VERIFIER:
                await self._codes.count_wrong_verifier(digest)
            raise about(refused, loaded.grant if loaded else None) from refused
        assert loaded is not None  # a code that does not exist has been refused
        grant = loaded.grant
        _check_key(loaded, request.proof)
        resource_indicator.resolve(given.resources, self._deployment, grant.resource)
        refresh = self._issuing.new_refresh_token(grant) if decision.with_refresh_token else None
        issued = await self._issuing.for_grant(grant, grant.scopes, request.proof, now, refresh)
        issued = await self._issuing.with_id_token(issued, grant, grant.scopes, now, nonce=loaded.code.nonce)
        first = stored(refresh, grant, now) if refresh else None
        outcome = await self._codes.redeem(digest, first, now, family_key(client, request.proof))
        if not isinstance(outcome, Redeemed):
            reason = Reason.CODE_REUSED if isinstance(outcome, Reused) else Reason.CODE_NOT_VALID
            raise about(Refused(reason), grant)
        kind, address = GrantType.AUTHORIZATION_CODE, request.address
        self._issuing.record(issued, kind, grant.client_id, address, user_id=grant.user_id)
        return issued


def _check_key(loaded: LoadedCode, proof: Proof | None) -> None:
    """Raises Refused: DPOP_PROOF_MISSING, CODE_OF_ANOTHER_KEY."""
    # RFC 9449 §10: "the authorization server [...] verifies that it matches the dpop_jkt parameter value in the
    # authorization request."
    bound_to = loaded.code.key_thumbprint
    if bound_to is not None and (proof is None or proof.thumbprint != bound_to):
        reason = Reason.CODE_OF_ANOTHER_KEY if proof else Reason.DPOP_PROOF_MISSING
        raise about(Refused(reason), loaded.grant)
