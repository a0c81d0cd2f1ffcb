"""One DuckDB child process seen from the service: its start, one statement at a time, its end.

What comes back from a child is not trusted: a statement might have taken it over. Lengths are bounded and Arrow data is
validated before anything reads it.
"""

import contextlib
import fcntl
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import anyio
import anyio.to_thread
import pyarrow as pa

from mcp_server.adapters.duckdb import errors as duckdb_errors
from mcp_server.adapters.duckdb import protocol as duckdb_protocol
from mcp_server.ports.relational import Input, Result, ResultColumn

PIPE_BYTES = 1 << 18
MAX_SMALL_FRAME = 1 << 22
MAX_RESULT_FRAME = 1 << 28
RECEIVE_BYTES = 1 << 18
_F_SETPIPE_SZ = 1031  # Linux; fcntl.F_SETPIPE_SZ where Python names it


class ChildLost(Exception):
    """The child is gone or out of step."""


class WriteEnd:
    """The service's end of one input's pipe."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor: int | None = descriptor

    async def write(self, data: Any) -> None:
        """Writes all of it, waiting for room. Raises BrokenPipeError when the reader has closed its end."""
        view = memoryview(data).cast("B")
        while view:
            assert self._descriptor is not None
            try:
                view = view[os.write(self._descriptor, view) :]
            except BlockingIOError:
                await anyio.wait_writable(self._descriptor)

    def close(self) -> None:
        """Closes it, once."""
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            os.close(descriptor)


@dataclass(frozen=True, slots=True)
class ChildSettings:
    """What one child may use, in MiB. The address space must hold the libraries, threads and Arrow data as well."""

    memory_mib: int = 1024
    address_space_mib: int = 2048


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

    async def start(self, statement: str, inputs: Sequence[Input], row_limit: int, byte_limit: int) -> list[WriteEnd]:
        """Hands a statement over; gives the write ends of the inputs' pipes, which the caller closes.

        Raises ChildLost when the child was not there to take it; nothing has been read then.
        """
        request = {
            "statement": statement,
            "inputs": [
                {
                    "name": item.name,
                    "materialise": item.materialise,
                    "views": [{"name": view.name, "columns": view.columns} for view in item.views],
                }
                for item in inputs
            ],
            "row_limit": row_limit,
            "byte_limit": byte_limit,
        }
        message = duckdb_protocol.frame(duckdb_protocol.RUN, json.dumps(request).encode())
        self.clean = False
        self.statements += 1
        read_ends, write_ends = _pipes(len(inputs))
        accepted = False
        try:
            header = duckdb_protocol.HEADER.size
            sent = socket.send_fds(self._control, [message[:header]], read_ends)
            await self._send(message[sent:])
            kind, _ = await self._receive(MAX_SMALL_FRAME)
            accepted = kind == duckdb_protocol.ACCEPTED
        except OSError as error:
            raise ChildLost from error
        finally:
            for descriptor in read_ends:
                os.close(descriptor)
            if not accepted:
                for write_end in write_ends:
                    write_end.close()
        if not accepted:
            raise ChildLost
        return write_ends

    async def result(self, byte_limit: int) -> Result:
        """What the statement yields. Raises ChildLost, Failure, StreamReadTwice."""
        columns: list[tuple[str, str]] = []
        pieces: list[bytes] = []
        left = 2 * byte_limit + MAX_SMALL_FRAME  # IPC metadata and padding come on top of the data
        while True:
            kind, payload = await self._receive(left)
            if kind == duckdb_protocol.DATA:
                left -= len(payload)
                pieces.append(payload)
            elif kind == duckdb_protocol.COLUMNS:
                columns = [(str(name), str(type_)) for name, type_ in json.loads(payload)]
            elif kind == duckdb_protocol.FINISHED:
                complete = json.loads(payload)["complete"] is True
                break
            elif kind == duckdb_protocol.ERROR:
                error = json.loads(payload)
                raise duckdb_errors.failure(str(error["kind"]), str(error["message"]))
            else:
                raise ChildLost
        table = await anyio.to_thread.run_sync(_table, pieces)
        if table.num_columns != len(columns):
            raise ChildLost
        return Result(tuple(ResultColumn(name, type_) for name, type_ in columns), table, complete)

    async def interrupt(self) -> None:
        """Ends the running statement and waits until the child awaits the next one. Raises ChildLost."""
        try:
            await self._send(duckdb_protocol.frame(duckdb_protocol.INTERRUPT))
        except OSError as error:
            raise ChildLost from error
        while not self.clean:
            kind, _ = await self._receive(MAX_RESULT_FRAME)
            self.clean = kind == duckdb_protocol.READY

    def alive(self) -> bool:
        """Whether the process is still there."""
        return self._process.poll() is None

    def kill(self) -> None:
        """Ends it at once and lets go of the socket; `reap` waits for the end."""
        with contextlib.suppress(ProcessLookupError):
            self._process.send_signal(signal.SIGKILL)
        anyio.notify_closing(self._control)
        self._control.close()

    def reap(self) -> None:
        """Waits, blocking, for a killed process to be gone."""
        self._process.wait()

    async def _send(self, data: bytes) -> None:
        view = memoryview(data)
        while view:
            try:
                view = view[self._control.send(view) :]
            except BlockingIOError:
                await anyio.wait_writable(self._control)

    async def _receive(self, limit: int) -> tuple[bytes, bytes]:
        header = await self._exactly(duckdb_protocol.HEADER.size)
        kind, length = duckdb_protocol.HEADER.unpack(header)
        if length > limit:
            raise ChildLost
        return kind, await self._exactly(length)

    async def _wait_readable(self) -> None:
        try:
            await anyio.wait_readable(self._control)
        except anyio.ClosedResourceError as error:
            raise ChildLost from error

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


async def pump(pipe: WriteEnd, item: Input) -> None:
    """Writes an input to its pipe, as fast as it is read; ends early, without an error, when the reader has enough."""
    try:
        await pipe.write(item.schema.serialize())
        async for batch in item.batches:
            await pipe.write(batch.serialize())
        await pipe.write(duckdb_protocol.END_OF_STREAM)
    except BrokenPipeError:
        with anyio.CancelScope(shield=True):
            await item.batches.aclose()


def _pipes(count: int) -> tuple[list[int], list[WriteEnd]]:
    read_ends: list[int] = []
    write_ends: list[WriteEnd] = []
    for _ in range(count):
        read_end, write_end = os.pipe()
        os.set_blocking(write_end, False)
        if sys.platform == "linux":
            with contextlib.suppress(OSError):  # a user's pipes may have no more room
                fcntl.fcntl(write_end, _F_SETPIPE_SZ, PIPE_BYTES)
        read_ends.append(read_end)
        write_ends.append(WriteEnd(write_end))
    return read_ends, write_ends


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
