"""Structured logs: one JSON object a line on standard error, secrets cut out.

Redaction is the last line of defence, not the rule: callers log names and reasons, never credentials.
"""

import logging
import re
import sys
from collections.abc import MutableMapping
from typing import Any

import structlog

REDACTED = "[redacted]"
_SECRET_NAMES = re.compile(
    r"(?i)^(authorization|cookie|set-cookie|password|client_secret|secret|code|code_verifier|state|token"
    r"|access_token|refresh_token|id_token|client_assertion|csrf(_token)?|session(_id)?)$"
)
# Codes, refresh tokens, client secrets, session cookies and JWTs, wherever they stand in a text.
_SECRET_TEXTS = re.compile(
    r"(?<![A-Za-z0-9])(?:ac|rt|cs|ses|brw|txn)_[A-Za-z0-9_.\-]{16,}"
    r"|(?<![A-Za-z0-9])eyJ[A-Za-z0-9_\-]{8,}\.[A-Za-z0-9_\-]+\.[A-Za-z0-9_\-]*"
)
# Any credential whose form we do not know, by what stands before it in a header, a form, a URL or JSON.
_NAMED_SECRETS = re.compile(
    r"(?i)\b((?:bearer|basic) +)[a-z0-9._~+/=\-]{16,}"
    r"|\b((?:code|code_verifier|password|client_secret|access_token|refresh_token)(?:=|[\"'] ?: ?[\"']))[^\s&\"',;]+"
)

# These log whole requests, bodies or tokens at DEBUG.
_NEVER_BELOW_INFO = ("authlib", "botocore", "aiobotocore", "boto3", "aiohttp", "httpcore2", "urllib3")
# These log every request at INFO, which our own lines report already.
_NEVER_BELOW_WARNING = ("httpx2", "mcp")


def redact(value: Any) -> Any:
    """The value with every known form of secret replaced, containers included; what JSON cannot hold as its repr()."""
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, str):
        return _NAMED_SECRETS.sub(rf"\1\2{REDACTED}", _SECRET_TEXTS.sub(REDACTED, value))
    if isinstance(value, dict):
        return {
            redact(str(name)): REDACTED if _SECRET_NAMES.match(str(name)) else redact(item)
            for name, item in value.items()
        }
    if isinstance(value, list | tuple):
        return [redact(item) for item in value]
    return redact(repr(value))


def _redact_event(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    for name in list(event):
        if not name.startswith("_"):  # those are structlog's own and never written
            event[name] = REDACTED if _SECRET_NAMES.match(name) else redact(event[name])
    return event


def configure(service: str, level: str = "INFO") -> None:
    """Routes structlog and the standard library's logging through one redacting JSON formatter."""
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.StackInfoRenderer(),
        structlog.processors.format_exc_info,
        lambda _logger, _method, event: {"service": service, **event},
        _redact_event,
    ]
    structlog.configure(
        processors=[structlog.stdlib.filter_by_level, *shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[structlog.stdlib.ExtraAdder(), *shared],
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.JSONRenderer(),
            ],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    for name in _NEVER_BELOW_INFO:
        logging.getLogger(name).setLevel(max(logging.INFO, root.level))
    for name in _NEVER_BELOW_WARNING:
        logging.getLogger(name).setLevel(max(logging.WARNING, root.level))
