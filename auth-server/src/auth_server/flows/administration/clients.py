"""What the operator does about clients."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

from auth_server.domain import credentials
from auth_server.domain.client import Client, ClientSecret, GrantType, Registration
from auth_server.domain.client_name import safe_name
from auth_server.domain.failures import Refused
from auth_server.domain.workspace import DEFAULT_WORKSPACE
from auth_server.flows.administration.problems import CannotDo, Problem
from auth_server.ports.clients import Addition, ClientStore
from auth_server.protocol import document_url, public_keys, redirect_uri
from auth_server.protocol.registration import ALLOWED_SCOPES
from shared_kernel.clock import Clock
from shared_kernel.entropy import Entropy
from shared_kernel.resource import MalformedResource, canonical
from shared_kernel.scope import MalformedScope, parse

SECRET_OVERLAP = 24 * 3600
"""Seconds for which the previous client secret keeps working after a rotation."""

EXTRA_GRANTS = frozenset({GrantType.DEVICE_CODE, GrantType.TOKEN_EXCHANGE, GrantType.JWT_BEARER})
"""What a client may use only if the operator says so."""
_OF_CONFIDENTIAL_CLIENTS = frozenset({GrantType.TOKEN_EXCHANGE, GrantType.JWT_BEARER})


@dataclass(frozen=True, slots=True)
class NewClient:
    """A client just made; `client_secret` is shown only once, None for a public client."""

    client: Client
    client_secret: str | None


class Clients:
    """The operator's verbs about clients. All raise CannotDo."""

    def __init__(self, *, clients: ClientStore, resources: Sequence[str], clock: Clock, entropy: Entropy) -> None:
        self._clients, self._resources, self._clock, self._entropy = clients, resources, clock, entropy

    async def create(
        self,
        *,
        name: str,
        confidential: bool,
        redirect_uris: Sequence[str] = (),
        scope: str | None = None,
        workspace: str = DEFAULT_WORKSPACE.name,
        grants: Collection[GrantType] = (),
        jwks: bytes | None = None,
        jwks_uri: str | None = None,
        dpop_bound: bool = False,
        par_required: bool = False,
    ) -> NewClient:
        """Adds a client of that workspace. `scope` is a space-separated list; None allows every scope.

        A confidential client gets client_credentials, and with redirect URIs the browser flow as well; a public one
        needs redirect URIs, or the device grant. `grants` are those of EXTRA_GRANTS that it gets, too. A client that
        proves who it is by a key, of a JWK set or of one that is published, gets no secret.
        """
        now = self._clock.now()
        keys = _keys(jwks, jwks_uri)
        if any(keys) and not confidential:
            raise CannotDo(Problem.KEYS_ARE_CONFIDENTIAL)
        secret = credentials.new_client_secret(self._entropy) if confidential and not any(keys) else None
        client = Client(
            client_id=credentials.new_client_id(self._entropy),
            name=_display_name(name),
            registration=Registration.OPERATOR,
            redirect_uris=_canonical(redirect_uris),
            grant_types=_grant_types(confidential, redirect_uris, grants),
            scopes=_known_scopes(scope),
            tenant=workspace,
            created_at=now,
            confidential=confidential,
            secrets=(ClientSecret(credentials.digest(secret), now),) if secret else (),
            jwks=keys[0],
            jwks_uri=keys[1],
            dpop_bound=dpop_bound,
            par_required=par_required,
        )
        added = await self._clients.add_client(client)
        if added is Addition.NO_WORKSPACE:
            raise CannotDo(Problem.NO_SUCH_WORKSPACE)
        assert added is Addition.ADDED  # 128 random bits do not repeat
        return NewClient(client, secret)

    async def create_resource_server(self, *, name: str, resource: str) -> NewClient:
        """Adds a confidential client that answers for one of our resources: it may look into tokens, and get none.

        It belongs to no workspace, as the resource serves them all.
        """
        now, secret = self._clock.now(), credentials.new_client_secret(self._entropy)
        client = Client(
            client_id=credentials.new_client_id(self._entropy),
            name=_display_name(name),
            registration=Registration.OPERATOR,
            redirect_uris=(),
            grant_types=frozenset(),
            scopes=frozenset(),
            tenant=None,
            created_at=now,
            confidential=True,
            secrets=(ClientSecret(credentials.digest(secret), now),),
            resource_server=self._known_resource(resource),
        )
        added = await self._clients.add_client(client)
        assert added is Addition.ADDED  # 128 random bits do not repeat
        return NewClient(client, secret)

    def _known_resource(self, text: str) -> str:
        try:
            resource = canonical(text)
        except MalformedResource as error:
            raise CannotDo(Problem.UNKNOWN_RESOURCE) from error
        if resource not in self._resources:
            raise CannotDo(Problem.UNKNOWN_RESOURCE)
        return resource

    async def all(self) -> Sequence[Client]:
        """All clients, oldest first."""
        return await self._clients.clients()

    async def find(self, client_id: str) -> Client:
        """The client of that id."""
        client = await self._clients.client(client_id)
        if client is None:
            raise CannotDo(Problem.NO_SUCH_CLIENT)
        return client

    async def update(
        self,
        client_id: str,
        *,
        name: str | None = None,
        redirect_uris: Sequence[str] | None = None,
        scope: str | None = None,
        jwks: bytes | None = None,
        jwks_uri: str | None = None,
        dpop_bound: bool | None = None,
        par_required: bool | None = None,
    ) -> Client:
        """Changes what is given of a client that the operator made. Grants keep the scopes that people allowed.

        Keys replace those that it had, or its secrets, which end.
        """
        client = await self.find(client_id)
        if client.registration is not Registration.OPERATOR:
            raise CannotDo(Problem.NOT_OPERATORS)
        if client.resource_server is not None and (redirect_uris is not None or scope is not None):
            raise CannotDo(Problem.RESOURCE_SERVER)
        uris = client.redirect_uris if redirect_uris is None else _canonical(redirect_uris)
        new_keys = _keys(jwks, jwks_uri)
        keys = new_keys if any(new_keys) else (client.jwks, client.jwks_uri)
        confidential = client.confidential or any(keys)
        changed = replace(
            client,
            name=client.name if name is None else _display_name(name),
            redirect_uris=uris,
            grant_types=(
                client.grant_types
                if client.resource_server is not None
                else _grant_types(confidential, uris, client.grant_types & EXTRA_GRANTS)
            ),
            scopes=client.scopes if scope is None else _known_scopes(scope),
            confidential=confidential,
            jwks=keys[0],
            jwks_uri=keys[1],
            dpop_bound=client.dpop_bound if dpop_bound is None else dpop_bound,
            par_required=client.par_required if par_required is None else par_required,
        )
        if not await self._clients.update_client(changed):
            raise CannotDo(Problem.NO_SUCH_CLIENT)
        return changed

    async def rotate_secret(self, client_id: str) -> str:
        """A new secret, shown only once; the previous one works for SECRET_OVERLAP more seconds, older ones end."""
        now = self._clock.now()
        client = await self.find(client_id)
        if client.has_keys:
            raise CannotDo(Problem.HAS_KEYS)
        if not client.confidential:
            raise CannotDo(Problem.NOT_CONFIDENTIAL)
        secret = credentials.new_client_secret(self._entropy)
        stored = ClientSecret(credentials.digest(secret), now)
        if not await self._clients.rotate_client_secret(client_id, stored, now + SECRET_OVERLAP):
            raise CannotDo(Problem.NO_SUCH_CLIENT)
        return secret

    async def delete(self, client_id: str) -> None:
        """Removes a client for good and revokes its grants."""
        if not await self._clients.delete_client(client_id, self._clock.now()):
            raise CannotDo(Problem.NO_SUCH_CLIENT)


