"""Who makes a call."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Principal:
    """The bearer of a verified access token. `grant` is the token's `gid`, `roles` are a person's in their tenant."""

    tenant: str
    subject: str
    client_id: str
    scopes: frozenset[str]
    grant: str
    roles: frozenset[str] = frozenset()
