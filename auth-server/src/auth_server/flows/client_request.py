"""A request that a client authenticates by itself (`/token`, `/revoke`): read once, and slowed down when it guesses."""

from dataclasses import dataclass

from auth_server.domain.failures import Facts, Reason, Refused
from auth_server.ports.limits import AttemptLimiter
from auth_server.protocol import client_auth, parameters
from auth_server.protocol.client_auth import PresentedCredentials
from auth_server.protocol.parameters import Pairs, Parameters


@dataclass(frozen=True, slots=True)
class ClientRequest:
    """The parameters, the credentials presented with them, and the network address they came from."""

    parameters: Parameters
    credentials: PresentedCredentials
    address: str


def read(pairs: Pairs, authorization: str | None, address: str) -> ClientRequest:
    """The request in these parameters and this Authorization header.

    Raises Refused: DUPLICATE_PARAMETER, MALFORMED_REQUEST, SEVERAL_AUTHENTICATIONS, CLIENT_NOT_AUTHENTICATED.
    """
    given = parameters.parse(pairs)
    return ClientRequest(given, client_auth.presented(authorization, given), address)


async def check_wait(limiter: AttemptLimiter, request: ClientRequest) -> None:
    """Raises Refused (TOO_MANY_REQUESTS) while the client must wait at this address. Raises StoreUnavailable."""
    client_id = request.credentials.unverified_client_id
    wait = await limiter.client_authentication_wait(client_id, request.address)
    if wait is not None:
        raise Refused(Reason.TOO_MANY_REQUESTS, Facts(client_id=client_id, retry_after=wait))


async def count_failure(limiter: AttemptLimiter, request: ClientRequest, refused: Refused) -> None:
    """Counts a refusal that was a failed authentication. Raises StoreUnavailable."""
    if refused.reason is Reason.CLIENT_NOT_AUTHENTICATED:
        await limiter.client_authentication_failed(request.credentials.unverified_client_id, request.address)
