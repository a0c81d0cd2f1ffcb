"""Every flow, over one set of ports."""

from dataclasses import dataclass

from auth_server.domain.deployment import Deployment
from auth_server.flows.authorize import Authorize
from auth_server.flows.client_authentication import ClientAuthentication
from auth_server.flows.client_documents import ClientDocuments
from auth_server.flows.client_info import ClientInfo
from auth_server.flows.connections import Connections
from auth_server.flows.consent import Consent
from auth_server.flows.consent_check import ConsentCheck
from auth_server.flows.consent_decision import ConsentDecisions
from auth_server.flows.device import Device
from auth_server.flows.device_authorization import DeviceAuthorizations
from auth_server.flows.device_decision import DeviceDecisions
from auth_server.flows.introspect import Introspect
from auth_server.flows.key_sets import KeySets
from auth_server.flows.living_tokens import LivingTokens
from auth_server.flows.par import Par
from auth_server.flows.possession import Possession
from auth_server.flows.register import Register
from auth_server.flows.registration_management import RegistrationManagement
from auth_server.flows.revocation_feed import RevocationFeed
from auth_server.flows.revoke import Revoke
from auth_server.flows.sign_in import SignIn
from auth_server.flows.sign_out import SignOut
from auth_server.flows.token.exchange import TokenExchange
from auth_server.flows.upstream_sign_in import UpstreamSignIn
from auth_server.flows.userinfo import UserInfo
from auth_server.ports.audit import AuditTrail
from auth_server.ports.clients import ClientStore
from auth_server.ports.documents import DocumentSource
from auth_server.ports.keys import KeyRing
from auth_server.ports.limits import AttemptLimiter
from auth_server.ports.people import PasswordVerifier
from auth_server.ports.store import Store
from auth_server.ports.upstream import UpstreamEndpoint
from shared_kernel.clock import Clock
from shared_kernel.dpop_nonce import Nonces
from shared_kernel.entropy import Entropy


@dataclass(frozen=True, slots=True)
class Flows:
    """What the endpoints do once requests are parsed."""

    authorize: Authorize
    par: Par
    sign_in: SignIn
    sign_out: SignOut
    upstream: UpstreamSignIn
    consent: Consent
    connections: Connections
    client_info: ClientInfo
    device: Device
    device_authorization: DeviceAuthorizations
    token: TokenExchange
    register: Register
    registration_management: RegistrationManagement
    revoke: Revoke
    introspect: Introspect
    userinfo: UserInfo
    revocation_feed: RevocationFeed


def compose(
    deployment: Deployment,
    *,
    store: Store,
    clients: ClientStore,
    documents: DocumentSource,
    keys: KeyRing,
    passwords: PasswordVerifier,
    limiter: AttemptLimiter,
    nonces: Nonces,
    trail: AuditTrail,
    clock: Clock,
    entropy: Entropy,
    upstream: UpstreamEndpoint | None = None,
) -> Flows:
    """The flows of a running server; `clients` are those of the store, remembered or not.

    `upstream` is what reaches the other provider, where the deployment has one.
    """
    client_documents = ClientDocuments(
        deployment=deployment, clients=clients, source=documents, limiter=limiter, trail=trail, clock=clock
    )
    key_sets = KeySets(source=documents, limiter=limiter, trail=trail, clock=clock)
    authentication = ClientAuthentication(
        deployment=deployment,
        clients=clients,
        documents=client_documents,
        key_sets=key_sets,
        replays=store,
        limiter=limiter,
        trail=trail,
    )
    living_tokens = LivingTokens(deployment=deployment, clients=clients, grants=store, revocations=store, keys=keys)
    possession = Possession(deployment=deployment, replays=store, nonces=nonces, clock=clock)
    devices = DeviceDecisions(devices=store, grants=store)
    consent = Consent(
        check=ConsentCheck(deployment=deployment, clients=clients, users=store, sessions=store),
        decisions=ConsentDecisions(
            deployment=deployment, transactions=store, devices=devices, trail=trail, entropy=entropy
        ),
        clients=clients,
        transactions=store,
        workspaces=store,
        devices=devices,
        consents=store,
        clock=clock,
    )
    return Flows(
        authorize=Authorize(
            deployment=deployment,
            clients=clients,
            documents=client_documents,
            pushed_requests=store,
            transactions=store,
            sessions=store,
            grants=store,
            consent=consent,
            keys=keys,
            limiter=limiter,
            trail=trail,
            clock=clock,
            entropy=entropy,
        ),
        par=Par(
            deployment=deployment,
            documents=client_documents,
            pushed_requests=store,
            authentication=authentication,
            possession=possession,
            limiter=limiter,
            trail=trail,
            clock=clock,
            entropy=entropy,
        ),
        sign_in=SignIn(
            clients=clients,
            transactions=store,
            users=store,
            sessions=store,
            passwords=passwords,
            limiter=limiter,
            trail=trail,
            clock=clock,
            entropy=entropy,
        ),
        upstream=UpstreamSignIn(
            deployment=deployment,
            transactions=store,
            users=store,
            sessions=store,
            replays=store,
            documents=documents,
            endpoint=upstream,
            key_sets=key_sets,
            limiter=limiter,
            trail=trail,
            clock=clock,
            entropy=entropy,
        ),
        sign_out=SignOut(users=store, sessions=store, trail=trail, clock=clock),
        consent=consent,
        device=Device(
            deployment=deployment,
            devices=store,
            transactions=store,
            sessions=store,
            limiter=limiter,
            trail=trail,
            clock=clock,
            entropy=entropy,
        ),
        device_authorization=DeviceAuthorizations(
            deployment=deployment,
            devices=store,
            authentication=authentication,
            documents=client_documents,
            limiter=limiter,
            trail=trail,
            clock=clock,
            entropy=entropy,
        ),
        connections=Connections(
            clients=clients, sessions=store, grants=store, consents=store, trail=trail, clock=clock
        ),
        client_info=ClientInfo(clients=clients, authentication=authentication, limiter=limiter, clock=clock),
        token=TokenExchange(
            deployment=deployment,
            clients=clients,
            codes=store,
            devices=store,
            refresh_tokens=store,
            grants=store,
            tokens=living_tokens,
            users=store,
            replays=store,
            key_sets=key_sets,
            keys=keys,
            authentication=authentication,
            possession=possession,
            trail=trail,
            clock=clock,
            entropy=entropy,
        ),
        register=Register(
            deployment=deployment,
            clients=clients,
            initial_tokens=store,
            limiter=limiter,
            trail=trail,
            clock=clock,
            entropy=entropy,
        ),
        registration_management=RegistrationManagement(
            deployment=deployment, clients=clients, limiter=limiter, trail=trail, clock=clock, entropy=entropy
        ),
        revoke=Revoke(
            deployment=deployment,
            refresh_tokens=store,
            grants=store,
            revocations=store,
            keys=keys,
            authentication=authentication,
            trail=trail,
            clock=clock,
        ),
        introspect=Introspect(
            deployment=deployment,
            refresh_tokens=store,
            tokens=living_tokens,
            keys=keys,
            authentication=authentication,
            trail=trail,
            clock=clock,
        ),
        userinfo=UserInfo(tokens=living_tokens, users=store, possession=possession, trail=trail, clock=clock),
        revocation_feed=RevocationFeed(deployment=deployment, store=store, keys=keys, clock=clock),
    )
