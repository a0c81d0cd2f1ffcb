"""`/token` (RFC 6749 §3.2): the request goes to the module of its grant."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Protocol

from auth_server.domain.client import Client, GrantType
from auth_server.domain.deployment import Deployment
from auth_server.domain.failures import Reason, Refused
from auth_server.flows.client_authentication import ClientAuthentication
from auth_server.flows.client_request import ClientRequest
from auth_server.flows.key_sets import KeySets
from auth_server.flows.living_tokens import LivingTokens
from auth_server.flows.possession import Possession
from auth_server.flows.token.authorization_code import AuthorizationCode
from auth_server.flows.token.client_credentials import ClientCredentials
from auth_server.flows.token.device_code import DeviceCode
from auth_server.flows.token.down_scoping import DownScoping
from auth_server.flows.token.id_jag import IdentityAssertions
from auth_server.flows.token.issuing import Issuing
from auth_server.flows.token.refresh_token import Refresh
from auth_server.ports.audit import AuditTrail
from auth_server.ports.authorizations import CodeStore
from auth_server.ports.clients import ClientStore
from auth_server.ports.devices import DeviceStore
from auth_server.ports.grants import GrantStore, RefreshStore
from auth_server.ports.keys import KeyRing
from auth_server.ports.people import UserStore
from auth_server.ports.replays import ReplayStore
from auth_server.protocol import token
from auth_server.protocol.token import IssuedTokens
from shared_kernel.clock import Clock
from shared_kernel.entropy import Entropy


class _Grant(Protocol):
    async def exchange(self, request: ClientRequest, client: Client, now: float) -> IssuedTokens: ...


class TokenExchange:
    """Issues tokens."""

    def __init__(
        self,
        *,
        deployment: Deployment,
        clients: ClientStore,
        codes: CodeStore,
        devices: DeviceStore,
        refresh_tokens: RefreshStore,
        grants: GrantStore,
        tokens: LivingTokens,
        users: UserStore,
        replays: ReplayStore,
        key_sets: KeySets,
        keys: KeyRing,
        authentication: ClientAuthentication,
        possession: Possession,
        trail: AuditTrail,
        clock: Clock,
        entropy: Entropy,
    ) -> None:
        issuing = Issuing(deployment=deployment, keys=keys, possession=possession, trail=trail, entropy=entropy)
        self._client_credentials = ClientCredentials(deployment=deployment, clients=clients, issuing=issuing)
        self._grants: dict[str, _Grant] = {
            GrantType.CLIENT_CREDENTIALS: self._client_credentials,
            GrantType.AUTHORIZATION_CODE: AuthorizationCode(deployment=deployment, codes=codes, issuing=issuing),
            GrantType.TOKEN_EXCHANGE: DownScoping(deployment=deployment, tokens=tokens, issuing=issuing),
            GrantType.DEVICE_CODE: DeviceCode(
                deployment=deployment, devices=devices, refresh_tokens=refresh_tokens, issuing=issuing, entropy=entropy
            ),
            GrantType.REFRESH_TOKEN: Refresh(
                deployment=deployment,
                refresh_tokens=refresh_tokens,
                grants=grants,
                issuing=issuing,
                entropy=entropy,
            ),
        }
        if deployment.assertion_issuers:
            self._grants[GrantType.JWT_BEARER] = IdentityAssertions(
                deployment=deployment,
                users=users,
                grants=grants,
                replays=replays,
                key_sets=key_sets,
                issuing=issuing,
                trail=trail,
                entropy=entropy,
            )
        self._authentication, self._possession, self._clock = authentication, possession, clock

    async def exchange(self, request: ClientRequest) -> Mapping[str, Any]:
        """The body of the token response (RFC 6749 §5.1). Raises Refused and StoreUnavailable."""
        now = self._clock.now()
        try:
            grant = self._grant(request)
            client = await self._authentication.authenticate(request, now)
            request = self._possession.judged(request, "/token", now)
            # RFC 9449 §5.2: "the authorization server MUST reject token requests from the client that do not contain
            # the DPoP header."
            if client.dpop_bound and request.proof is None:
                raise Refused(Reason.DPOP_PROOF_REQUIRED)
            issued = await grant.exchange(request, client, now)
        except Refused as refused:
            client_id = request.credentials.unverified_client_id
            raise Refused(refused.reason, replace(refused.facts, client_id=client_id)) from refused
        return token.body(issued, now)

    async def again(self, fingerprint: bytes, address: str) -> Mapping[str, Any] | None:
        """The body of the response to a request that need not be read, since one like it has just been granted.

        It must have no DPoP header. None if it must be (ClientRequest.fingerprint). Raises StoreUnavailable.
        """
        now = self._clock.now()
        issued = await self._client_credentials.again(fingerprint, address, now)
        return token.body(issued, now) if issued is not None else None

    def nonce(self) -> str:
        """The nonce for the next proof of possession."""
        return self._possession.nonce()

    def _grant(self, request: ClientRequest) -> _Grant:
        grant_type = request.parameters.get("grant_type")
        if grant_type is None:
            raise Refused(Reason.MISSING_GRANT_TYPE)
        grant = self._grants.get(grant_type)
        if grant is None:
            raise Refused(Reason.UNSUPPORTED_GRANT_TYPE)
        return grant
