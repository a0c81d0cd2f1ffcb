"""Initial access tokens: what lets somebody register a client where not everybody may (RFC 7591 §3)."""

from dataclasses import dataclass

MAX_USES = 10_000
"""Most registrations that one token may be good for."""
MAX_LIFETIME = 366 * 86400
"""Seconds for which a token may be good at most."""


@dataclass(frozen=True, slots=True)
class InitialToken:
    """An initial access token, by its SHA-256. `label` is the operator's note on whom it is for.

    It is good for `max_uses` registrations, of which `uses` have been made, until `expires_at`. Times are seconds since
    the epoch.
    """

    token_id: str
    digest: str
    label: str
    max_uses: int
    uses: int
    created_at: float
    expires_at: float

    def is_good(self, now: float) -> bool:
        """Whether it lets another client be registered."""
        return self.uses < self.max_uses and now < self.expires_at
