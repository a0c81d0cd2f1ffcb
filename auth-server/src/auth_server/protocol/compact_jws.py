"""A JWT of somebody else's in compact form (RFC 7515 §7.1), taken apart strictly before anything of it is believed."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from joserfc.util import urlsafe_b64decode

from auth_server.protocol import public_keys
from shared_kernel import strict_json


class Unreadable(ValueError):
    """The text is not a JWT that could be verified here."""


class UnknownAlgorithm(Unreadable):
    """It is signed by an algorithm that is not verified here, or by none."""


@dataclass(frozen=True, slots=True)
class CompactJws:
    """The parts of a JWT; none of them is verified. `algorithm` is one of public_keys.ALGORITHMS.

    `kind` is `typ` in lower case, None where it is left out, empty where it is no text.
    """

    algorithm: str
    key_id: str | None
    kind: str | None
    claims: Mapping[str, Any]
    signed: bytes
    signature: bytes


def read(text: str) -> CompactJws:
    """The parts of the JWT. Raises Unreadable."""
    segments = text.split(".")
    if len(segments) != 3:
        raise Unreadable
    try:
        header, payload, signature = (urlsafe_b64decode(segment.encode("ascii")) for segment in segments)
        names, claims = strict_json.parse_object(header), strict_json.parse_object(payload)
    except ValueError as error:
        raise Unreadable from error
    key_id, kind = names.get("kid"), names.get("typ")
    # RFC 8725 §3.1: "Libraries MUST enable the caller to specify a supported set of algorithms"
    if names.get("alg") not in public_keys.ALGORITHMS:
        raise UnknownAlgorithm
    # RFC 7515 §4.1.11: no extension is understood here, so that "crit" makes the JWS invalid.
    if "crit" in names or not (key_id is None or isinstance(key_id, str)):
        raise Unreadable
    return CompactJws(
        algorithm=names["alg"],
        key_id=key_id,
        kind=kind.lower() if isinstance(kind, str) else None if kind is None else "",
        claims=claims,
        signed=f"{segments[0]}.{segments[1]}".encode("ascii"),
        signature=signature,
    )
