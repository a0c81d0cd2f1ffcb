"""Verifies access tokens, remembering those that were verified a moment ago."""

import hashlib
from collections import OrderedDict
from collections.abc import Sequence
from typing import NamedTuple

from joserfc.jwk import ECKey

from mcp_server.domain.principal import Principal
from mcp_server.ports.keys import KeySet, VerificationKey
from mcp_server.ports.revocations import Revocations
from mcp_server.ports.tally import UNTALLIED, Tally
from mcp_server.web.other_issuers import OtherIssuersTokens, unverified_issuer
from shared_kernel import access_token
from shared_kernel.access_token import CLOCK_SKEW, AccessToken, Refusal, TokenRefused, Unverified, unverified
from shared_kernel.clock import Clock


class Verified(NamedTuple):
    """What a token says, and whose it is, by the key that was its issuer's; `other` made it, unless our own did."""

    claims: AccessToken
    principal: Principal
    key: VerificationKey
    other: OtherIssuersTokens | None


class TokenVerifier:
    """Verifies access tokens offline, against the published keys of their issuers: our own, and `others` beside it.

    Verified tokens are kept by their SHA-256, at most `capacity` of them, so that a flood of tokens cannot fill the
    memory and the tokens themselves are not in it. What can change after a verification is checked on every use.
    """

    def __init__(
        self,
        keys: KeySet[ECKey],
        revocations: Revocations,
        *,
        issuer: str,
        audience: str,
        clock: Clock,
        others: Sequence[OtherIssuersTokens] = (),
        capacity: int = 10_000,
        tally: Tally = UNTALLIED,
    ) -> None:
        self._keys, self._revocations, self._clock, self._tally = keys, revocations, clock, tally
        self._issuer, self._audience, self._capacity = issuer, audience, capacity
        self._others = {other.rules.issuer: other for other in others}
        self._verified: OrderedDict[bytes, Verified] = OrderedDict()

    async def verified(self, token: str) -> Verified:
        """What a good token says; one that is bound to a key still needs its proof.

        Raises TokenRefused, KeySetUnavailable, RevocationsUnknown.
        """
        if len(token) > access_token.MAX_LENGTH:  # before it is hashed
            raise TokenRefused(Refusal.TOO_LONG)
        digest = hashlib.sha256(token.encode()).digest()
        remembered = self._verified.get(digest)
        read: Unverified | None = None
        if remembered is not None:
            other, key_id = remembered.other, remembered.claims.key_id
        else:
            other = self._others.get(unverified_issuer(token)) if self._others else None
            if other is not None:
                key_id = other.key_id(token)
            else:
                read = unverified(token)
                key_id = read.key_id
        key = await (other.keys if other else self._keys).key(key_id)
        if key is None:
            self._verified.pop(digest, None)
            raise TokenRefused(Refusal.UNKNOWN_KEY)
        now = self._clock.now()
        hit = remembered is not None and remembered.key is key
        self._tally.cache_asked("tokens", hit=hit)
        if remembered is not None and hit:
            verified = remembered
            if now >= verified.claims.expires_at + CLOCK_SKEW:
                self._verified.pop(digest, None)
                raise TokenRefused(Refusal.EXPIRED)
        else:
            claims = other.verify(token, key, now) if other else self._own(read or unverified(token), key, now)
            verified = Verified(claims, _principal(claims), key, other)
        # Another issuer's tokens end when they expire: it has no feed that we could follow.
        if other is None and self._revocations.ends(verified.claims):
            self._verified.pop(digest, None)
            raise TokenRefused(Refusal.REVOKED)
        if verified is not remembered:
            self._verified[digest] = verified
        self._verified.move_to_end(digest)
        if len(self._verified) > self._capacity:
            self._verified.popitem(last=False)
        return verified

    def _own(self, read: Unverified, key: VerificationKey, now: float) -> AccessToken:
        assert isinstance(key, ECKey)  # our issuer's KeySet has no others
        return access_token.verify_with(key, read, issuer=self._issuer, audience=self._audience, now=now)


def _principal(claims: AccessToken) -> Principal:
    return Principal(
        tenant=claims.tenant,
        subject=claims.subject,
        client_id=claims.client_id,
        scopes=claims.scopes,
        grant=claims.grant_handle,
        roles=claims.roles,
    )
