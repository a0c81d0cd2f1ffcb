"""The DuckDB child process: `python -I -m mcp_server.adapters.duckdb.worker MEMORY_MIB ADDRESS_SPACE_MIB PARENT_PID`.

It starts with an empty environment and its control socket as standard input, gives up what it can do to the machine,
and then runs one statement after the other. The gate lets only a SELECT through; this is the wall behind the gate: no
files, no network, no extensions, no settings, bounded memory. It ends when the socket closes. It loads nothing but this
module, the database, the protocol, pyarrow and DuckDB.
"""

import contextlib
import ctypes
import os
import queue
import resource
import signal
import socket
import sys
import threading
from pathlib import Path

from mcp_server.adapters.duckdb import protocol

CLONE_NEWUSER, CLONE_NEWNET = 0x10000000, 0x40000000
PR_SET_PDEATHSIG, PR_SET_NO_NEW_PRIVS = 1, 38
M_ARENA_MAX = -8
READ_BUFFER_BYTES = 1 << 18


def give_up_powers(address_space_mib: int, parent: int) -> None:
    """Leaves the network and the privileges behind, where the platform can; must come before any thread starts."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal's Ctrl-C is the parent's business
    os.chdir("/")
    os.nice(10)  # callers who are served by the service itself go first
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


class Worker:
    """Reads requests on a thread of its own, so that an interrupt arrives while a statement runs."""

    def __init__(self, control: socket.socket, memory_mib: int) -> None:
        # The limits above must hold before these libraries start threads and reserve memory.
        import pyarrow as pa  # noqa: PLC0415

        from mcp_server.adapters.duckdb.database import Database  # noqa: PLC0415

        pa.set_memory_pool(pa.system_memory_pool())  # mimalloc reserves a gibibyte of address space up front
        self._database = Database(memory_mib)
        self._control = control
        self._requests: queue.SimpleQueue[tuple[bytes, list[int]] | None] = queue.SimpleQueue()

    def serve(self) -> None:
        """Runs statements until the control socket closes."""
        threading.Thread(target=self._listen, daemon=True).start()
        while True:
            self._send(memoryview(protocol.frame(protocol.READY)))
            received = self._requests.get()
            if received is None:
                continue
            payload, descriptors = received
            request, streams = protocol.run_request(payload)
            with contextlib.ExitStack() as pipes:
                files = [pipes.enter_context(os.fdopen(pipe, "rb", READ_BUFFER_BYTES)) for pipe in descriptors]
                self._database.run(request, streams, files, self._send)

    def _listen(self) -> None:
        with contextlib.suppress(OSError):
            while (received := self._receive()) is not None:
                kind, payload, descriptors = received
                if kind == protocol.RUN:
                    self._requests.put((payload, descriptors))
                elif kind == protocol.INTERRUPT:
                    self._database.interrupt()
                elif kind == protocol.PROVE:
                    self._requests.put(None)
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

    def _send(self, data: memoryview) -> None:
        try:
            self._control.sendall(data)
        except OSError:
            os._exit(0)  # the service is gone


def main() -> None:
    """Entry point of the child."""
    memory_mib, address_space_mib, parent = (int(argument) for argument in sys.argv[1:4])
    give_up_powers(address_space_mib, parent)
    Worker(socket.socket(fileno=0), memory_mib).serve()


if __name__ == "__main__":
    main()
