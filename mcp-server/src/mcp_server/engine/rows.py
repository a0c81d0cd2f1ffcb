"""Result rows as JSON values.

Integers within ±(2^53−1) are numbers, larger ones texts, since many JSON readers would round them (RFC 8259 §6).
DECIMAL is always text; DOUBLE a number, but NaN and the infinities texts; dates, times, timestamps and intervals ISO
8601 texts; BLOB base64; JSON its own text; lists, structs and maps element by element (a map with keys other than text
becomes a list of `{"key", "value"}`).
"""

import base64
import math
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import msgspec
import pyarrow as pa

from mcp_server.domain.failures import Failure
from mcp_server.domain.failures.limits import RowTooLargeForReply
from mcp_server.domain.failures.values import IntegerTooLong, UnshowableType
from mcp_server.engine import temporal
from mcp_server.ports.relational import Result, ResultColumn

_SAFE_INTEGER = 2**53 - 1
_MOST_DIGITS = 4300
_LONGEST_INTEGER = 10**_MOST_DIGITS - 1
"""Converting integers to decimal takes time that grows with the square of their length, so Python stops there too."""
_Convert = Callable[[Any], Any]


class _TooLong(Exception):
    """An integer has more digits than are converted."""


def json_rows(result: Result, start: int, max_rows: int, max_bytes: int) -> list[list[Any]]:
    """The rows from `start` on, as many as fit both bounds; `max_bytes` counts them as JSON.

    Raises Failure: result_too_large when not even one row fits, evaluation_error for a type without a rendering.
    """
    table = result.table.slice(start, max_rows)
    columns = [
        [value for chunk in values.chunks for value in _values(chunk, column)]
        for values, column in zip(table.columns, result.columns, strict=True)
    ]
    rows: list[list[Any]] = []
    size = 2
    for row in zip(*columns, strict=True):
        rows.append(list(row))
        size += len(msgspec.json.encode(row)) + 1
        if size > max_bytes:
            rows.pop()
            break
    if not rows and table.num_rows:
        raise Failure(RowTooLargeForReply(max_bytes))
    return rows


def _values(array: pa.Array, column: ResultColumn) -> list[Any]:
    if "TIME WITH TIME ZONE" in column.type or column.type.startswith("UNION("):
        raise Failure(UnshowableType(column.name, column.type))
    if column.type == "BIT":
        return [None if bits is None else _bits(bits) for bits in array.to_pylist()]
    try:
        return _json(array, column)
    except _TooLong:
        raise Failure(IntegerTooLong(column.name, _MOST_DIGITS)) from None


def _json(array: pa.Array, column: ResultColumn) -> list[Any]:
    """The values of one array; `column` tells what Arrow's type does not: HUGEINT looks like DECIMAL(38,0)."""
    type_ = array.type
    if isinstance(type_, pa.BaseExtensionType):
        if getattr(type_, "type_name", None) == "bignum":
            return _each(array.storage.to_pylist(), lambda raw: _integer(_bignum(raw)))
        return _json(array.storage, column)
    if pa.types.is_dictionary(type_):
        return _json(array.dictionary_decode(), column)
    if pa.types.is_struct(type_):
        names = [field.name for field in type_]
        children = [_json(child, column) for child in array.flatten()]
        present = array.is_valid().to_pylist()
        rows = zip(*children, strict=True) if children else [()] * len(array)
        return [dict(zip(names, row, strict=True)) if is_ else None for is_, row in zip(present, rows, strict=True)]
    if pa.types.is_map(type_):
        return _maps(array, column)
    if pa.types.is_list(type_) or pa.types.is_large_list(type_) or pa.types.is_fixed_size_list(type_):
        return _lists(array, _json(array.flatten(), column))
    return _scalars(array, column)


def _lists(array: pa.Array, members: list[Any]) -> list[Any]:
    """Cuts the flattened members, among which those of NULL lists are not, into lists again."""
    rows: list[Any] = []
    at = 0
    for length in array.value_lengths().to_pylist():
        if length is None:
            rows.append(None)
        else:
            rows.append(members[at : at + length])
            at += length
    return rows


def _maps(array: pa.MapArray, column: ResultColumn) -> list[Any]:
    entries = array.cast(pa.list_(pa.struct([("key", array.type.key_type), ("value", array.type.item_type)])))
    rows = _json(entries, column)
    if not pa.types.is_string(array.type.key_type):
        return rows
    return [None if row is None else {entry["key"]: entry["value"] for entry in row} for row in rows]


def _scalars(array: pa.Array, column: ResultColumn) -> list[Any]:
    type_ = array.type
    if pa.types.is_integer(type_):
        return _each(array.to_pylist(), _integer)
    if pa.types.is_decimal(type_):
        whole = type_.scale == 0 and "HUGEINT" in column.type
        return _each(array.to_pylist(), (lambda value: _integer(int(value))) if whole else _decimal)
    if pa.types.is_floating(type_):
        return _each(array.to_pylist(), _double)
    if pa.types.is_boolean(type_) or pa.types.is_null(type_) or pa.types.is_string(type_):
        return list(array.to_pylist())
    if pa.types.is_large_string(type_) or type_ == pa.string_view():
        return list(array.to_pylist())
    if pa.types.is_binary(type_) or pa.types.is_large_binary(type_) or type_ == pa.binary_view():
        return _each(array.to_pylist(), lambda raw: base64.b64encode(raw).decode())
    if pa.types.is_date32(type_):
        return _each(array.cast(pa.int32()).to_pylist(), temporal.date_text)
    if pa.types.is_timestamp(type_):
        zone = "+00:00" if type_.tz is not None else ""
        return _each(array.cast(pa.int64()).to_pylist(), lambda count: temporal.timestamp_text(count, type_.unit, zone))
    if pa.types.is_time64(type_):
        return _each(array.cast(pa.int64()).to_pylist(), lambda count: temporal.time_text(count, type_.unit))
    if type_ == pa.month_day_nano_interval():
        return _each(array.to_pylist(), lambda parts: temporal.interval_text(*parts))
    raise Failure(UnshowableType(column.name, column.type))


def _each(values: list[Any], convert: _Convert) -> list[Any]:
    return [None if value is None else convert(value) for value in values]


def _integer(value: int) -> int | str:
    if -_SAFE_INTEGER <= value <= _SAFE_INTEGER:
        return value
    if not -_LONGEST_INTEGER <= value <= _LONGEST_INTEGER:
        raise _TooLong
    return str(value)


def _decimal(value: Decimal) -> str:
    return format(value, "f")


def _double(value: float) -> float | str:
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "Infinity" if value > 0 else "-Infinity"
    return value


def _bits(raw: bytes) -> str:
    """DuckDB's BIT: the first byte counts the padding bits at the front."""
    return "".join(f"{byte:08b}" for byte in raw[1:])[raw[0] :]


def _bignum(raw: bytes) -> int:
    """DuckDB's BIGNUM: three header bytes with the sign in the first bit, then big-endian; negative ones inverted."""
    magnitude = raw[3:]
    if raw[0] & 0x80:
        return int.from_bytes(magnitude, "big")
    return -int.from_bytes(bytes(byte ^ 0xFF for byte in magnitude), "big")
