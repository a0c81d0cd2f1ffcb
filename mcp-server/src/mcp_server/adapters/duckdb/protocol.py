"""How the service and a DuckDB child talk: frames on a Unix stream socket, Arrow IPC streams on pipes beside it.

A frame is one kind byte, the payload's length as four bytes big-endian, and the payload. The frame RUN carries the read
ends of the pipes, one for each input in their order, as ancillary data (SCM_RIGHTS) of its header.
"""

import struct

HEADER = struct.Struct(">cI")

RUN = b"Q"
"""To the child: JSON `{statement, inputs: [{name, materialise, views: [{name, columns}]}], row_limit, byte_limit}`."""
INTERRUPT = b"I"
"""To the child: end the running statement."""

READY = b"R"
"""From the child: a fresh database awaits a statement."""
ACCEPTED = b"A"
"""From the child: it holds the pipes and starts."""
COLUMNS = b"C"
"""From the child: JSON `[[name, type], …]`."""
DATA = b"D"
"""From the child: the next piece of the result's Arrow IPC stream."""
FINISHED = b"F"
"""From the child: JSON `{complete}`; the result was sent."""
ERROR = b"E"
"""From the child: JSON `{kind, message}`; `kind` is the name of an exception's class."""

MAX_INPUTS = 64
"""Descriptors that fit beside one frame, and below a child's limit of open files."""

END_OF_STREAM = b"\xff\xff\xff\xff\x00\x00\x00\x00"
"""What closes an Arrow IPC stream (Arrow columnar format, "IPC Streaming Format")."""


def frame(kind: bytes, payload: bytes = b"") -> bytes:
    """One frame."""
    return HEADER.pack(kind, len(payload)) + payload
