"""What a person has allowed a client and need not be asked about again."""

import hashlib
import json
from dataclasses import dataclass

from auth_server.domain.client import Client
from auth_server.domain.grant import GRANT_LIFETIME

CONSENT_LIFETIME = GRANT_LIFETIME
"""Seconds for which a person is not asked again: as long as what they allowed may last."""


@dataclass(frozen=True, slots=True)
class ConsentKey:
    """What a consent is about. `redirect_origin` is where the answers go, such as `https://app.example`."""

    user_id: str
    client_id: str
    redirect_origin: str
    resource: str
    workspace: str

    @property
    def parts(self) -> tuple[str, str, str, str]:
        """What it is about, besides the person."""
        return self.client_id, self.redirect_origin, self.resource, self.workspace


@dataclass(frozen=True, slots=True)
class RememberedConsent:
    """That a person has allowed `scopes`, of a client that was as `document` says: document_digest()."""

    key: ConsentKey
    scopes: frozenset[str]
    document: str
    given_at: float
    expires_at: float

    def covers(self, scopes: frozenset[str], document: str) -> bool:
        """Whether that is allowed by it, to a client that is as it was."""
        return scopes <= self.scopes and document == self.document


def document_digest(client: Client) -> str:
    """A digest of what a person has been told of a client, and of what proves that it is the same one."""
    told = [client.name, sorted(client.redirect_uris), client.confidential, client.jwks, client.jwks_uri]
    return hashlib.sha256(json.dumps(told).encode()).hexdigest()
