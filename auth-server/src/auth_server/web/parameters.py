"""Request bytes into parameters, strictly and within bounds; what repetition and absence mean is the protocol's."""

import asyncio
from typing import Any
from urllib.parse import unquote_plus

from auth_server.domain.failures import Reason, Refused
from auth_server.protocol.parameters import REPEATABLE, Pairs
from shared_kernel import strict_json
from shared_kernel.asgi import BodyTooLarge, Receive, Scope, body_at_once, header_values, read_body

BODY_LIMIT = 16 * 1024
"""Longest request body, in bytes."""
BODY_SECONDS = 15.0
"""Longest time a request body may take to arrive."""
FIELD_LIMIT = 40
"""Most parameters in one request."""
_REASONS = {
    strict_json.Defect.NOT_JSON: Reason.NOT_JSON,
    strict_json.Defect.REPEATED_NAME: Reason.REPEATED_NAME,
    strict_json.Defect.NOT_AN_OBJECT: Reason.NOT_AN_OBJECT,
}


async def bounded_body(scope: Scope, receive: Receive) -> bytes:
    """The body, at most BODY_LIMIT bytes within BODY_SECONDS. Raises Refused (BODY_TOO_LONG, BODY_TOO_SLOW)."""
    body = body_at_once(scope)
    if body is not None:
        if len(body) > BODY_LIMIT:
            raise Refused(Reason.BODY_TOO_LONG)
        return body
    try:
        async with asyncio.timeout(BODY_SECONDS):
            return await read_body(receive, BODY_LIMIT)
    except BodyTooLarge:
        raise Refused(Reason.BODY_TOO_LONG) from None
    except TimeoutError:
        raise Refused(Reason.BODY_TOO_SLOW) from None


def media_type(scope: Scope) -> str:
    """The request's content type, in lower case, without parameters; a charset other than UTF-8 is refused.

    Raises Refused (CONTENT_TYPE_REQUIRED, FOREIGN_CHARSET).
    """
    values = header_values(scope, "content-type")
    if len(values) != 1:
        raise Refused(Reason.CONTENT_TYPE_REQUIRED)
    kind, _, rest = values[0].partition(";")
    for item in rest.split(";"):
        key, _, value = item.strip().partition("=")
        if key.lower() == "charset" and value.strip('"').lower() not in {"utf-8", "utf8"}:
            raise Refused(Reason.FOREIGN_CHARSET)
    return kind.strip().lower()


def parse_form(encoded: bytes) -> Pairs:
    """The parameters of a query string or form body, in order and with repetitions. Raises Refused."""
    try:
        text = encoded.decode("ascii")
        pairs = [
            (_decoded(key), _decoded(value))
            for key, _, value in (item.partition("=") for item in text.split("&") if item)
        ]
    except UnicodeDecodeError:
        raise Refused(Reason.NOT_PERCENT_ENCODED) from None
    return _bounded(pairs)


def _decoded(text: str) -> str:
    return unquote_plus(text, errors="strict") if "%" in text or "+" in text else text


def parse_flat_json(body: bytes) -> Pairs:
    """The parameters in one flat JSON object of strings; `resource` may be a list of strings. Raises Refused."""
    pairs: list[tuple[str, str]] = []
    for key, value in parse_json_object(body).items():
        values = value if key in REPEATABLE and isinstance(value, list) else [value]
        if not all(isinstance(item, str) for item in values):
            raise Refused(Reason.NOT_FLAT)
        pairs += [(key, item) for item in values]
    return _bounded(pairs)


def parse_json_object(body: bytes) -> dict[str, Any]:
    """One JSON object, read strictly. Raises Refused."""
    try:
        return strict_json.parse_object(body)
    except strict_json.Unreadable as error:
        raise Refused(_REASONS[error.defect]) from None


def _bounded(pairs: Pairs) -> Pairs:
    if len(pairs) > FIELD_LIMIT:
        raise Refused(Reason.TOO_MANY_PARAMETERS)
    if any("\0" in name or "\0" in value for name, value in pairs):
        raise Refused(Reason.NUL_CHARACTER)
    return pairs
