"""What people have allowed and need not be asked about again. A consent is added as a request is approved."""

from collections.abc import Sequence
from typing import Protocol

from auth_server.domain.consent import ConsentKey, RememberedConsent


class ConsentStore(Protocol):
    """Consents that are remembered.

    One ends when its person is deleted, or leaves its workspace, or gets another role there, in the same step. One of
    a client that is deleted gives nothing, and is given to nobody.
    """

    async def consent(self, key: ConsentKey, now: float) -> RememberedConsent | None:
        """The consent, unless it has ended or expired."""
        ...

    async def consents(self, user_id: str, now: float) -> Sequence[RememberedConsent]:
        """All of a person's that have neither ended nor expired, oldest first."""
        ...

    async def end_consents(self, client_id: str, user_id: str | None = None) -> bool:
        """Forgets what a person, or everybody, has allowed that client; False if there was nothing to forget."""
        ...
