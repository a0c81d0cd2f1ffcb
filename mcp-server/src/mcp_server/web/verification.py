"""Verifies access tokens, remembering those that were verified a moment ago."""

import hashlib
from collections import OrderedDict

from joserfc.jwk import ECKey

from mcp_server.ports.keys import KeySet
from mcp_server.ports.revocations import Revocations
from shared_kernel import access_token
from shared_kernel.access_token import CLOCK_SKEW, AccessToken, Refusal, TokenRefused
from shared_kernel.clock import Clock


class TokenVerifier:
    """Verifies access tokens offline, against the issuer's published keys.

    Verified tokens are kept by their SHA-256, at most `capacity` of them, so that a flood of tokens cannot fill the
    memory and the tokens themselves are not in it. What can change after a verification is checked on every use.
    """

    def __init__(
        self,
        keys: KeySet,
        revocations: Revocations,
        *,
        issuer: str,
        audience: str,
        clock: Clock,
        capacity: int = 10_000,
    ) -> None:
        self._keys, self._revocations, self._clock = keys, revocations, clock
        self._issuer, self._audience, self._capacity = issuer, audience, capacity
        self._verified: OrderedDict[bytes, tuple[AccessToken, ECKey]] = OrderedDict()

    async def claims(self, token: str) -> AccessToken:
        """What a good token says; one that is bound to a key still needs its proof.

        Raises TokenRefused, KeySetUnavailable, RevocationsUnknown.
        """
        if len(token) > access_token.MAX_LENGTH:  # before it is hashed
            raise TokenRefused(Refusal.TOO_LONG)
        digest = hashlib.sha256(token.encode()).digest()
        remembered = self._verified.get(digest)
        key_id = remembered[0].key_id if remembered else access_token.unverified_key_id(token)
        key = await self._keys.key(key_id)
        if key is None:
            self._verified.pop(digest, None)
            raise TokenRefused(Refusal.UNKNOWN_KEY)
        now = self._clock.now()
        if remembered is not None and remembered[1] is key:
            claims = remembered[0]
            if now >= claims.expires_at + CLOCK_SKEW:
                self._verified.pop(digest, None)
                raise TokenRefused(Refusal.EXPIRED)
        else:
            keys = {key_id: key}
            claims = access_token.verify(token, keys=keys, issuer=self._issuer, audience=self._audience, now=now)
        if self._revocations.ends(claims):
            self._verified.pop(digest, None)
            raise TokenRefused(Refusal.REVOKED)
        self._verified[digest] = (claims, key)
        self._verified.move_to_end(digest)
        if len(self._verified) > self._capacity:
            self._verified.popitem(last=False)
        return claims
