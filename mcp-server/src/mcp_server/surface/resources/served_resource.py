"""What every resource of this server is made of."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field

from mcp.shared.uri_template import UriTemplate
from mcp.types import (
    BlobResourceContents,
    InputRequiredResult,
    Resource,
    ResourceTemplate,
    TextResourceContents,
)

from mcp_server.surface.call import Call
from mcp_server.surface.completion import Complete

Contents = Sequence[TextResourceContents | BlobResourceContents]
Read = Contents | InputRequiredResult


@dataclass(frozen=True, slots=True)
class ServedResource:
    """A resource as clients see it, the scopes it needs, and what reads it, or raises Failure."""

    definition: Resource
    scopes: frozenset[str]
    read: Callable[[Call], Awaitable[Read]]


@dataclass(frozen=True, slots=True)
class ServedTemplate:
    """A family of resources, one for all values of the variables in its URI (RFC 6570)."""

    definition: ResourceTemplate
    scopes: frozenset[str]
    read: Callable[[Call, Mapping[str, str]], Awaitable[Read]]
    completions: Mapping[str, Complete] = field(default_factory=dict)
    uri: UriTemplate = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "uri", UriTemplate.parse(self.definition.uri_template))

    def variables(self, uri: str) -> Mapping[str, str] | None:
        """The values of the variables in a URI; None if it is not of this family."""
        found = self.uri.match(uri)
        return None if found is None else {name: value for name, value in found.items() if isinstance(value, str)}
