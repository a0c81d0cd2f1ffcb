"""A request that a client authenticates by itself, such as those to `/token` and `/revoke`, read once."""

from dataclasses import dataclass

from auth_server.protocol import client_auth, parameters
from auth_server.protocol.client_auth import PresentedCredentials
from auth_server.protocol.parameters import Pairs, Parameters


@dataclass(frozen=True, slots=True)
class ClientRequest:
    """The parameters, the credentials presented with them, and the network address they came from.

    `fingerprint` is a digest of everything that the request was read from: what was decided of it once holds for every
    request with the same one, while client and deployment are the same.
    """

    parameters: Parameters
    credentials: PresentedCredentials
    address: str
    fingerprint: bytes


def read(pairs: Pairs, authorization: str | None, address: str, fingerprint: bytes) -> ClientRequest:
    """The request in these parameters and this Authorization header.

    Raises Refused: DUPLICATE_PARAMETER, MALFORMED_REQUEST, SEVERAL_AUTHENTICATIONS, CLIENT_NOT_AUTHENTICATED.
    """
    given = parameters.parse(pairs)
    return ClientRequest(given, client_auth.presented(authorization, given), address, fingerprint)
