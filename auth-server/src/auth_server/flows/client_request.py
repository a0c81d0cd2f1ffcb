"""A request that a client authenticates by itself (`/token`, `/revoke`): read once, and slowed down when it guesses."""

from dataclasses import dataclass, replace

from auth_server.domain.failures import Facts, Reason, Refused
from auth_server.ports.limits import AttemptLimiter
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


async def counted(limiter: AttemptLimiter, request: ClientRequest, refused: Refused) -> Refused:
    """The refusal to answer with: that of a failed authentication turns into TOO_MANY_REQUESTS after many others.

    Only failures are counted, after the fact: nobody's wrong guesses keep a right secret out. Raises StoreUnavailable.
    """
    client_id = request.credentials.unverified_client_id
    if refused.reason is not Reason.CLIENT_NOT_AUTHENTICATED:
        return Refused(refused.reason, replace(refused.facts, client_id=client_id))
    wait = await limiter.client_authentication_failed(client_id, request.address)
    facts = Facts(client_id=client_id, retry_after=wait)
    return Refused(refused.reason if wait is None else Reason.TOO_MANY_REQUESTS, facts)
