"""Proofs of possession beside bound tokens (RFC 9449 §7): judged for every request, and good for one."""

from collections.abc import Sequence

from mcp_server.access.bearer import Denial
from mcp_server.ports.single_use import SingleUse
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
    """Judges the proofs of requests to one resource, whose public URL they must name. Each is good for one request."""

    def __init__(self, *, resource: str, nonces: Nonces, nonce_required: bool, used: SingleUse, clock: Clock) -> None:
        self._resource, self._nonces, self._nonce_required = resource, nonces, nonce_required
        self._used, self._clock = used, clock

    def nonce(self) -> str:
        """The nonce for the next proof."""
        return self._nonces.current(self._clock.now())

    async def check(self, proofs: Sequence[str], *, method: str, token: str, thumbprint: str) -> None:
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
        if not await self._used.use(proof.mark, dpop.MEMORY):
            raise Unproven(Denial.INVALID_PROOF, "dpop_reused", "The DPoP proof has been used before.")
