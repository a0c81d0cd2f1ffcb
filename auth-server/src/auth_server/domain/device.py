"""A device's request to act for a person, who decides on another device of theirs (RFC 8628)."""

from dataclasses import dataclass

from auth_server.domain.grant import RefreshToken, RefreshTokenKey

DEVICE_CODE_LIFETIME = 600
POLL_INTERVAL = 5
"""Seconds that a device must leave between two polls, at first."""
SLOW_DOWN_SECONDS = 5
"""By how much the interval grows with every poll that comes too early (RFC 8628 §3.5)."""
LONGEST_INTERVAL = 60
"""The interval grows no further: a device that never listens still hears of the decision."""
POLL_LENIENCE = 1.0
"""Seconds by which a poll may come early: networks do not deliver evenly."""
DEVICE_MEMORY = 3600
"""Seconds for which an authorization is remembered after it expired, so that its device hears what has become of it."""


@dataclass(frozen=True, slots=True)
class DeviceAuthorization:
    """What a device asks for.

    `device_id` is what the user code hashes to, so that neither code is stored. `digest` is the SHA-256 of the device
    code; `family` that of the part that the refresh tokens of its grant will share. `scopes` are what is left after
    narrowing, `resource` is canonical. `address` is the network address that the device asked from.
    """

    device_id: str
    digest: str
    family: str
    client_id: str
    scopes: frozenset[str]
    resource: str
    address: str
    created_at: float
    expires_at: float

    def first_token(self, grant_id: str) -> RefreshToken:
        """The device code as the first token of its grant's family: whoever rotates it gets the grant's tokens."""
        return RefreshToken(RefreshTokenKey(grant_id, self.family, self.digest), self.expires_at)
