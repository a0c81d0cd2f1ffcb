"""Reads JSON and refuses every document that two readers could understand differently.

Refused are a repeated name at any depth, anything but UTF-8, NaN and infinities (`1e999` too), half a surrogate pair,
and nesting or numbers beyond Python's own limits. Callers bound the length.
"""

import json
import math
from collections.abc import Sequence
from enum import StrEnum
from typing import Any, NoReturn

import msgspec


class Defect(StrEnum):
    """Why a document is refused."""

    NOT_JSON = "not_json"
    REPEATED_NAME = "repeated_name"
    NOT_AN_OBJECT = "not_an_object"


class Unreadable(ValueError):
    """The document is not strict JSON; carries the Defect."""

    def __init__(self, defect: Defect) -> None:
        super().__init__(defect.value)
        self.defect = defect


def parse(document: bytes) -> Any:
    """The value of a document. Raises Unreadable."""
    try:
        value = _read(document)
        # Programs write compactly, and so does msgspec: what it would write just so repeats no name and holds nothing
        # else that is refused. Both ways take a tenth of the time that a look at each name takes.
        if _write(value) == document:
            return value
    except (msgspec.MsgspecError, ValueError, RecursionError):
        pass  # the reading below says why
    try:
        value = _decode(document.decode("utf-8"))
        if b"\\u" in document:  # only an escape can smuggle in half a surrogate pair, which no UTF-8 answer can repeat
            json.dumps(value, ensure_ascii=False).encode("utf-8")
    except Unreadable:
        raise
    except (ValueError, RecursionError) as error:
        raise Unreadable(Defect.NOT_JSON) from error
    return value


def parse_object(document: bytes) -> dict[str, Any]:
    """The one JSON object that a document is. Raises Unreadable."""
    value = parse(document)
    if not isinstance(value, dict):
        raise Unreadable(Defect.NOT_AN_OBJECT)
    return value


def _unique(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) != len(pairs):
        raise Unreadable(Defect.REPEATED_NAME)
    return result


def _finite(text: str) -> float:
    value = float(text)
    if math.isinf(value):
        raise Unreadable(Defect.NOT_JSON)
    return value


def _refuse(_constant: str) -> NoReturn:
    raise Unreadable(Defect.NOT_JSON)


_read, _write = msgspec.json.Decoder().decode, msgspec.json.Encoder().encode
_decode = json.JSONDecoder(object_pairs_hook=_unique, parse_constant=_refuse, parse_float=_finite).decode
