"""A request that a client authenticates by itself, such as those to `/token` and `/revoke`, read once."""

from dataclasses import dataclass

from auth_server.protocol import client_auth, parameters
from auth_server.protocol.client_auth import PresentedCredentials
from auth_server.protocol.parameters import Pairs, Parameters
from shared_kernel.dpop import Proof


@dataclass(frozen=True, slots=True)
class ClientRequest:
    """The parameters, the credentials presented with them, and the network address they came from.

    `fingerprint` is a digest of everything that the request was read from: what was decided of it once holds for every
    request with the same one, while client and deployment are the same. `unverified_proof` is the DPoP header, which
    the fingerprint leaves out, and `proof` what it turned out to be, once it has been judged (flows/possession).
    """

    parameters: Parameters
    credentials: PresentedCredentials
    address: str
    fingerprint: bytes
    unverified_proof: str | None = None
    proof: Proof | None = None


def read(
    pairs: Pairs, authorization: str | None, address: str, fingerprint: bytes, proof: str | None = None
) -> ClientRequest:
    """The request in these parameters, this Authorization header and this DPoP header.

    Raises Refused: DUPLICATE_PARAMETER, MALFORMED_REQUEST, SEVERAL_AUTHENTICATIONS, CLIENT_NOT_AUTHENTICATED.
    """
    given = parameters.parse(pairs)
    return ClientRequest(given, client_auth.presented(authorization, given), address, fingerprint, proof)
