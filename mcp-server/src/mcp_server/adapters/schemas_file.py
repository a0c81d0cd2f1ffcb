"""Reads the schemas file: TOML that says which DynamoDB tables there are, under which names, and whose they are."""

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from mcp_server.domain.schema import ColumnType, Override, Schema, TypeKind
from shared_kernel import resource

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,62}")
_TABLE = re.compile(r"[A-Za-z0-9_.-]{3,255}")  # API reference, TableName
_DECIMAL = re.compile(r"DECIMAL\(38,\s*(\d{1,2})\)")
_SIMPLE_TYPES = {
    kind.value: ColumnType(kind)
    for kind in (
        TypeKind.DATE,
        TypeKind.VARCHAR,
        TypeKind.BIGINT,
        TypeKind.DOUBLE,
        TypeKind.BOOLEAN,
        TypeKind.JSON,
    )
}
_SCHEMA_KEYS = frozenset({"name", "tenant", "region", "endpoint_url", "tables", "status", "default", "columns"})
_OVERRIDE_KEYS = frozenset({"type", "not_null"})
_STATUSES = {"active": True, "disabled": False}


class BadSchemasFile(Exception):
    """The file cannot be used. The text is one line: the file, the place in it, and the remedy."""


@dataclass(frozen=True, slots=True)
class SchemasFile:
    """The file's content: schemas in its order; `defaults` maps a tenant to the schema it marks as default."""

    schemas: tuple[Schema, ...]
    defaults: Mapping[str, str]


def read(path: Path) -> SchemasFile:
    """The schemas in a file. Raises BadSchemasFile."""
    try:
        document = tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        message = f"{path}: {error.strerror or type(error).__name__}"
        raise BadSchemasFile(message) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        message = f"{path}: not TOML: {error}"
        raise BadSchemasFile(message) from error
    try:
        return _file(document)
    except _Problem as problem:
        message = f"{path}: {problem}"
        raise BadSchemasFile(message) from None


class _Problem(Exception):
    pass


def _fail(where: str, problem: str) -> NoReturn:
    message = f"{where} {problem}"
    raise _Problem(message)


def _file(document: dict[str, Any]) -> SchemasFile:
    _only(document, frozenset({"schema"}), "the file")
    entries = document.get("schema", [])
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries) or not entries:
        _fail("the file", "must hold at least one [[schema]]")
    schemas: list[Schema] = []
    defaults: dict[str, str] = {}
    for number, entry in enumerate(entries, start=1):
        schema = _schema(entry, f"schema {number}")
        # Names are found in any case, so they must differ in more than that.
        if any(schema.name.casefold() == other.name.casefold() for other in schemas):
            _fail(f'schema "{schema.name}"', "is there twice")
        schemas.append(schema)
        if _boolean(entry, "default", f'schema "{schema.name}"'):
            if schema.tenant in defaults:
                _fail(f'tenant "{schema.tenant}"', "has two default schemas")
            defaults[schema.tenant] = schema.name
    return SchemasFile(schemas=tuple(schemas), defaults=defaults)


def _schema(entry: dict[str, Any], where: str) -> Schema:
    name = _text(entry, "name", where)
    if not _NAME.fullmatch(name):
        _fail(where, "needs a name of letters, digits and underscores that does not start with a digit")
    where = f'schema "{name}"'
    _only(entry, _SCHEMA_KEYS, where)
    status = entry.get("status", "active")
    if status not in _STATUSES:
        _fail(where, 'has an unknown status; it is "active" or "disabled"')
    endpoint = _text(entry, "endpoint_url", where) if "endpoint_url" in entry else None
    if endpoint is not None:
        try:
            resource.canonical(endpoint)
        except resource.MalformedResource:
            _fail(where, "has an endpoint_url that is not an absolute http(s) URL")
    return Schema(
        name=name,
        tenant=_text(entry, "tenant", where),
        region=_text(entry, "region", where),
        endpoint_url=endpoint,
        tables=_tables(entry, where),
        active=_STATUSES[status],
        overrides=_overrides(entry.get("columns", {}), where),
    )


def _tables(entry: dict[str, Any], where: str) -> frozenset[str] | None:
    if "tables" not in entry:
        return None
    tables = entry["tables"]
    if not isinstance(tables, list) or not all(isinstance(name, str) and _TABLE.fullmatch(name) for name in tables):
        _fail(where, "has tables that are not a list of DynamoDB table names")
    return frozenset(tables)


def _overrides(columns: Any, where: str) -> dict[str, dict[str, Override]]:
    if not isinstance(columns, dict):
        _fail(where, "has columns that are not [schema.columns.TABLE.COLUMN]")
    result: dict[str, dict[str, Override]] = {}
    for table, entries in columns.items():
        if not isinstance(entries, dict):
            _fail(f"{where}, table {table}", "must have columns: [schema.columns.TABLE.COLUMN]")
        result[table] = {
            column: _override(entry, f"{where}, column {table}.{column}") for column, entry in entries.items()
        }
    return result


def _override(entry: Any, where: str) -> Override:
    if not isinstance(entry, dict) or not entry:
        _fail(where, "must set type or not_null")
    _only(entry, _OVERRIDE_KEYS, where)
    declared = _type(_text(entry, "type", where), where) if "type" in entry else None
    return Override(type=declared, not_null=_boolean(entry, "not_null", where))


def _type(text: str, where: str) -> ColumnType:
    spelled = text.strip().upper()
    decimal = _DECIMAL.fullmatch(spelled)
    if decimal and int(decimal[1]) <= 38:
        return ColumnType(TypeKind.DECIMAL, scale=int(decimal[1]))
    declared = _SIMPLE_TYPES.get(spelled)
    if declared is None:
        _fail(where, f"has an unknown type; it is one of {', '.join(_SIMPLE_TYPES)}, DECIMAL(38,s)")
    return declared


def _only(entry: dict[str, Any], known: frozenset[str], where: str) -> None:
    unknown = sorted(set(entry) - known)
    if unknown:
        _fail(where, f"has unknown keys: {', '.join(unknown)}; known are {', '.join(sorted(known))}")


def _text(entry: dict[str, Any], key: str, where: str) -> str:
    value = entry.get(key)
    if not isinstance(value, str) or not value.strip():
        _fail(where, f"needs a {key}, a text")
    return value


def _boolean(entry: dict[str, Any], key: str, where: str) -> bool:
    value = entry.get(key, False)
    if not isinstance(value, bool):
        _fail(where, f"has a {key} that is neither true nor false")
    return value
