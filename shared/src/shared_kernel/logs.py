"""Structured logs: one JSON object per line on standard error, with secrets cut out.

A line costs a few microseconds: one processor, one encoder, a glance at each text, and a writer in a thread. Only
an event that could hold a secret is searched for one.
"""

import atexit
import logging
from collections.abc import Callable, Collection, Iterable, Mapping, MutableMapping, Sequence
from contextvars import ContextVar
from datetime import UTC, datetime
from functools import partial
from typing import Any

import msgspec
import structlog

from shared_kernel.clock import Clock, SystemClock
from shared_kernel.log_writer import LineWriter
from shared_kernel.redaction import REDACTED, SECRET_NAMES, could_hold_secret, redact

REQUEST_ID: ContextVar[str] = ContextVar("request_id", default="")
"""The request that is being served; in every line that is written meanwhile."""
TRACE_ID: ContextVar[str] = ContextVar("trace_id", default="")
"""The trace that the request belongs to, where requests are traced; likewise."""

# These log whole requests, bodies or tokens at DEBUG, and the HTTP clients every request at INFO.
_LEAST_LEVELS = {
    **dict.fromkeys(("authlib", "botocore", "aiobotocore", "boto3", "aiohttp", "mcp", "urllib3"), logging.INFO),
    **dict.fromkeys(("httpx2", "httpcore2"), logging.WARNING),
}
_NUMBERS = frozenset({int, float, bool, type(None)})
_RECORD_ATTRIBUTES = frozenset(logging.makeLogRecord({}).__dict__) | {"message", "asctime"}
_CAUSE_LENGTH = 300
_CAUSES = 5
_STANDARD_ERROR = 2
_LEVELS = {
    "debug": logging.DEBUG,
    "info": logging.INFO,
    "warning": logging.WARNING,
    "error": logging.ERROR,
    "critical": logging.CRITICAL,
}


class LineFormat:
    """Makes events into lines. An event is a mapping of fields; `exc_info` becomes a traceback, `exception`."""

    def __init__(self, service: str, clock: Clock) -> None:
        self._service, self._clock = service, clock
        self._encode = msgspec.json.Encoder().encode

    def line(self, logger: str, level: str, event: MutableMapping[str, Any]) -> bytes:
        """The line of an event, with its line feed."""
        if "exc_info" in event:
            event = structlog.processors.format_exc_info(None, level, event)
        harmless = SECRET_NAMES.isdisjoint(event) and _harmless(event.values())
        if not harmless:
            event = _plain(event)
        line = {
            "timestamp": datetime.fromtimestamp(self._clock.now(), UTC),
            "level": level,
            "logger": logger,
            "service": self._service,
            **event,
        }
        request_id = REQUEST_ID.get()
        if request_id:
            line["request_id"] = request_id
            trace_id = TRACE_ID.get()
            if trace_id:
                line["trace_id"] = trace_id
        try:
            encoded = self._encode(line)
        except UnicodeEncodeError:  # half a surrogate pair, which UTF-8 cannot hold
            encoded = self._encode(_plain(line, _escaped))
        return (encoded if harmless else redact(encoded)) + b"\n"


def configure(
    service: str,
    level: str = "INFO",
    observers: Sequence[Callable[[str, Mapping[str, Any]], None]] = (),
    *,
    kept: Collection[str] = (),
) -> LineWriter:
    """Sends the lines of structlog and of the standard library's logging to standard error, through one writer.

    The observers are told the level and the fields of every event of ours from info on, also of those that `level`
    leaves out. Events of `kept` loggers are written from info on, whatever the level.
    """
    writer = LineWriter(_STANDARD_ERROR)
    atexit.register(writer.close)
    lines = LineFormat(service, SystemClock())
    threshold = logging.getLevelNamesMapping()[level]

    def observed(logger: _Sink, method: str, event: MutableMapping[str, Any]) -> bytes:
        for observe in observers:
            observe(method, event)
        if _LEVELS[method] < (min(threshold, logging.INFO) if logger.name in kept else threshold):
            raise structlog.DropEvent
        return lines.line(logger.name, method, event)

    structlog.configure(
        processors=[observed],
        logger_factory=partial(_Sink, writer.write),
        wrapper_class=_bound_logger(min(threshold, logging.INFO) if observers or kept else threshold),
        cache_logger_on_first_use=True,
    )
    root = logging.getLogger()
    root.handlers[:] = [_Handler(lines, writer)]
    root.setLevel(level)
    for name, least in _LEAST_LEVELS.items():
        logging.getLogger(name).setLevel(max(least, root.level))
    return writer