def _keys(jwks: bytes | None, jwks_uri: str | None) -> tuple[str | None, str | None]:
    """The keys of a client as they are kept, and where they are published; at most one of the two is given."""
    if jwks is not None and jwks_uri is not None:
        raise CannotDo(Problem.KEYS_TWICE)
    try:
        if jwks_uri is not None:
            document_url.origin(jwks_uri)
        return None if jwks is None else public_keys.as_text(public_keys.parse(jwks)), jwks_uri
    except public_keys.UnusableKeySet as error:
        raise CannotDo(Problem.UNUSABLE_KEYS) from error
    except Refused as error:
        raise CannotDo(Problem.UNUSABLE_KEYS_URL) from error


def _display_name(name: str) -> str:
    displayed = safe_name(name)
    if not displayed:
        raise CannotDo(Problem.UNUSABLE_NAME)
    return displayed


def _canonical(redirect_uris: Sequence[str]) -> tuple[str, ...]:
    try:
        for uri in redirect_uris:
            redirect_uri.kind(uri)
        return tuple(sorted({redirect_uri.canonical(uri) for uri in redirect_uris}))
    except redirect_uri.UnacceptableRedirectUri as error:
        raise CannotDo(Problem.UNUSABLE_REDIRECT_URI) from error


def _grant_types(
    confidential: bool, redirect_uris: Sequence[str], extra: Collection[GrantType]
) -> frozenset[GrantType]:
    if not confidential and not redirect_uris and GrantType.DEVICE_CODE not in extra:
        raise CannotDo(Problem.REDIRECT_URI_REQUIRED)
    if not confidential and _OF_CONFIDENTIAL_CLIENTS & frozenset(extra):
        raise CannotDo(Problem.CONFIDENTIAL_GRANT)
    grant_types = {GrantType.CLIENT_CREDENTIALS, *extra} if confidential else {*extra}
    if redirect_uris:
        grant_types |= {GrantType.AUTHORIZATION_CODE, GrantType.REFRESH_TOKEN}
    if GrantType.DEVICE_CODE in extra:
        grant_types |= {GrantType.REFRESH_TOKEN}
    return frozenset(grant_types)


def _known_scopes(text: str | None) -> frozenset[str]:
    if text is None:
        return ALLOWED_SCOPES
    try:
        scopes = parse(text)
    except MalformedScope as error:
        raise CannotDo(Problem.UNKNOWN_SCOPE) from error
    if not scopes <= ALLOWED_SCOPES:
        raise CannotDo(Problem.UNKNOWN_SCOPE)
    return scopes
