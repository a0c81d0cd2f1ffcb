"""Authorization requests that a client sends ahead of the browser (RFC 9126), and what the browser brings of them."""

from collections.abc import Mapping
from typing import Any

from auth_server.domain import credentials
from auth_server.domain.authorization import PUSHED_LIFETIME
from auth_server.domain.client import Client
from auth_server.domain.failures import Reason, Refused
from auth_server.protocol import parameters
from auth_server.protocol.parameters import Pairs, Parameters
from shared_kernel.dpop import Proof

_OF_AUTHENTICATION = frozenset({"client_id", "client_secret", "client_assertion", "client_assertion_type"})


def request_uri(pairs: Pairs) -> str | None:
    """The `request_uri` of a pushed request by which a browser's request names its parameters; None if it does not.

    Any other URI stays what it is, a parameter that is not served (RFC 9101). Raises Refused (DUPLICATE_PARAMETER).
    """
    if not any(name == "request_uri" and value.startswith(credentials.REQUEST_URI) for name, value in pairs):
        return None
    return parameters.sole(pairs, "request_uri")


def to_keep(given: Parameters, client: Client, proof: Proof | None) -> tuple[tuple[str, str], ...]:
    """The parameters of the authorization request: all but those that authenticate the client.

    Raises Refused (MALFORMED_REQUEST).
    """
    # RFC 9126 §2.1: 'The "request_uri" authorization request parameter is one exception, and it MUST NOT be provided.'
    if given.get("request_uri") is not None:
        raise Refused(Reason.MALFORMED_REQUEST)
    kept = [(name, value) for name, value in given.values.items() if name not in _OF_AUTHENTICATION]
    kept += [("client_id", client.client_id), *(("resource", each) for each in given.resources)]
    named = given.get("dpop_jkt")
    if proof is not None and named is None:
        kept.append(("dpop_jkt", proof.thumbprint))
    # RFC 9449 §10.1: "the authorization server MUST reject the request if the JWK Thumbprint in the dpop_jkt does not
    # match the public key in the DPoP header."
    elif proof is not None and named != proof.thumbprint:
        raise Refused(Reason.MALFORMED_REQUEST)
    return tuple(kept)


def body(uri: str) -> Mapping[str, Any]:
    """The response body (RFC 9126 §2.2)."""
    return {"request_uri": uri, "expires_in": PUSHED_LIFETIME}
