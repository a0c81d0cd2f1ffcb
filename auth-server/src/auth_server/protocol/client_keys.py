"""The keys in a client's metadata (RFC 7591 §2): inline, or published at a URL."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from auth_server.domain.failures import Refused
from auth_server.protocol import document_url, public_keys
from auth_server.protocol.public_keys import Defect, UnusableKeySet


@dataclass(frozen=True, slots=True)
class ClientKeys:
    """A client's keys as they are kept, or where they are published; at most one of the two, as in Client."""

    jwks: str | None = None
    jwks_uri: str | None = None


def read(metadata: Mapping[str, Any]) -> ClientKeys:
    """The keys in the metadata, if there are any. Raises UnusableKeySet."""
    jwks, jwks_uri = metadata.get("jwks"), metadata.get("jwks_uri")
    # RFC 7591 §2: 'The "jwks_uri" and "jwks" parameters MUST NOT both be present'
    if jwks is not None and jwks_uri is not None:
        raise UnusableKeySet(Defect.NOT_A_SET)
    if jwks_uri is None:
        return ClientKeys() if jwks is None else ClientKeys(jwks=public_keys.as_text(public_keys.read(jwks)))
    try:
        if isinstance(jwks_uri, str):
            document_url.origin(jwks_uri)
            return ClientKeys(jwks_uri=jwks_uri)
    except Refused as refused:
        raise UnusableKeySet(Defect.URL) from refused
    raise UnusableKeySet(Defect.URL)


def published(jwks: str) -> Mapping[str, Any]:
    """The keys of a client as it is told of them."""
    found: Mapping[str, Any] = json.loads(jwks)
    return found
