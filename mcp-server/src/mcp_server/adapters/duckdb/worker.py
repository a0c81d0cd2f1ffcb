"""The DuckDB child process: `python -I -m mcp_server.adapters.duckdb.worker MEMORY_MIB ADDRESS_SPACE_MIB PARENT_PID`.

It starts with an empty environment and its control socket as standard input, gives up what it can do to the machine,
and then runs one statement after the other, each in an empty in-memory database of its own. The gate has let only a
SELECT through; here stands the wall behind the gate: no files, no network, no extensions, no settings, bounded memory.
It ends when the socket closes. Nothing but this module, the protocol, pyarrow and DuckDB is loaded.
"""

import contextlib
import ctypes
import io
import json
import os
import queue
import resource
import signal
import socket
import sys
import threading
from pathlib import Path
from typing import Any, BinaryIO

from mcp_server.adapters.duckdb import protocol

CLONE_NEWUSER, CLONE_NEWNET = 0x10000000, 0x40000000
PR_SET_PDEATHSIG, PR_SET_NO_NEW_PRIVS = 1, 38
M_ARENA_MAX = -8
ROWS_PER_BATCH = 2048
READ_BUFFER_BYTES = 1 << 18


def give_up_powers(address_space_mib: int, parent: int) -> None:
    """Leaves the network and the privileges behind, where the platform can; must come before any thread starts."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal's Ctrl-C is the parent's business
    os.chdir("/")
    os.nice(5)
    if sys.platform == "linux":
        libc = ctypes.CDLL(None, use_errno=True)
        # Needs root or unprivileged user namespaces; without either, DuckDB's own lock is what keeps it offline.
        if libc.unshare(CLONE_NEWNET) != 0:
            libc.unshare(CLONE_NEWUSER | CLONE_NEWNET)
        libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
        libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        libc.mallopt(M_ARENA_MAX, 2)  # each further arena would reserve 64 MiB of the bounded address space
        with contextlib.suppress(OSError):
            Path("/proc/self/oom_score_adj").write_text("1000")  # the kernel's first choice, before the service itself
    if os.getppid() != parent:
        os._exit(0)  # the parent died before PDEATHSIG was set
    limit = address_space_mib << 20
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_NOFILE, (protocol.MAX_INPUTS + 64, protocol.MAX_INPUTS + 64))


class Child:
    """Reads requests on its own thread, so that an interrupt is heard while a statement runs."""

    def __init__(self, control: socket.socket, memory_mib: int) -> None:
        # Imported late by need: the limits above must hold before these libraries start threads and reserve memory.
        import duckdb  # noqa: PLC0415
        import pyarrow as pa  # noqa: PLC0415

        pa.set_memory_pool(pa.system_memory_pool())  # mimalloc reserves a gibibyte of address space up front
        self._duckdb, self._pa = duckdb, pa
        self._control = control
        self._memory_mib = memory_mib
        self._requests: queue.SimpleQueue[tuple[dict[str, Any], list[int]]] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._running: Any = None

    def serve(self) -> None:
        """Runs statements until the control socket closes."""
        threading.Thread(target=self._listen, daemon=True).start()
        while True:
            connection = self._connect()
            self._send(protocol.READY)
            request, descriptors = self._requests.get()
            files: list[BinaryIO] = [os.fdopen(descriptor, "rb", READ_BUFFER_BYTES) for descriptor in descriptors]
            with self._lock:
                self._running = connection
            try:
                self._send(protocol.ACCEPTED)
                last = self._run(connection, request, files)
            except Exception as error:  # whatever DuckDB or Arrow raise is an answer
                last = _error(error)
            finally:
                with self._lock:
                    self._running = None
                for file in files:
                    file.close()
                with contextlib.suppress(Exception):
                    connection.close()
            self._control.sendall(last)

    def _connect(self) -> Any:
        connection = self._duckdb.connect(
            ":memory:",
            config={
                "threads": 2,
                "memory_limit": f"{self._memory_mib}MiB",
                "enable_external_access": "false",
                "autoload_known_extensions": "false",
                "autoinstall_known_extensions": "false",
                "allow_community_extensions": "false",
                "allow_unsigned_extensions": "false",
                "allow_persistent_secrets": "false",
                "python_enable_replacements": "false",
                "temp_directory": "",
                "max_temp_directory_size": "0B",
            },
        )
        connection.execute("SET TimeZone='UTC'")
        connection.execute("SET lock_configuration=true")
        return connection

    def _run(self, connection: Any, request: dict[str, Any], files: list[BinaryIO]) -> bytes:
        for item, file in zip(request["inputs"], files, strict=True):
            self._register(connection, item, self._pa.ipc.open_stream(file))
        statement = request["statement"]
        kinds = [parsed.type.name for parsed in connection.extract_statements(statement)]
        if kinds not in (["SELECT"], ["MULTI"]):  # MULTI is a PIVOT whose values DuckDB has to look up first
            raise PermissionError("only one SELECT may run")
        relation = connection.sql(statement)
        names_and_types = [[name, str(kind)] for name, kind in zip(relation.columns, relation.types, strict=True)]
        self._send(protocol.COLUMNS, json.dumps(names_and_types).encode())
        row_limit, byte_limit = int(request["row_limit"]), int(request["byte_limit"])
        reader = relation.to_arrow_reader(min(row_limit + 1, ROWS_PER_BATCH))
        with (
            io.BufferedWriter(_Frames(self._control), READ_BUFFER_BYTES) as out,
            self._pa.ipc.new_stream(out, reader.schema) as writer,
        ):
            complete = _write_rows(reader, writer, row_limit, byte_limit)
        reader.close()
        return protocol.frame(protocol.FINISHED, json.dumps({"complete": complete}).encode())

    def _register(self, connection: Any, item: dict[str, Any], reader: Any) -> None:
        """Makes an input known by its name. The names are our own: r0, s0, c0, …"""
        name = item["name"]
        if not item["materialise"]:
            connection.register(name, reader)
            return
        connection.register(f"{name}_stream", reader)
        connection.execute(f'CREATE TABLE "{name}" AS SELECT * FROM "{name}_stream"')  # noqa: S608 - see above
        connection.unregister(f"{name}_stream")
        for view in item["views"]:
            columns = ", ".join(f'"{column}"' for column in view["columns"])
            connection.execute(f'CREATE VIEW "{view["name"]}" AS SELECT {columns} FROM "{name}"')  # noqa: S608 - see above

    def _listen(self) -> None:
        with contextlib.suppress(OSError):
            while (received := self._receive()) is not None:
                kind, payload, descriptors = received
                if kind == protocol.RUN:
                    self._requests.put((json.loads(payload), descriptors))
                elif kind == protocol.INTERRUPT:
                    with self._lock:
                        if self._running is not None:
                            self._running.interrupt()
        os._exit(0)

    def _receive(self) -> tuple[bytes, bytes, list[int]] | None:
        header, descriptors, _flags, _address = socket.recv_fds(
            self._control, protocol.HEADER.size, protocol.MAX_INPUTS, socket.MSG_WAITALL
        )
        if len(header) < protocol.HEADER.size:
            return None
        kind, length = protocol.HEADER.unpack(header)
        payload = bytearray()
        while len(payload) < length:
            piece = self._control.recv(min(length - len(payload), 1 << 20))
            if not piece:
                return None
            payload += piece
        return kind, bytes(payload), list(descriptors)

    def _send(self, kind: bytes, payload: bytes = b"") -> None:
        self._control.sendall(protocol.frame(kind, payload))


class _Frames(io.RawIOBase):
    """A file whose content goes to the parent in DATA frames."""

    def __init__(self, control: socket.socket) -> None:
        self._control = control

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        view = memoryview(data).cast("B")
        self._control.sendall(protocol.HEADER.pack(protocol.DATA, view.nbytes))
        self._control.sendall(view)
        return view.nbytes


def _write_rows(reader: Any, writer: Any, rows_left: int, bytes_left: int) -> bool:
    """Copies batches until there are no more, or no more fit; tells which."""
    for batch in reader:
        if batch.num_rows == 0:
            continue
        fitting = batch.slice(0, rows_left)
        while fitting.num_rows and fitting.nbytes > bytes_left:
            fitting = fitting.slice(0, fitting.num_rows // 2)
        if fitting.num_rows:
            writer.write_batch(fitting)
        if fitting.num_rows < batch.num_rows:
            return False
        rows_left -= fitting.num_rows
        bytes_left -= fitting.nbytes
    return True


def _error(error: Exception) -> bytes:
    message = {"kind": type(error).__name__, "message": str(error)[:2000]}
    return protocol.frame(protocol.ERROR, json.dumps(message).encode())


def main() -> None:
    """Entry point of the child."""
    memory_mib, address_space_mib, parent = (int(argument) for argument in sys.argv[1:4])
    give_up_powers(address_space_mib, parent)
    Child(socket.socket(fileno=0), memory_mib).serve()


if __name__ == "__main__":
    main()
