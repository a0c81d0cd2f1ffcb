"""`grant_type=refresh_token` (RFC 6749 §6, RFC 9700 §4.14)."""

from dataclasses import replace

from auth_server.domain import credentials
from auth_server.domain.client import Client, GrantType
from auth_server.domain.deployment import Deployment
from auth_server.domain.failures import Reason, Refused
from auth_server.domain.grant import Grant
from auth_server.flows.client_request import ClientRequest
from auth_server.flows.token.issuing import Issuing, about, family_key, stored
from auth_server.ports.grants import (
    GrantStore,
    OtherKey,
    RefreshStore,
    Replay,
    ReplayDiffers,
    Reused,
    Rotated,
    Rotation,
)
from auth_server.protocol import resource_indicator, sealed_response
from auth_server.protocol.authlib import refresh_token
from auth_server.protocol.authlib.server import TokenRequest
from auth_server.protocol.token import IssuedTokens
from shared_kernel.dpop import Proof
from shared_kernel.entropy import Entropy


class Refresh:
    """Rotates refresh tokens."""

    def __init__(
        self,
        *,
        deployment: Deployment,
        refresh_tokens: RefreshStore,
        grants: GrantStore,
        issuing: Issuing,
        entropy: Entropy,
    ) -> None:
        self._deployment, self._refresh_tokens, self._grants = deployment, refresh_tokens, grants
        self._issuing, self._entropy = issuing, entropy

    async def exchange(self, request: ClientRequest, client: Client, now: float) -> IssuedTokens:
        """The tokens; the losers of a race get the winner's. Raises Refused, StoreUnavailable."""
        given = request.parameters
        old = given.get("refresh_token") or ""
        key = credentials.refresh_token_key(old)
        grant = await self._refresh_tokens.refreshed_grant(key) if key else None
        try:
            decision = refresh_token.decide(TokenRequest(client, request.credentials.method, given.values), grant)
        except Refused as refused:
            if refused.reason is Reason.REFRESH_TOKEN_STOLEN and grant:
                await self._grants.revoke_grant(grant.grant_id, now)
            raise about(refused, grant) from refused
        assert key is not None
        assert grant is not None  # a refresh token that does not exist has been refused
        bound_to = family_key(client, request.proof)
        if grant.key_thumbprint not in {None, bound_to}:
            raise _of_another_key(grant, request.proof)
        resource = resource_indicator.resolve(given.resources, self._deployment, grant.resource)
        successor = credentials.next_refresh_token(self._entropy, old)
        issued = await self._issuing.for_grant(grant, decision.scopes, request.proof, now, successor)
        # Core §12.2: the new ID token "SHOULD NOT have a nonce Claim".
        issued = await self._issuing.with_id_token(issued, grant, decision.scopes, now)
        rotation = Rotation(
            successor=stored(successor, grant, now),
            sealed=sealed_response.seal(old, issued, self._entropy),
            # A replay must come from the holder of the key to which the access token in it is bound.
            request=" ".join([issued.scope, resource, *([request.proof.thumbprint] if request.proof else [])]),
            key_thumbprint=bound_to,
        )
        match await self._refresh_tokens.rotate(key, rotation, now):
            case Rotated():
                self._record(issued, grant, request, replayed=False)
                return issued
            case Replay(sealed):
                known = _unsealed(old, sealed)
                replayed = replace(known, grant_handle=grant.handle, token_type=issued.token_type)
                self._record(replayed, grant, request, replayed=True)
                return replayed
            case ReplayDiffers():
                reason = Reason.REPLAY_DIFFERS
            case OtherKey():
                raise _of_another_key(grant, request.proof)
            case Reused():
                reason = Reason.REFRESH_TOKEN_REUSED
            case _:
                reason = Reason.REFRESH_TOKEN_NOT_VALID
        raise about(Refused(reason), grant)

    def _record(self, issued: IssuedTokens, grant: Grant, request: ClientRequest, *, replayed: bool) -> None:
        kind, address = GrantType.REFRESH_TOKEN, request.address
        self._issuing.record(issued, kind, grant.client_id, address, user_id=grant.user_id, replayed=replayed)


def _of_another_key(grant: Grant, proof: Proof | None) -> Refused:
    return about(Refused(Reason.REFRESH_TOKEN_OF_ANOTHER_KEY if proof else Reason.DPOP_PROOF_MISSING), grant)


def _unsealed(old: str, sealed: bytes) -> IssuedTokens:
    try:
        return sealed_response.unseal(old, sealed)
    except sealed_response.Unreadable as error:  # somebody has written into the store
        raise Refused(Reason.REFRESH_TOKEN_NOT_VALID) from error
