"""What ends access tokens before their time."""

from dataclasses import dataclass
from enum import StrEnum

from shared_kernel import revocations


class Revoked(StrEnum):
    """What was revoked; all tokens that name it end."""

    GRANT = "grant"
    CLIENT = "client"
    USER = "user"
    MEMBERSHIP = "membership"


@dataclass(frozen=True, slots=True)
class Revocation:
    """The end of something at a time, in seconds since the epoch.

    `name` is what tokens show of it: a grant's handle, a client's id, a user's id, the two names of a membership.
    """

    revoked: Revoked
    name: str
    at: float


def of_membership(workspace: str, user_id: str, at: float) -> Revocation:
    """The end of a person's belonging to a workspace, in the role they had."""
    return Revocation(Revoked.MEMBERSHIP, revocations.member(workspace, user_id), at)
