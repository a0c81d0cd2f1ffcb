"""Proofs that a client holds a key (RFC 9449, DPoP): judged as a request arrives, used up as it is granted."""

from dataclasses import replace

from auth_server.domain.deployment import Deployment
from auth_server.domain.failures import Facts, Reason, Refused
from auth_server.flows.client_request import ClientRequest
from auth_server.ports.replays import ReplayStore
from shared_kernel import dpop
from shared_kernel.clock import Clock
from shared_kernel.dpop import Defect, Proof, ProofRefused
from shared_kernel.dpop_nonce import Nonces


class Possession:
    """Judges proofs and uses them up."""

    def __init__(self, *, deployment: Deployment, replays: ReplayStore, nonces: Nonces, clock: Clock) -> None:
        self._deployment, self._replays, self._nonces, self._clock = deployment, replays, nonces, clock

    def nonce(self) -> str:
        """The nonce for the next proof (RFC 9449 §8)."""
        return self._nonces.current(self._clock.now())

    def judged(self, request: ClientRequest, endpoint: str, now: float) -> ClientRequest:
        """The request with the proof that came with it, if one did, for a POST to that endpoint.

        Raises Refused: DPOP_PROOF_NOT_VALID, DPOP_NONCE_REQUIRED.
        """
        if request.unverified_proof is None:
            return request
        return replace(request, proof=self.verified(request.unverified_proof, "POST", endpoint, now))

    def verified(
        self, unverified_proof: str, method: str, endpoint: str, now: float, *, access_token: str | None = None
    ) -> Proof:
        """The proof, if it is one for a request of that method to that endpoint, with that access token if with any.

        Raises Refused: DPOP_PROOF_NOT_VALID, DPOP_NONCE_REQUIRED.
        """
        try:
            return dpop.verify(
                unverified_proof,
                method=method,
                url=f"{self._deployment.issuer}{endpoint}",
                nonces=self._nonces,
                nonce_required=self._deployment.dpop_nonce_required,
                now=now,
                access_token=access_token,
            )
        except ProofRefused as refused:
            if refused.defect is Defect.NONCE:
                raise Refused(Reason.DPOP_NONCE_REQUIRED) from refused
            raise Refused(Reason.DPOP_PROOF_NOT_VALID, Facts(defect=refused.defect.value)) from refused

    async def use(self, proof: Proof | None, now: float) -> None:
        """Marks the proof as used, once all else about its request is good.

        Raises Refused (DPOP_PROOF_REUSED), StoreUnavailable.
        """
        # RFC 9449 §11.1: servers store "the jti value of each DPoP proof for the time window in which the respective
        # DPoP proof JWT would be accepted".
        if proof is not None and not await self._replays.use_once(f"dpop:{proof.mark}", now + dpop.MEMORY, now):
            raise Refused(Reason.DPOP_PROOF_REUSED)
