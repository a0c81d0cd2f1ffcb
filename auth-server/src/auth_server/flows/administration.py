"""What the operator does from the command line: people, clients, keys."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from auth_server.domain import credentials
from auth_server.domain.client import Client, ClientSecret, GrantType, Registration
from auth_server.domain.client_name import safe_name
from auth_server.domain.deployment import DEFAULT_TENANT
from auth_server.domain.user import MalformedEmail, UnusablePassword, User, normalise_email, prepare_password
from auth_server.ports.clients import Addition, ClientStore
from auth_server.ports.people import PasswordHasher, UserStore
from auth_server.protocol import redirect_uri
from auth_server.protocol.registration import ALLOWED_SCOPES
from shared_kernel.clock import Clock
from shared_kernel.entropy import Entropy
from shared_kernel.scope import MalformedScope, parse

SECRET_OVERLAP = 24 * 3600
"""Seconds for which the previous client secret goes on working after a rotation."""


class Problem(StrEnum):
    """Why an operator's request cannot be done; the value is the sentence to print."""

    MALFORMED_EMAIL = "the e-mail address is malformed"
    EMAIL_TAKEN = "a user with this e-mail address exists"
    UNUSABLE_PASSWORD = "the password must have 8 to 1024 characters"  # noqa: S105 (a sentence, not a secret)
    UNKNOWN_SCOPE = "a scope is unknown; known are: schemas:read query offline_access"
    UNUSABLE_NAME = "the name is empty"
    UNUSABLE_REDIRECT_URI = "a redirect URI is not acceptable: https, http on loopback, or a private-use scheme"
    REDIRECT_URI_REQUIRED = "a public client needs at least one redirect URI"
    NO_SUCH_CLIENT = "there is no such client"
    NOT_CONFIDENTIAL = "the client is public and has no secret"


class CannotDo(Exception):
    """The request cannot be done; `problem.value` says why."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.value)
        self.problem = problem


@dataclass(frozen=True, slots=True)
class NewClient:
    """A client just made; `client_secret` is shown this once, None for a public client."""

    client: Client
    client_secret: str | None


class Administration:
    """The operator's verbs. All raise CannotDo and StoreUnavailable."""

    def __init__(
        self, *, users: UserStore, clients: ClientStore, passwords: PasswordHasher, clock: Clock, entropy: Entropy
    ) -> None:
        self._users, self._clients, self._passwords = users, clients, passwords
        self._clock, self._entropy = clock, entropy

    async def create_user(self, email: str, password: str) -> User:
        """Adds a person."""
        try:
            normal = normalise_email(email)
        except MalformedEmail as error:
            raise CannotDo(Problem.MALFORMED_EMAIL) from error
        try:
            prepared = prepare_password(password)
        except UnusablePassword as error:
            raise CannotDo(Problem.UNUSABLE_PASSWORD) from error
        user = User(
            user_id=credentials.new_user_id(self._entropy),
            email=normal,
            password_hash=await self._passwords.hash(prepared),
            tenant=DEFAULT_TENANT,
            created_at=self._clock.now(),
        )
        if not await self._users.add_user(user):
            raise CannotDo(Problem.EMAIL_TAKEN)
        return user

    async def create_client(
        self, *, name: str, confidential: bool, redirect_uris: Sequence[str] = (), scope: str | None = None
    ) -> NewClient:
        """Adds a client. `scope` is a space-separated list; None allows every scope.

        A confidential client gets client_credentials, and with redirect URIs the browser flow as well; a public one
        needs redirect URIs.
        """
        now = self._clock.now()
        shown = safe_name(name)
        if not shown:
            raise CannotDo(Problem.UNUSABLE_NAME)
        if not confidential and not redirect_uris:
            raise CannotDo(Problem.REDIRECT_URI_REQUIRED)
        for uri in redirect_uris:
            try:
                redirect_uri.kind(uri)
            except redirect_uri.UnacceptableRedirectUri as error:
                raise CannotDo(Problem.UNUSABLE_REDIRECT_URI) from error
        grant_types = {GrantType.CLIENT_CREDENTIALS} if confidential else set()
        if redirect_uris:
            grant_types |= {GrantType.AUTHORIZATION_CODE, GrantType.REFRESH_TOKEN}
        secret = credentials.new_client_secret(self._entropy) if confidential else None
        client = Client(
            client_id=credentials.new_client_id(self._entropy),
            name=shown,
            registration=Registration.OPERATOR,
            redirect_uris=tuple(sorted({redirect_uri.canonical(uri) for uri in redirect_uris})),
            grant_types=frozenset(grant_types),
            scopes=_known_scopes(scope),
            tenant=DEFAULT_TENANT,
            created_at=now,
            confidential=confidential,
            secrets=(ClientSecret(credentials.digest(secret), now),) if secret else (),
        )
        added = await self._clients.add_client(client)
        assert added is Addition.ADDED  # 128 random bits do not repeat
        return NewClient(client, secret)

    async def clients(self) -> Sequence[Client]:
        """All clients, oldest first."""
        return await self._clients.clients()

    async def rotate_secret(self, client_id: str) -> str:
        """A new secret, shown this once; the one before works for SECRET_OVERLAP more seconds, older ones end."""
        now = self._clock.now()
        client = await self._clients.client(client_id)
        if client is None:
            raise CannotDo(Problem.NO_SUCH_CLIENT)
        if not client.confidential:
            raise CannotDo(Problem.NOT_CONFIDENTIAL)
        secret = credentials.new_client_secret(self._entropy)
        stored = ClientSecret(credentials.digest(secret), now)
        if not await self._clients.rotate_client_secret(client_id, stored, now + SECRET_OVERLAP):
            raise CannotDo(Problem.NO_SUCH_CLIENT)
        return secret

    async def delete_client(self, client_id: str) -> None:
        """Removes a client and revokes its grants."""
        if not await self._clients.delete_client(client_id, self._clock.now()):
            raise CannotDo(Problem.NO_SUCH_CLIENT)


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
