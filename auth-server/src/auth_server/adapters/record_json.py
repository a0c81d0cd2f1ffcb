"""Records as JSON objects and back: `kind` names the dataclass, the other members are its fields.

Bytes become base64 and sets sorted lists. Reading believes nothing but the types: a value of another one is refused.
What an earlier release did not write has its default.
"""

import base64
import binascii
import types
from collections.abc import Mapping
from dataclasses import MISSING, fields, is_dataclass
from enum import StrEnum
from functools import cache
from typing import Any, cast, get_args, get_origin, get_type_hints

from auth_server.domain.user import User
from auth_server.domain.workspace import Role
from auth_server.ports.records import Record

_KINDS: Mapping[str, type] = {kind.__name__: kind for kind in get_args(Record)}


class MalformedRecord(ValueError):
    """The JSON is not a record."""


def to_json(record: Record) -> dict[str, Any]:
    """The object for a record."""
    return {"kind": type(record).__name__, **_plain(record)}


def from_json(document: Any) -> Record:
    """The record of an object. Raises MalformedRecord."""
    kind = _KINDS.get(str(document.get("kind"))) if isinstance(document, dict) else None
    if kind is None:
        raise MalformedRecord
    members = {name: value for name, value in document.items() if name != "kind"}
    if kind is User and "tenant" in members:
        # An earlier release had one workspace per person. Nobody becomes more than a member unasked.
        members["memberships"] = [{"workspace": members.pop("tenant"), "role": Role.MEMBER.value}]
    return cast("Record", _read(kind, members))


def _plain(value: Any) -> Any:
    if is_dataclass(value):
        return {field.name: _plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if isinstance(value, frozenset):
        return sorted(map(_plain, value))
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    return value


def _read(kind: Any, value: Any) -> Any:
    """The value of that type. Raises MalformedRecord."""
    if is_dataclass(kind):
        return _read_fields(kind, value)
    if isinstance(kind, types.UnionType):
        return None if value is None else _read(get_args(kind)[0], value)
    if get_origin(kind) in (tuple, frozenset):
        if not isinstance(value, list):
            raise MalformedRecord
        return get_origin(kind)(_read(get_args(kind)[0], item) for item in value)
    if kind is bytes:
        return _read_bytes(value)
    if isinstance(kind, type) and issubclass(kind, StrEnum):
        if value not in list(kind):
            raise MalformedRecord
        return kind(value)
    if type(value) is not kind:
        raise MalformedRecord
    return value


def _read_fields(kind: Any, value: Any) -> Any:
    hints = _hints(kind)
    if not isinstance(value, dict) or not _required(kind) <= value.keys() <= hints.keys():
        raise MalformedRecord
    return kind(**{name: _read(hints[name], item) for name, item in value.items()})


@cache
def _hints(kind: type) -> dict[str, Any]:
    return get_type_hints(kind)


@cache
def _required(kind: type) -> frozenset[str]:
    """The fields without a default. What has one may be missing in what an earlier release wrote."""
    return frozenset(field.name for field in fields(kind) if field.default is MISSING)


def _read_bytes(value: Any) -> bytes:
    try:
        return base64.b64decode(value, validate=True)
    except (TypeError, ValueError, binascii.Error) as error:
        raise MalformedRecord from error
