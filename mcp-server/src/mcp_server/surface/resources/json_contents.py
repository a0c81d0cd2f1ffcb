"""The contents of a resource that is a JSON document."""

from collections.abc import Mapping

import msgspec
from mcp.types import TextResourceContents

from mcp_server.surface.marked import marked

JSON = "application/json"


def json_contents(uri: str, document: Mapping[str, object]) -> TextResourceContents:
    """One document, marked as data, in compact JSON."""
    return TextResourceContents(uri=uri, mime_type=JSON, text=msgspec.json.encode(marked(document)).decode())
