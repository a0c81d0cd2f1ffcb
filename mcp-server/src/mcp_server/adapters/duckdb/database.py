"""The child's DuckDB database: locked when it is made, it serves one statement after the other.

Every statement gets a connection of its own. What a statement can make (views, temporary tables and types, prepared
statements, variables, session settings) belongs to that connection and ends with it; what would outlive it (tables of
the database, attached databases, secrets, global settings) needs a statement other than SELECT, or an unlocked
configuration. A database in which a statement failed or was interrupted is replaced: its state is not worth a proof.
"""

import contextlib
import io
import json
import threading
from collections.abc import Callable, Sequence
from typing import Any, BinaryIO

import duckdb
import pyarrow as pa

from mcp_server.adapters.duckdb import protocol

ROWS_PER_BATCH = 2048
OUTPUT_BUFFER_BYTES = 1 << 18
_SELECT, _PIVOT = ["SELECT"], ["MULTI"]  # of a PIVOT whose values DuckDB has to look up first

_EXPLAIN = "EXPLAIN "

Send = Callable[[memoryview], None]
"""Sends all of it to the service."""


class Database:
    """One in-memory database; runs one statement at a time, which another thread may interrupt."""

    def __init__(self, memory_mib: int) -> None:
        self._memory_mib = memory_mib
        self._lock = threading.Lock()
        self._running: duckdb.DuckDBPyConnection | None = None
        self._root = self._connect()

    def run(
        self, request: dict[str, Any], streams: Sequence[memoryview], files: Sequence[BinaryIO], send: Send
    ) -> None:
        """Sends the answer to a request: a small one at once, a large one piece by piece."""
        connection = self._root.cursor()
        with self._lock:
            self._running = connection
        frames = io.BufferedWriter(_Frames(send), OUTPUT_BUFFER_BYTES)
        failed = False
        try:
            self._evaluate(connection, request, streams, files, frames)
        except Exception as error:  # whatever DuckDB or Arrow raise is an answer
            failed = True
            frames.write(_error(error, connection, request["statement"]))
        frames.flush()
        with self._lock:
            self._running = None
        with contextlib.suppress(Exception):
            connection.close()
        if failed:
            with contextlib.suppress(Exception):
                self._root.close()
            self._root = self._connect()

    def interrupt(self) -> None:
        """Ends the running statement, if there is one. For another thread."""
        with self._lock:
            if self._running is not None:
                self._running.interrupt()

    def _connect(self) -> duckdb.DuckDBPyConnection:
        connection = duckdb.connect(
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
        connection.execute("SET GLOBAL TimeZone='UTC'")
        connection.execute("SET GLOBAL errors_as_json=true")
        # DuckDB 2.0.0: where all texts of a map's part begin alike, it takes `part LIKE 'O%'` in a table of its own for
        # `map IS NOT NULL`, and finds rows whose part is NULL. What streams in has no statistics to reason with.
        connection.execute("SET GLOBAL disabled_optimizers='statistics_propagation'")
        connection.execute("SET lock_configuration=true")
        return connection

    def _evaluate(
        self,
        connection: duckdb.DuckDBPyConnection,
        request: dict[str, Any],
        streams: Sequence[memoryview],
        files: Sequence[BinaryIO],
        frames: BinaryIO,
    ) -> None:
        inline, piped = iter(streams), iter(files)
        for item in request["inputs"]:
            if item["inline"] is None:
                _register_stream(connection, item, pa.ipc.open_stream(next(piped)))
            else:
                connection.register(item["name"], pa.ipc.open_stream(pa.py_buffer(next(inline))).read_all())
                _create_views(connection, item)
        statement = request["statement"]
        parsed = connection.extract_statements(statement)
        kinds = [one.type.name for one in parsed]
        if kinds not in (_SELECT, _PIVOT):
            message = "only one SELECT may run"
            raise PermissionError(message)
        relation = connection.sql(parsed[0] if kinds == _SELECT else statement)  # what is parsed is not parsed again
        names_and_types = [[name, str(kind)] for name, kind in zip(relation.columns, relation.types, strict=True)]
        frames.write(protocol.frame(protocol.COLUMNS, json.dumps(names_and_types).encode()))
        row_limit, byte_limit = int(request["row_limit"]), int(request["byte_limit"])
        reader = relation.to_arrow_reader(min(row_limit + 1, ROWS_PER_BATCH))
        with pa.ipc.new_stream(_DataFrames(frames), reader.schema) as writer:
            complete = _write_rows(reader, writer, row_limit, byte_limit)
        reader.close()
        frames.write(protocol.frame(protocol.FINISHED, json.dumps({"complete": complete}).encode()))


class _Frames(io.RawIOBase):
    """The way to the service as a file."""

    def __init__(self, send: Send) -> None:
        self._send = send

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        view = memoryview(data).cast("B")
        self._send(view)
        return view.nbytes


class _DataFrames(io.RawIOBase):
    """A file whose content goes out in DATA frames."""

    def __init__(self, frames: BinaryIO) -> None:
        self._frames = frames

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        view = memoryview(data).cast("B")
        self._frames.write(protocol.HEADER.pack(protocol.DATA, view.nbytes))
        self._frames.write(view)
        return view.nbytes


def _register_stream(connection: duckdb.DuckDBPyConnection, item: dict[str, Any], reader: Any) -> None:
    """Registers a piped input under its name. The names are our own (r0, s0, c0), so they need no quoting."""
    name = item["name"]
    if not item["materialise"]:
        connection.register(name, reader)
        return
    connection.register(f"{name}_stream", reader)
    connection.execute(f'CREATE TEMP TABLE "{name}" AS SELECT * FROM "{name}_stream"')  # noqa: S608 - see above
    connection.unregister(f"{name}_stream")
    _create_views(connection, item)


def _create_views(connection: duckdb.DuckDBPyConnection, item: dict[str, Any]) -> None:
    for view in item["views"]:
        columns = ", ".join(f'"{column}"' for column in view["columns"])
        statement = f'CREATE TEMP VIEW "{view["name"]}" AS SELECT {columns} FROM "{item["name"]}"'  # noqa: S608 - our own names
        connection.execute(statement)


def _write_rows(reader: Any, writer: Any, rows_left: int, bytes_left: int) -> bool:
    """Copies batches until there are no more, or no more fit; returns whether all did."""
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


def _error(error: Exception, connection: duckdb.DuckDBPyConnection, statement: str) -> bytes:
    """The frame of an error, with its place in the statement where DuckDB tells one."""
    kind, text, place = _told(error, statement)
    if place is None and isinstance(error, (duckdb.BinderException, duckdb.CatalogException)):
        # `sql` binds a statement and loses where it fails; EXPLAIN binds it again, and reads nothing.
        try:
            connection.execute(_EXPLAIN + statement)
        except duckdb.Error as again:
            place = _told(again, _EXPLAIN + statement)[2]
            place = place and [place[0] - len(_EXPLAIN), place[1]]
    message = {"kind": kind, "message": text[:2000], "place": place}
    return protocol.frame(protocol.ERROR, json.dumps(message).encode())


def _told(error: Exception, statement: str) -> tuple[str, str, list[int] | None]:
    """The kind and message of an error in JSON, and DuckDB's `[offset, length]`, in bytes of UTF-8, in characters.

    What arises after the first rows comes through Arrow, as an exception of its own that says which of DuckDB's it was.
    """
    kind, message = type(error).__name__, str(error)
    _, brace, rest = message.partition("{")
    try:
        details = json.loads(brace + rest)
        message = str(details["exception_message"])
        if not isinstance(error, duckdb.Error):
            words = str(details["exception_type"]).split()
            kind = "".join(word[:1].upper() + word[1:] for word in words) + "Exception"
        offset, length = json.loads(details["location"])
    except (KeyError, ValueError, TypeError):
        return kind, message, None
    before, part = statement.encode()[:offset], statement.encode()[offset : offset + length]
    return kind, message, [len(before.decode(errors="ignore")), len(part.decode(errors="ignore"))]
