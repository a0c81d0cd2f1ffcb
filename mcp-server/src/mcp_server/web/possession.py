"""Proofs of possession beside bound tokens (RFC 9449 §7): judged for every request, and good for one."""

from collections import OrderedDict
from collections.abc import Sequence

from mcp_server.access.bearer import Denial
from shared_kernel import dpop
from shared_kernel.clock import Clock
from shared_kernel.dpop import Defect, ProofRefused
from shared_kernel.dpop_nonce import Nonces


class Unproven(Exception):
    """The request does not prove that its sender holds the key; `defect` is for the client, the text for logs."""

    def __init__(self, denial: Denial, reason: str, defect: str = "") -> None:
        super().__init__(reason)
        self.denial, self.defect = denial, defect


class ProofVerifier:
    """Judges the proofs of requests to one resource, whose public URL they must name.

    Proofs that were used are remembered in this process, at most `capacity` of them, while they could be used again: to
    another replica, or after so many others, one could be sent a second time. It is then still bound to method, URL,
    token and minute.
    """

    def __init__(
        self, *, resource: str, nonces: Nonces, nonce_required: bool, clock: Clock, capacity: int = 100_000
    ) -> None:
        self._resource, self._nonces, self._nonce_required = resource, nonces, nonce_required
        self._clock, self._capacity = clock, capacity
        self._used: OrderedDict[str, float] = OrderedDict()

    def nonce(self) -> str:
        """The nonce for the next proof."""
        return self._nonces.current(self._clock.now())

    def check(self, proofs: Sequence[str], *, method: str, token: str, thumbprint: str) -> None:
        """Checks the DPoP headers of a request with a good token that is bound to that key. Raises Unproven."""
        # RFC 9449 §4.3: "There is not more than one DPoP HTTP request header field."
        if len(proofs) != 1:
            raise Unproven(Denial.INVALID_PROOF, "dpop_no_proof", "Send exactly one DPoP header.")
        try:
            proof = dpop.verify(
                proofs[0],
                method=method,
                url=self._resource,
                nonces=self._nonces,
                nonce_required=self._nonce_required,
                access_token=token,
                now=self._clock.now(),
            )
        except ProofRefused as refused:
            denial = Denial.NONCE_REQUIRED if refused.defect is Defect.NONCE else Denial.INVALID_PROOF
            reason = f"dpop_{refused.defect.name.lower()}"
            raise Unproven(denial, reason, refused.defect.value) from refused
        if proof.thumbprint != thumbprint:
            raise Unproven(Denial.INVALID_PROOF, "dpop_other_key", "The DPoP proof is by another key than the token's.")
        if not self._use(proof.mark):
            raise Unproven(Denial.INVALID_PROOF, "dpop_reused", "The DPoP proof has been used before.")

    def _use(self, mark: str) -> bool:
        now = self._clock.monotonic()
        while self._used and next(iter(self._used.values())) <= now:
            self._used.popitem(last=False)
        if mark in self._used:
            return False
        self._used[mark] = now + dpop.MEMORY
        if len(self._used) > self._capacity:
            self._used.popitem(last=False)
        return True
