"""Access tokens over HTTP: how one is presented, and what a refusal says.

A bearer presents a token alone (RFC 6750), the holder of a key a proof beside it (RFC 9449, DPoP). A refusal's text is
fixed per situation, so that nothing of a token can come back in it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum, StrEnum
from string import ascii_letters, digits
from typing import NamedTuple
from urllib.parse import parse_qsl

from shared_kernel import dpop, scope

# RFC 6750 §2.1: 'b64token = 1*( ALPHA / DIGIT / "-" / "." / "_" / "~" / "+" / "/" ) *"="'
_OF_TOKENS = f"{ascii_letters}{digits}-._~+/".encode()
_QUERY_LIMIT = 64

PRINCIPAL_KEY = "principal"
"""Where in an ASGI scope's `state` the guard leaves the request's Principal for those behind it."""
MESSAGE_KEY = "message"
"""Where it leaves the JSON-RPC message that it has authorized."""


class MalformedCredentials(Exception):
    """The request presents credentials in a way that RFC 6750 and RFC 9449 do not have."""


class Scheme(StrEnum):
    """The authentication scheme of a request, or of a challenge."""

    BEARER = "Bearer"
    DPOP = "DPoP"


class Presented(NamedTuple):
    """A token as it was presented; nothing is verified yet."""

    token: str
    scheme: Scheme


_SCHEMES = {scheme.lower().encode(): scheme for scheme in Scheme}
_ALGORITHMS = ("algs", " ".join(dpop.ALGORITHMS))


class Denial(Enum):
    """Why a request is turned away: HTTP status, RFC 6750 §3.1 error code, and what the client is told."""

    # RFC 6750 §3.1: "If the request lacks any authentication information [...] the resource server SHOULD NOT include
    # an error code or other error information."
    NO_TOKEN = (401, None, "Sign in and send an access token in the Authorization header.")
    INVALID_TOKEN = (401, "invalid_token", "The access token is expired, revoked, malformed or not for this resource.")
    # RFC 9449 §7.2: "such a protected resource MUST reject a DPoP-bound access token received as a bearer token"
    BOUND_TOKEN = (401, "invalid_token", "The access token is bound to a key: send it as DPoP, with a proof.")
    UNBOUND_TOKEN = (401, "invalid_token", "The access token is not bound to a key.")
    INVALID_PROOF = (401, "invalid_dpop_proof", "The DPoP proof is missing or not valid for this request.")
    NONCE_REQUIRED = (401, "use_dpop_nonce", "The DPoP proof must hold the nonce of the DPoP-Nonce header.")
    MALFORMED = (400, "invalid_request", "Send exactly one access token, in one Authorization header.")
    INSUFFICIENT_SCOPE = (403, "insufficient_scope", "This operation needs an access token with more scopes.")

    def __init__(self, status: int, error: str | None, description: str) -> None:
        self.status = status
        self.error = error
        self.description = description


@dataclass(frozen=True, slots=True)
class Challenge:
    """What a refused client is told in `WWW-Authenticate`.

    `scopes` are all that the request needs, `metadata_url` is RFC 9728's document. `scheme` is that of the request, and
    `defect` says what is wrong with its proof. `is_dpop_required` keeps bearers away.
    """

    denial: Denial
    scopes: frozenset[str]
    metadata_url: str
    scheme: Scheme = Scheme.BEARER
    defect: str = ""
    is_dpop_required: bool = False

    @property
    def headers(self) -> list[str]:
        """The headers' values: that of the scheme in question, and the other one where only that would help.

        Most clients know bearers only, and some read but one header, the first or the last. Those that can prove a key
        learn of it from the metadata.
        """
        if self.scheme is Scheme.DPOP or self.is_dpop_required:
            return [f"{Scheme.DPOP} {_listed([*self._parameters(), _ALGORITHMS])}"]
        offer = [f"{Scheme.DPOP} {_listed([_ALGORITHMS])}"] if self.denial is Denial.BOUND_TOKEN else []
        return [f"{Scheme.BEARER} {_listed(self._parameters())}", *offer]

    def _parameters(self) -> list[tuple[str, str]]:
        parameters: list[tuple[str, str]] = []
        if self.denial.error is not None:
            description = self.defect or self.denial.description
            if self.denial is Denial.INSUFFICIENT_SCOPE:
                description = f"{description} Needed: {scope.join(self.scopes)}"
            parameters += [("error", self.denial.error), ("error_description", description)]
        if self.scopes:
            parameters.append(("scope", scope.join(self.scopes)))
        # RFC 9728 §5.1: "resource_metadata: The URL of the protected resource metadata."
        parameters.append(("resource_metadata", self.metadata_url))
        return parameters


def presented_token(authorization: Sequence[bytes], query: bytes) -> Presented | None:
    """The token of a request, from the values of its Authorization headers; None when it presents none.

    Other schemes than Bearer and DPoP present none. Raises MalformedCredentials for several headers, for one that is
    not scheme, space, token, and for a token in the query, which logs and histories would keep.
    """
    if (query and _names_token(query.decode("latin-1"))) or len(authorization) > 1:
        raise MalformedCredentials
    if not authorization:
        return None
    name, _, credentials = authorization[0].partition(b" ")
    # RFC 9110 §11.1: "It uses a case-insensitive token to identify the authentication scheme"
    scheme = _SCHEMES.get(name.lower())
    if scheme is None:
        return None
    token = credentials.strip(b" ")
    unpadded = token.rstrip(b"=")
    if not unpadded or unpadded.translate(None, _OF_TOKENS):
        raise MalformedCredentials
    return Presented(token.decode(), scheme)


def _listed(parameters: Sequence[tuple[str, str]]) -> str:
    return ", ".join(f'{name}="{value}"' for name, value in parameters)


def _names_token(query: str) -> bool:
    if "access_token" not in query and "%" not in query:
        return False
    try:
        names = [name for name, _ in parse_qsl(query, keep_blank_values=True, max_num_fields=_QUERY_LIMIT)]
    except ValueError:  # more fields than we look through
        return True
    return "access_token" in names