def _bound_logger(level: int) -> type[Any]:
    """Structlog's logger for that level and above, with a short way for the lines that every request writes."""
    bound: type[Any] = structlog.make_filtering_bound_logger(level)
    if level > logging.INFO:
        return bound

    class Quick(bound):  # type: ignore[misc] # structlog makes it
        def info(self, event: str, *values: Any, **fields: Any) -> Any:
            if values or self._context or len(self._processors) != 1:
                return super().info(event, *values, **fields)
            fields["event"] = event
            try:
                return self._logger.info(self._processors[0](self._logger, "info", fields))
            except structlog.DropEvent:
                return None

    return Quick


class _Sink:
    """What a structlog logger ends in: takes finished lines of every level."""

    def __init__(self, write: Callable[[bytes], None], name: str = "") -> None:
        self.name = name
        self.debug = self.info = self.warning = self.error = self.critical = write


class _Handler(logging.Handler):
    """Takes what the libraries log."""

    def __init__(self, lines: LineFormat, writer: LineWriter) -> None:
        super().__init__()
        self._lines, self._writer = lines, writer

    def emit(self, record: logging.LogRecord) -> None:
        try:
            event = {name: value for name, value in record.__dict__.items() if name not in _RECORD_ATTRIBUTES}
            event["event"] = record.getMessage()
            if record.exc_info:
                event["exc_info"] = record.exc_info
            self._writer.write(self._lines.line(record.name, record.levelname.lower(), event))
        except Exception:
            self.handleError(record)

    def flush(self) -> None:
        self._writer.flush()


def _harmless(values: Iterable[Any]) -> bool:
    """Whether the values of fields can be written as they are. Their texts are looked at together, which is quicker."""
    texts = list[str]()
    return _gather(values, texts) and not could_hold_secret("\n".join(texts))


def _gather(values: Iterable[Any], texts: list[str]) -> bool:
    """Gathers the texts among the values, and in tuples; False if there is anything but those and numbers."""
    for value in values:
        kind = type(value)
        if kind is str:
            texts.append(value)
        elif kind not in _NUMBERS and not (kind is tuple and _gather(value, texts)):
            return False
    return True


def _plain(value: Any, text: Callable[[str], str] = str) -> Any:
    """The value in JSON's types, fields with a secret's name cut out; what JSON cannot hold as its repr().

    An exception becomes its type, message and causes.
    """
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, str):
        return text(value)
    if isinstance(value, dict):
        return {
            text(str(name)): REDACTED if str(name).lower() in SECRET_NAMES else _plain(item, text)
            for name, item in value.items()
        }
    if isinstance(value, list | tuple):
        return [_plain(item, text) for item in value]
    if isinstance(value, datetime):
        return value
    return text(_causes(value) if isinstance(value, BaseException) else repr(value))


def _causes(error: BaseException | None) -> str:
    causes: list[str] = []
    while error is not None and len(causes) < _CAUSES:
        causes.append(f"{type(error).__name__}: {error}"[:_CAUSE_LENGTH].removesuffix(": "))
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    return " <- ".join(causes)


def _escaped(text: str) -> str:
    return text.encode("utf-8", "backslashreplace").decode()
