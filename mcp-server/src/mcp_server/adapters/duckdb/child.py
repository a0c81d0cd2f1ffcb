"""One DuckDB child process seen from the service: its start, one statement at a time, its end.

What comes back from a child is not trusted: a statement might have taken it over. Lengths are bounded and Arrow data is
validated before anything reads it.
"""

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass

import anyio
import anyio.to_thread
import pyarrow as pa

from mcp_server.adapters.duckdb import errors as duckdb_errors
from mcp_server.adapters.duckdb import protocol as duckdb_protocol
from mcp_server.adapters.duckdb.feeds import Feed, WriteEnd, open_pipes
from mcp_server.domain.failures import Failure
from mcp_server.ports.relational import Place, Result, ResultColumn, StreamReadTwice

MAX_SMALL_FRAME = 1 << 22
MAX_RESULT_FRAME = 1 << 28
RECEIVE_BYTES = 1 << 18
SMALL_RESULT_BYTES = 1 << 16
"""A result up to this size is validated on the event loop: a thread would take longer to be reached."""


Outcome = Result | Failure | StreamReadTwice
"""What a statement comes to: its result, or the exception that its caller is to see."""


class ChildLost(Exception):
    """The child is gone or out of step."""


@dataclass(frozen=True, slots=True)
class ChildSettings:
    """What one child may use, in MiB. The address space must hold the libraries, threads and Arrow data as well."""

    memory_mib: int = 1024
    address_space_mib: int = 2048


@dataclass(frozen=True, slots=True)
class ChildEnd:
    """How a child ended: its exit code or the signal that killed it, and the most memory that it held."""

    exit_code: int | None
    signal: str | None
    peak_mib: int


