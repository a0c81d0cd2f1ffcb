"""`grant_type=urn:ietf:params:oauth:grant-type:device_code` (RFC 8628 §3.4).

Not through Authlib: its grant asks the store in the middle of a request, and here one atomic poll answers everything.
"""

from dataclasses import replace

from auth_server.domain import device_codes
from auth_server.domain.authorization import USED_CODE_MEMORY
from auth_server.domain.client import Client, GrantType
from auth_server.domain.credentials import digest, same_digest
from auth_server.domain.deployment import Deployment
from auth_server.domain.device_codes import PresentedDeviceCode
from auth_server.domain.failures import Reason, Refused
from auth_server.domain.grant import Grant, RefreshToken, RefreshTokenKey
from auth_server.flows.client_request import ClientRequest
from auth_server.flows.token.issuing import Issuing, about, family_key, stored
from auth_server.ports.devices import (
    Approved,
    DecidedDevice,
    Denied,
    DeviceStore,
    Expired,
    Pending,
    TooFast,
    Unknown,
)
from auth_server.ports.grants import OtherKey, RefreshStore, Replay, Reused, Rotated, Rotation
from auth_server.protocol import resource_indicator, sealed_response
from auth_server.protocol.token import IssuedTokens
from shared_kernel.entropy import Entropy

_REASONS: dict[type[Pending | TooFast | Denied | Expired], Reason] = {
    Pending: Reason.AUTHORIZATION_PENDING,
    TooFast: Reason.SLOW_DOWN,
    Denied: Reason.ACCESS_DENIED,
    Expired: Reason.DEVICE_CODE_EXPIRED,
}


class DeviceCode:
    """Answers polls, and exchanges the device code once its person has allowed it.

    The code is the first token of its grant's family: the exchange is a rotation. A poll that is repeated because its
    answer was lost gets the same tokens for REPLAY_WINDOW, while the refresh token among them is unused; after that,
    somebody else has the code, and the grant ends.
    """

    def __init__(
        self,
        *,
        deployment: Deployment,
        devices: DeviceStore,
        refresh_tokens: RefreshStore,
        issuing: Issuing,
        entropy: Entropy,
    ) -> None:
        self._deployment, self._devices, self._refresh_tokens = deployment, devices, refresh_tokens
        self._issuing, self._entropy = issuing, entropy

    async def exchange(self, request: ClientRequest, client: Client, now: float) -> IssuedTokens:
        """The tokens, or how the decision stands. Raises Refused, StoreUnavailable."""
        if GrantType.DEVICE_CODE not in client.grant_types:
            raise Refused(Reason.GRANT_TYPE_NOT_ALLOWED)
        code = request.parameters.required("device_code")
        presented = device_codes.presented_device_code(code)
        if presented is None:
            raise Refused(Reason.DEVICE_CODE_NOT_VALID)
        polled = await self._devices.poll_device(presented.device_id, presented.digest, client.client_id, now)
        if isinstance(polled, Unknown):
            raise Refused(await self._unknown(presented, now))
        if not isinstance(polled, Approved):
            raise Refused(_REASONS[type(polled)])
        key = device_codes.token_key(code, polled.grant_id)
        grant = await self._refresh_tokens.refreshed_grant(key)
        if grant is None:  # revoked, and swept since
            raise Refused(Reason.DEVICE_CODE_NOT_VALID)
        resource_indicator.resolve(request.parameters.resources, self._deployment, grant.resource)
        try:
            return await self._redeemed(code, key, grant, client, request, now)
        except Refused as refused:
            raise about(refused, grant) from refused

    async def _unknown(self, presented: PresentedDeviceCode, now: float) -> Reason:
        """Why a code is unknown to the client that sends it."""
        found = await self._devices.device(presented.device_id, now)
        device = found.authorization if isinstance(found, DecidedDevice) else found
        if device is None or not same_digest(device.digest, presented.digest):
            return Reason.DEVICE_CODE_NOT_VALID
        return Reason.DEVICE_CODE_OF_ANOTHER_CLIENT

    async def _redeemed(
        self, code: str, key: RefreshTokenKey, grant: Grant, client: Client, request: ClientRequest, now: float
    ) -> IssuedTokens:
        refresh = device_codes.first_refresh_token(self._entropy, code, grant.grant_id) if grant.refreshable else None
        issued = await self._issuing.for_grant(grant, grant.scopes, request.proof, now, refresh)
        issued = await self._issuing.with_id_token(issued, grant, grant.scopes, now)
        rotation = Rotation(
            successor=stored(refresh, grant, now) if refresh else self._spent(key, now),
            sealed=sealed_response.seal(code, issued, self._entropy),
            # A replay must come from the holder of the key to which the access token in it is bound.
            request=request.proof.thumbprint if request.proof else "",
            key_thumbprint=family_key(client, request.proof),
        )
        match await self._refresh_tokens.rotate(key, rotation, now):
            case Rotated():
                self._record(issued, grant, request.address, replayed=False)
                return issued
            case Replay(sealed):
                known = _unsealed(code, sealed)
                replayed = replace(known, grant_handle=grant.handle, token_type=issued.token_type)
                self._record(replayed, grant, request.address, replayed=True)
                return replayed
            case OtherKey() if request.proof is None:
                raise Refused(Reason.DPOP_PROOF_MISSING)
            case Reused():
                raise Refused(Reason.DEVICE_CODE_REUSED)
            case _:
                raise Refused(Reason.DEVICE_CODE_NOT_VALID)

    def _record(self, issued: IssuedTokens, grant: Grant, address: str, *, replayed: bool) -> None:
        kind, user_id = GrantType.DEVICE_CODE, grant.user_id
        self._issuing.record(issued, kind, grant.client_id, address, user_id=user_id, replayed=replayed)

    def _spent(self, key: RefreshTokenKey, now: float) -> RefreshToken:
        """Takes the code's place where no refresh token is given: a token that nobody has."""
        return RefreshToken(replace(key, digest=digest(self._entropy.token())), now + USED_CODE_MEMORY)


def _unsealed(code: str, sealed: bytes) -> IssuedTokens:
    try:
        return sealed_response.unseal(code, sealed)
    except sealed_response.Unreadable as error:  # somebody has written into the store
        raise Refused(Reason.DEVICE_CODE_NOT_VALID) from error
