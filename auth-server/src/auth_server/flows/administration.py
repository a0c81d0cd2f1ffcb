"""What the operator does from the command line: people, clients, keys."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from auth_server.domain.client import Client
from auth_server.domain.user import User
from auth_server.ports import ClientStore, PasswordHasher, UserStore
from shared_kernel.clock import Clock
from shared_kernel.entropy import Entropy

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
        raise NotImplementedError

    async def create_client(
        self, *, name: str, confidential: bool, redirect_uris: Sequence[str] = (), scope: str | None = None
    ) -> NewClient:
        """Adds a client. `scope` None allows every scope.

        A confidential client gets client_credentials, and with redirect URIs the browser flow as well; a public one
        needs redirect URIs.
        """
        raise NotImplementedError

    async def clients(self) -> Sequence[Client]:
        """All clients, oldest first."""
        raise NotImplementedError

    async def rotate_secret(self, client_id: str) -> str:
        """A new secret, shown this once; the one before works for SECRET_OVERLAP more seconds, older ones end."""
        raise NotImplementedError

    async def delete_client(self, client_id: str) -> None:
        """Removes a client and revokes its grants."""
        raise NotImplementedError
