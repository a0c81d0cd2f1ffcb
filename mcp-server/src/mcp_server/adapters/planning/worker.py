"""The planning child: `python -I -m mcp_server.adapters.planning.worker ADDRESS_SPACE_MIB PARENT_PID`.

It answers requests on standard input, one after the other, on standard output: each a length and a pickle. Both ends
run this code, and only the statement's text is foreign; what the gate makes of it is data.
"""

import ctypes
import os
import pickle
import resource
import signal
import struct
import sys
from collections.abc import Mapping
from datetime import datetime
from typing import Any, BinaryIO

from mcp_server.domain.failures import Failure
from mcp_server.domain.schema import Table
from mcp_server.planning.plan import Pin, Read
from mcp_server.sql.binding.bind import Query, bind
from mcp_server.sql.gate.parameters import Parameters
from mcp_server.sql.gate.parse import TableName, parse
from mcp_server.sql.now import at_instant

LENGTH = struct.Struct("!I")
PR_SET_PDEATHSIG = 1


def tables_of(text: str, parameters: Parameters) -> frozenset[TableName]:
    """The tables that a statement names. Raises Failure."""
    return parse(text, parameters).tables


def planned(
    text: str,
    parameters: Parameters,
    instant: datetime,
    default_schema: str,
    tables: Mapping[TableName, Table],
    consistent: bool,
    allow_full_scan: bool,
    pin: Pin | None,
) -> tuple[Query, tuple[Read, ...]]:
    """The bound query of a statement and its reads. Raises Failure."""
    query = bind(at_instant(parse(text, parameters), instant), default_schema, tables)
    return query, query.reads(consistent=consistent, allow_full_scan=allow_full_scan, pin=pin)


def answer(request: bytes) -> bytes:
    """The pickle of `(value, failure)` for the pickle of `(function, arguments)`; one of the two is None."""
    function, arguments = pickle.loads(request)  # noqa: S301 - from the service itself
    outcome: tuple[Any, Failure | None]
    try:
        outcome = (function(*arguments), None)
    except Failure as failure:
        outcome = (None, failure)
    return pickle.dumps(outcome)


def serve(requests: BinaryIO, answers: BinaryIO) -> None:
    """Answers until the requests end. An exception other than Failure ends the child; the service logs that."""
    while header := requests.read(LENGTH.size):
        reply = answer(requests.read(LENGTH.unpack(header)[0]))
        answers.write(LENGTH.pack(len(reply)) + reply)
        answers.flush()


def restrict(address_space_mib: int, parent: int) -> None:
    """Bounds what the child may take, and ties its life to its parent's."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal's Ctrl-C is the parent's business
    os.nice(10)  # callers who are served by the service itself go first
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        os._exit(0)  # the parent died before PDEATHSIG was set
    limit = address_space_mib << 20
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


if __name__ == "__main__":
    restrict(int(sys.argv[1]), int(sys.argv[2]))
    serve(sys.stdin.buffer, sys.stdout.buffer)
