"""What was revoked lately, so that resource servers hear of it before the tokens expire."""

from collections.abc import Sequence
from typing import Protocol

from auth_server.domain.revocation import Revocation, Revoked


class RevocationStore(Protocol):
    """Revocations of the last revocations.MEMORY seconds (shared_kernel) at least.

    Every verb that revokes a grant, deletes a client or a user, disables a user, or ends a membership notes it in the
    same step.
    """

    async def revocations(self, since: float) -> Sequence[Revocation]:
        """What was revoked at that time or later, oldest first; of several revocations of one thing the latest.

        What came more than twice revocations.MEMORY after that time may be missing.
        """
        ...

    async def revoked_at(self, revoked: Revoked, name: str, since: float) -> float | None:
        """When that was revoked last, if it was so at that time or later; as little may be missing as in revocations().

        None if it was not.
        """
        ...

    async def note_revocation(self, revocation: Revocation) -> None:
        """Adds the end of tokens that have no grant."""
        ...
