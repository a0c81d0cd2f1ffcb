"""What our runner does by itself, beside the SDK's, which does the same with more checks."""

import json
from typing import Any

import msgspec
import pytest
from mcp.server.connection import Connection
from mcp.server.lowlevel import Server
from mcp.server.runner import ServerRunner
from mcp_types.version import KNOWN_PROTOCOL_VERSIONS

from mcp_server.domain.failures import Failure
from mcp_server.domain.failures.availability import Defect
from mcp_server.surface import reply
from mcp_server.surface.runner import Runner, connection

VERSIONS = sorted(KNOWN_PROTOCOL_VERSIONS)
DOCUMENT: dict[str, Any] = {"rows": [[1, 2.5, None, 'é"\n', True], []], "columns": [{"name": "a"}], "next_cursor": None}


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("kind", ["document", "with_text", "failure"])
def test_a_written_result_is_what_the_sdk_makes_of_the_same_document(version: str, kind: str) -> None:
    """We chose it: the SDK's is checked against the schema of each revision; ours leaves the checks out."""
    failure = Failure(Defect())
    table = "| a |" if kind == "with_text" else None
    written = reply.failure(failure, "id") if kind == "failure" else reply.Written(DOCUMENT, table)
    server: Server[Any] = Server("name", version="1")
    ours = Runner(server, connection(version), {})._serialize("tools/call", version, written)
    plain = {"resultType": "complete", **json.loads(msgspec.json.encode(written))}
    theirs = ServerRunner(server, connection(version), {})._serialize("tools/call", version, plain)
    assert json.loads(msgspec.json.encode(ours)) == theirs
    assert json.loads(theirs["content"][0]["text"]) == theirs["structuredContent"]


def deep(levels: int) -> dict[str, Any]:
    """An object in an object, and so on."""
    value: dict[str, Any] = {}
    for _ in range(levels):
        value = {"a": value}
    return value


@pytest.mark.parametrize(
    ("client", "capabilities"),
    [
        (None, None),
        ({"name": "c", "version": "1"}, {}),
        ({"name": "c", "version": "1"}, {"elicitation": {"form": {}}, "extensions": {"x": {"y": [1, 2.5]}}}),
        ({"name": "c"}, {}),
        ({"name": "c" * 5000, "version": "1"}, {"sampling": {}}),
        ("text", [1]),
        ({"name": "c", "version": "1"}, {"experimental": deep(50)}),
        ({"name": "c", "version": "1"}, {"experimental": deep(100_000)}),
        (None, {"roots": {"listChanged": True}}),
    ],
)
def test_a_client_is_read_as_the_sdk_reads_it(client: Any, capabilities: Any) -> None:
    """We chose it: what it says of itself in every request is read once."""
    for _ in range(2):
        ours = connection("2026-07-28", client, capabilities)
        theirs = Connection.from_envelope("2026-07-28", client, capabilities)
        assert ours.client_params == theirs.client_params
        assert ours.client_capabilities == theirs.client_capabilities
        assert ours.protocol_version == theirs.protocol_version
        assert ours.initialize_accepted
        assert not ours.has_standalone_channel
        assert ours.state is not connection("2026-07-28", client, capabilities).state
