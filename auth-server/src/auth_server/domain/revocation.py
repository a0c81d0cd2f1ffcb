"""What ends access tokens before their time."""

from dataclasses import dataclass
from enum import StrEnum


class Revoked(StrEnum):
    """What was revoked; all tokens that name it end."""

    GRANT = "grant"
    CLIENT = "client"
    USER = "user"


@dataclass(frozen=True, slots=True)
class Revocation:
    """The end of something at a time, in seconds since the epoch.

    `name` is what tokens show of it: a grant's handle, a client's id, a user's id.
    """

    revoked: Revoked
    name: str
    at: float
