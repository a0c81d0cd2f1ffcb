"""Request bytes into parameters, strictly and within bounds; what repetition and absence mean is the protocol's."""

import json
from collections.abc import Iterable, Sequence
from typing import Any
from urllib.parse import unquote_plus

import anyio

from auth_server.protocol.parameters import REPEATABLE
from shared_kernel.asgi import BodyTooLarge, Receive, Scope, header_values, read_body

BODY_LIMIT = 16 * 1024
"""Longest request body, in bytes."""
BODY_SECONDS = 15.0
"""Longest time a request body may take to arrive."""
FIELD_LIMIT = 40
"""Most parameters in one request."""

Pairs = tuple[tuple[str, str], ...]


class BadRequest(Exception):
    """The request cannot be read; the text, fixed and free of input, says why. `status` is 400, 408 or 413."""

    def __init__(self, reason: str, status: int = 400) -> None:
        super().__init__(reason)
        self.reason, self.status = reason, status


async def bounded_body(receive: Receive) -> bytes:
    """The body, at most BODY_LIMIT bytes within BODY_SECONDS. Raises BadRequest with status 413 or 408."""
    try:
        with anyio.fail_after(BODY_SECONDS):
            return await read_body(receive, BODY_LIMIT)
    except BodyTooLarge:
        raise BadRequest("The body is longer than 16 KiB.", 413) from None
    except TimeoutError:
        raise BadRequest("The body took too long to arrive.", 408) from None


def media_type(scope: Scope) -> str:
    """The request's content type, in lower case, without parameters; a charset other than UTF-8 is refused."""
    values = header_values(scope, "content-type")
    if len(values) != 1:
        raise BadRequest("Send exactly one Content-Type header.")
    kind, _, rest = values[0].partition(";")
    for item in rest.split(";"):
        key, _, value = item.strip().partition("=")
        if key.lower() == "charset" and value.strip('"').lower() not in {"utf-8", "utf8"}:
            raise BadRequest("The charset must be UTF-8.")
    return kind.strip().lower()


def parse_form(encoded: bytes) -> Pairs:
    """The parameters of a query string or form body, in order and with repetitions. Raises BadRequest."""
    try:
        text = encoded.decode("ascii")
        pairs = [
            (unquote_plus(key, errors="strict"), unquote_plus(value, errors="strict"))
            for key, _, value in (item.partition("=") for item in text.split("&") if item)
        ]
    except UnicodeDecodeError:
        raise BadRequest("The parameters must be percent-encoded UTF-8.") from None
    return _bounded(pairs)


def parse_flat_json(body: bytes) -> Pairs:
    """The parameters in one flat JSON object of strings; `resource` may be a list of strings. Raises BadRequest."""
    pairs: list[tuple[str, str]] = []
    for key, value in parse_json_object(body).items():
        values = value if key in REPEATABLE and isinstance(value, list) else [value]
        if not all(isinstance(item, str) for item in values):
            raise BadRequest("The JSON body must be one flat object of strings.")
        pairs += [(key, item) for item in values]
    return _bounded(pairs)


def parse_json_object(body: bytes) -> dict[str, Any]:
    """One JSON object without repeated names, at any depth. Raises BadRequest."""

    def unique(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
        result = dict(pairs)
        if len(result) != len(pairs):
            raise BadRequest("The JSON body repeats a name.")
        return result

    def refuse(_constant: str) -> Any:
        raise BadRequest("The body is not JSON.")

    try:
        value = json.loads(body.decode("utf-8"), object_pairs_hook=unique, parse_constant=refuse)
        json.dumps(value, ensure_ascii=False).encode("utf-8")  # a lone surrogate could be neither stored nor answered
    except (ValueError, RecursionError):
        raise BadRequest("The body is not JSON.") from None
    if not isinstance(value, dict):
        raise BadRequest("The JSON body must be one object.")
    return value


def _bounded(pairs: Iterable[tuple[str, str]]) -> Pairs:
    result = tuple(pairs)
    if len(result) > FIELD_LIMIT:
        raise BadRequest("There are too many parameters.")
    if any("\0" in name or "\0" in value for name, value in result):
        raise BadRequest("A parameter holds a NUL character.")
    return result
