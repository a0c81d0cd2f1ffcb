"""`/userinfo`: who the person is that an access token was issued for (OpenID Connect Core §5.3)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from auth_server.domain.audit import EventName
from auth_server.domain.failures import Facts, Reason, Refused
from auth_server.flows.living_tokens import LivingTokens
from auth_server.flows.possession import Possession
from auth_server.flows.sightings import Sightings
from auth_server.ports.audit import AuditTrail
from auth_server.ports.people import UserStore
from auth_server.protocol import userinfo
from shared_kernel import scope
from shared_kernel.clock import Clock


@dataclass(frozen=True, slots=True)
class PresentedToken:
    """An access token and the proof beside it, as they came from that address.

    `bound` says that the caller calls the token bound to a key.
    """

    unverified_token: str
    bound: bool
    unverified_proof: str | None
    method: str
    address: str


class UserInfo:
    """Tells clients who their person is, for as long as the token counts."""

    def __init__(
        self, *, tokens: LivingTokens, users: UserStore, possession: Possession, trail: AuditTrail, clock: Clock
    ) -> None:
        self._tokens, self._users, self._possession = tokens, users, possession
        self._trail, self._clock = trail, clock
        self._sightings = Sightings()

    async def claims(self, presented: PresentedToken) -> Mapping[str, Any]:
        """The person's claims, as far as the token's scopes go.

        Raises StoreUnavailable, and Refused: BEARER_TOKEN_NOT_VALID, OPENID_SCOPE_REQUIRED, DPOP_PROOF_MISSING,
        DPOP_PROOF_NOT_VALID, DPOP_PROOF_REUSED, DPOP_NONCE_REQUIRED.
        """
        now = self._clock.now()
        living = await self._tokens.find(presented.unverified_token, now)
        if living is None or living.grant is None:
            raise Refused(Reason.BEARER_TOKEN_NOT_VALID)
        token = living.token
        facts = Facts(client_id=token.client_id, user_id=token.subject, grant_handle=token.grant_handle)
        try:
            await self._check_holder(presented, token.key_thumbprint, now)
        except Refused as refused:
            raise Refused(refused.reason, facts) from refused
        if scope.OPENID not in token.scopes:
            raise Refused(Reason.OPENID_SCOPE_REQUIRED, facts)
        user = await self._users.user(token.subject)
        if user is None:
            raise Refused(Reason.BEARER_TOKEN_NOT_VALID, facts)
        if self._sightings.is_new(token.client_id, token.grant_handle, now):
            self._trail.record(
                EventName.USERINFO_READ,
                flow_id=token.grant_handle,
                client_id=token.client_id,
                user_id=user.user_id,
                address=presented.address,
            )
        return userinfo.claims(user, token.scopes)

    def nonce(self) -> str:
        """The nonce for the next proof of possession."""
        return self._possession.nonce()

    async def _check_holder(self, presented: PresentedToken, thumbprint: str | None, now: float) -> None:
        if thumbprint is None:
            if presented.bound:
                raise Refused(Reason.BEARER_TOKEN_NOT_VALID)
            return
        # RFC 9449 §7.1: a bound token is good under its own scheme only, and beside a proof.
        if not presented.bound or presented.unverified_proof is None:
            raise Refused(Reason.DPOP_PROOF_MISSING)
        proof = self._possession.verified(
            presented.unverified_proof,
            presented.method,
            "/userinfo",
            now,
            access_token=presented.unverified_token,
        )
        if proof.thumbprint != thumbprint:
            raise Refused(Reason.BEARER_TOKEN_NOT_VALID)
        await self._possession.use(proof, now)
