"""What a client's metadata demand of its own requests: that tokens are bound to a key, that requests are pushed."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from auth_server.domain.client import Client

DPOP_BOUND = "dpop_bound_access_tokens"
PAR_REQUIRED = "require_pushed_authorization_requests"


class WrongType(ValueError):
    """A member is neither true nor false."""


@dataclass(frozen=True, slots=True)
class Requirements:
    """What is demanded; as in Client."""

    dpop_bound: bool = False
    par_required: bool = False


def read(metadata: Mapping[str, Any]) -> Requirements:
    """What the metadata demand; null and "" mean "not given". Raises WrongType."""
    # RFC 9449 §5.2, RFC 9126 §6: "Boolean value [...] If omitted, the default value is "false"."
    return Requirements(_flag(metadata, DPOP_BOUND), _flag(metadata, PAR_REQUIRED))


def demanded(client: Client) -> dict[str, Any]:
    """What is demanded, in the words of the metadata; what is not is left out, as false is the default."""
    values = {DPOP_BOUND: client.dpop_bound, PAR_REQUIRED: client.par_required}
    return {name: True for name, is_demanded in values.items() if is_demanded}


def _flag(metadata: Mapping[str, Any], name: str) -> bool:
    value = metadata.get(name)
    if value is None or value == "":
        return False
    if not isinstance(value, bool):
        raise WrongType(name)
    return value
