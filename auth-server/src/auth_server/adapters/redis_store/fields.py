"""The fields of a hash, as Redis takes and gives them."""

from collections.abc import Mapping, Sequence

from auth_server.adapters.redis_store.database import Argument

Fields = Mapping[str, bytes]
"""What a hash holds."""


def fields(reply: Sequence[bytes]) -> Fields:
    """The fields of HGETALL's reply, which names them in turn with their values."""
    return {name.decode(): value for name, value in zip(reply[::2], reply[1::2], strict=True)}


def pairs(values: Mapping[str, Argument]) -> list[Argument]:
    """Names and values in turn, as scripts take them."""
    return [part for pair in values.items() for part in pair]


def text(found: Fields, name: str) -> str:
    """The text of a field that is there."""
    return found[name].decode("utf-8", "surrogatepass")


def optional_text(found: Fields, name: str) -> str | None:
    """The text of a field that may be empty, or missing in what an earlier release wrote."""
    return text(found, name) or None if name in found else None