class Child:
    """A running child. Used by one statement at a time."""

    def __init__(self, settings: ChildSettings) -> None:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        arguments = [str(settings.memory_mib), str(settings.address_space_mib), str(os.getpid())]
        with theirs:
            # Started on the event loop's own thread: PDEATHSIG is tied to the thread which starts the child.
            self._process: subprocess.Popen[bytes] = subprocess.Popen(  # noqa: S603 - fixed program, no shell
                [sys.executable, "-I", "-m", "mcp_server.adapters.duckdb.worker", *arguments],
                env={},
                cwd="/",
                stdin=theirs.fileno(),
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
            )
        ours.setblocking(False)
        self._control = ours
        self._received = bytearray()
        self.statements = 0
        self.clean = False
        """Whether it awaits a statement, with nothing left of the last one."""
        self.losses = 0
        """How many children had been lost when this one last proved to live; the pool counts."""

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid

    async def ready(self) -> None:
        """Returns when it awaits a statement. Raises ChildLost."""
        if not self.clean:
            kind, _ = await self._receive(MAX_SMALL_FRAME)
            if kind != duckdb_protocol.READY:
                raise ChildLost
            self.clean = True

    def awaits(self) -> bool:
        """Whether an idle child is still there: one that has ended closed its socket, and one in step is silent."""
        try:
            self._control.recv(1, socket.MSG_PEEK)
        except BlockingIOError:
            return True
        except OSError:
            return False
        return False

    async def prove(self) -> None:
        """Returns when an idle child has answered. Raises ChildLost."""
        self.clean = False
        try:
            await self._send(memoryview(duckdb_protocol.frame(duckdb_protocol.PROVE)))
        except OSError as error:
            raise ChildLost from error
        await self.ready()

    async def start(
        self, statement: str, feeds: Sequence[Feed], row_limit: int, byte_limit: int
    ) -> list[tuple[Feed, WriteEnd]]:
        """Hands a statement over; returns the inputs that have to be pumped. Raises ChildLost."""
        streams = [feed.stream() if feed.whole else None for feed in feeds]
        request = {
            "statement": statement,
            "inputs": [
                {
                    "name": feed.item.name,
                    "materialise": feed.item.materialise,
                    "views": [{"name": view.name, "columns": view.columns} for view in feed.item.views],
                    "inline": None if stream is None else len(stream),
                }
                for feed, stream in zip(feeds, streams, strict=True)
            ],
            "row_limit": row_limit,
            "byte_limit": byte_limit,
        }
        message = memoryview(duckdb_protocol.run_frame(request, [stream for stream in streams if stream is not None]))
        self.clean = False
        self.statements += 1
        piped = [feed for feed in feeds if not feed.whole]
        read_ends, write_ends = open_pipes(len(piped))
        sent = False
        try:
            if read_ends:
                header = duckdb_protocol.HEADER.size
                message = message[socket.send_fds(self._control, [message[:header]], read_ends) :]
            await self._send(message)
            sent = True
        except OSError as error:
            raise ChildLost from error
        finally:
            for descriptor in read_ends:
                os.close(descriptor)
            if not sent:
                for write_end in write_ends:
                    write_end.close()
        return list(zip(piped, write_ends, strict=True))

    async def result(self, byte_limit: int) -> Outcome:
        """What the statement yields. Raises ChildLost."""
        columns: list[tuple[str, str]] = []
        pieces: list[bytes] = []
        limit = 2 * byte_limit + MAX_SMALL_FRAME  # IPC metadata and padding come on top of the data
        size = 0
        while True:
            kind, payload = await self._receive(limit - size)
            if kind == duckdb_protocol.DATA:
                size += len(payload)
                pieces.append(payload)
            elif kind == duckdb_protocol.COLUMNS:
                columns = [(str(name), str(type_)) for name, type_ in json.loads(payload)]
            elif kind == duckdb_protocol.FINISHED:
                complete = json.loads(payload)["complete"] is True
                break
            elif kind == duckdb_protocol.ERROR:
                error = json.loads(payload)
                return duckdb_errors.failure(str(error["kind"]), str(error["message"]), _place(error["place"]))
            else:
                raise ChildLost
        table = _table(pieces) if size <= SMALL_RESULT_BYTES else await anyio.to_thread.run_sync(_table, pieces)
        if table.num_columns != len(columns):
            raise ChildLost
        return Result(tuple(ResultColumn(name, type_) for name, type_ in columns), table, complete)

    async def interrupt(self) -> None:
        """Ends the running statement; returns when it has ended. Raises ChildLost."""
        try:
            await self._send(memoryview(duckdb_protocol.frame(duckdb_protocol.INTERRUPT)))
        except OSError as error:
            raise ChildLost from error
        kind = None
        while kind not in (duckdb_protocol.ERROR, duckdb_protocol.FINISHED, duckdb_protocol.READY):
            kind, _ = await self._receive(MAX_RESULT_FRAME)
        self.clean = kind == duckdb_protocol.READY

    def kill(self) -> None:
        """Ends it at once and lets go of the socket; `reap` waits for the end."""
        os.kill(self._process.pid, signal.SIGKILL)  # Popen's own method could reap it, and lose what it used
        anyio.notify_closing(self._control)
        self._control.close()

    def reap(self) -> ChildEnd:
        """Waits, blocking, for a killed process to be gone."""
        _, status, usage = os.wait4(self._process.pid, 0)
        code = self._process.returncode = os.waitstatus_to_exitcode(status)
        unit = 1 << 10 if sys.platform == "linux" else 1 << 20  # ru_maxrss is in KiB there, in bytes on macOS
        name = signal.Signals(-code).name if code < 0 else None
        return ChildEnd(code if code >= 0 else None, name, usage.ru_maxrss // unit)

    async def _send(self, data: memoryview) -> None:
        while data:
            try:
                data = data[self._control.send(data) :]
            except BlockingIOError:
                await anyio.wait_writable(self._control)

    async def _receive(self, limit: int) -> tuple[bytes, bytes]:
        header = await self._exactly(duckdb_protocol.HEADER.size)
        kind, length = duckdb_protocol.HEADER.unpack(header)
        if length > limit:
            raise ChildLost
        return kind, await self._exactly(length)

    async def _exactly(self, count: int) -> bytes:
        while len(self._received) < count:
            try:
                piece = self._control.recv(RECEIVE_BYTES)
            except BlockingIOError:
                await self._wait_readable()
                continue
            except OSError as error:
                raise ChildLost from error
            if not piece:
                raise ChildLost
            self._received += piece
        taken = bytes(self._received[:count])
        del self._received[:count]
        return taken

    async def _wait_readable(self) -> None:
        try:
            await anyio.wait_readable(self._control)
        except anyio.ClosedResourceError as error:
            raise ChildLost from error


def _place(place: object) -> Place | None:
    match place:
        case [int(offset), int(length)]:
            return Place(offset, length)
    return None


def _table(pieces: list[bytes]) -> pa.Table:
    try:
        with pa.ipc.open_stream(b"".join(pieces)) as reader:
            table = reader.read_all()
        table.validate()
        for column in table.columns:
            # Offsets, lengths and UTF-8 from a child that was taken over could otherwise crash the service. Decimals
            # have none, and a HUGEINT arrives as one that may have a digit more than Arrow allows.
            if not pa.types.is_decimal(column.type):
                column.validate(full=True)
    except pa.ArrowException as error:
        raise ChildLost from error
    return table
