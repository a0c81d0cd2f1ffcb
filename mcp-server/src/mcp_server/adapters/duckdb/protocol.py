"""The wire between the service and a DuckDB child: frames on a Unix stream socket, with Arrow IPC streams.

A frame is one kind byte, the payload's length as four bytes big-endian, and the payload. The frame RUN carries small
inputs whole behind its JSON, and the read ends of the other inputs' pipes, in their order, as ancillary data
(SCM_RIGHTS) of its first bytes.
"""

import json
import struct
from collections.abc import Mapping, Sequence
from typing import Any

HEADER = struct.Struct(">cI")
_LENGTH = struct.Struct(">I")

RUN = b"Q"
"""To the child: the length of a JSON text as four bytes big-endian, that text, and the IPC streams of small inputs.

The JSON is `{statement, inputs: [{name, materialise, views: [{name, columns}], inline}], row_limit, byte_limit}`;
`inline` is the length of the input's IPC stream behind the JSON, or null when it comes through a pipe.
"""
INTERRUPT = b"I"
"""To the child: end the running statement."""
PROVE = b"P"
"""To an idle child: say READY again, as only a child that lives can."""

READY = b"R"
"""From the child: nothing of an earlier statement is left, and the next one may come."""
COLUMNS = b"C"
"""From the child: JSON `[[name, type], …]`."""
DATA = b"D"
"""From the child: the next piece of the result's Arrow IPC stream."""
FINISHED = b"F"
"""From the child: JSON `{complete}`; the result was sent."""
ERROR = b"E"
"""From the child: JSON `{kind, message, place}`; `kind` names an exception's class, `place` is where in the statement,
`[offset, length]` in characters, or null.
"""

MAX_INPUTS = 64
"""Descriptors that fit beside one frame, and below a child's limit of open files."""

END_OF_STREAM = b"\xff\xff\xff\xff\x00\x00\x00\x00"
"""What closes an Arrow IPC stream (Arrow columnar format, "IPC Streaming Format")."""


def frame(kind: bytes, payload: bytes = b"") -> bytes:
    """One frame."""
    return HEADER.pack(kind, len(payload)) + payload


def run_frame(request: Mapping[str, Any], streams: Sequence[bytes]) -> bytes:
    """The frame RUN of a request and its small inputs."""
    text = json.dumps(request).encode()
    return frame(RUN, b"".join((_LENGTH.pack(len(text)), text, *streams)))


def run_request(payload: bytes) -> tuple[dict[str, Any], list[memoryview]]:
    """The request and the small inputs of a RUN payload."""
    (length,) = _LENGTH.unpack_from(payload)
    at = _LENGTH.size + length
    request = json.loads(payload[_LENGTH.size : at])
    streams: list[memoryview] = []
    for item in request["inputs"]:
        if item["inline"] is not None:
            streams.append(memoryview(payload)[at : at + item["inline"]])
            at += item["inline"]
    return request, streams
