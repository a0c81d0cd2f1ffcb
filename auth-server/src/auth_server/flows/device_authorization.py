"""`/device_authorization`: a device asks for its two codes (RFC 8628 §3.1)."""

from collections.abc import Mapping
from typing import Any

from auth_server.domain import device_codes
from auth_server.domain.audit import EventName
from auth_server.domain.client import Client
from auth_server.domain.credentials import digest
from auth_server.domain.deployment import Deployment
from auth_server.domain.device import DEVICE_CODE_LIFETIME, DeviceAuthorization
from auth_server.domain.failures import Facts, Reason, Refused
from auth_server.flows.client_authentication import ClientAuthentication
from auth_server.flows.client_documents import ClientDocuments
from auth_server.flows.client_request import ClientRequest
from auth_server.ports.audit import AuditTrail
from auth_server.ports.devices import DeviceStore
from auth_server.ports.limits import AttemptLimiter
from auth_server.protocol import client_documents, device
from auth_server.protocol.device import DeviceRequest
from shared_kernel import scope
from shared_kernel.clock import Clock
from shared_kernel.entropy import Entropy


class DeviceAuthorizations:
    """Starts device authorizations."""

    def __init__(
        self,
        *,
        deployment: Deployment,
        devices: DeviceStore,
        authentication: ClientAuthentication,
        documents: ClientDocuments,
        limiter: AttemptLimiter,
        trail: AuditTrail,
        clock: Clock,
        entropy: Entropy,
    ) -> None:
        self._deployment, self._devices = deployment, devices
        self._authentication, self._documents, self._limiter = authentication, documents, limiter
        self._trail, self._clock, self._entropy = trail, clock, entropy

    async def begin(self, request: ClientRequest) -> Mapping[str, Any]:
        """The body of the response. The request's scope and resource are judged now.

        Raises StoreUnavailable, and Refused: TOO_MANY_REQUESTS, what ClientAuthentication, ClientDocuments and
        device.judge raise.
        """
        retry_after = await self._limiter.device_authorization_attempt(request.address)
        if retry_after is not None:
            raise Refused(Reason.TOO_MANY_REQUESTS, Facts(retry_after=retry_after))
        client_id, now = request.credentials.unverified_client_id, self._clock.now()
        if client_documents.is_document_id(client_id):
            # As at /authorize: nobody may have used such a client here before.
            await self._documents.client(client_id, request.address)
        client = await self._authentication.authenticate(request, now)
        asked = device.judge(request.parameters, client, self._deployment)
        user_code, device_code = await self._started(client, asked, request.address, now)
        self._trail.record(
            EventName.DEVICE_AUTHORIZATION_STARTED,
            client_id=client.client_id,
            address=request.address,
            scope=scope.join(asked.scopes),
            resource=asked.resource,
        )
        return device.answer(self._deployment, device_code, user_code)

    async def _started(self, client: Client, asked: DeviceRequest, address: str, now: float) -> tuple[str, str]:
        """The two codes of a new authorization."""
        while True:  # of 20^8 user codes, one that is taken comes up hardly ever, and twice never
            user_code = device_codes.new_user_code(self._entropy)
            device_id = device_codes.device_id(user_code, self._deployment.issuer)
            device_code = device_codes.new_device_code(self._entropy, device_id)
            authorization = DeviceAuthorization(
                device_id=device_id,
                digest=digest(device_code),
                family=device_codes.family(device_code),
                client_id=client.client_id,
                scopes=asked.scopes,
                resource=asked.resource,
                address=address,
                created_at=now,
                expires_at=now + DEVICE_CODE_LIFETIME,
            )
            if await self._devices.start_device(authorization):
                return user_code, device_code
