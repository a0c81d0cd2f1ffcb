"""A store's records in a file: JSON lines between a head and a seal that only the master key can make.

    {"format": "auth-server store", "version": 1}
    {"kind": "HadKeys"}
    …
    {"records": 4711, "seal": "<HMAC-SHA256 of all lines before, hexadecimal>"}

Like the store itself, the file holds digests and sealed keys, nothing that is of use without the master key. The seal
shows that the file is whole and unchanged, and belongs to the key that opens its signing keys.
"""

import hashlib
import hmac
import json
import os
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO

from auth_server.adapters import record_json
from auth_server.ports.records import Record, UnusableBackup

_HEAD = {"format": "auth-server store", "version": 1}
_PURPOSE = b"auth-server store backup"


class BackupWriter:
    """Writes a backup. Made by new_backup()."""

    def __init__(self, file: BinaryIO, master_key: bytes) -> None:
        self._file, self._seal, self._count = file, _sealing(master_key), 0
        self._write(_HEAD)

    async def restore(self, records: Sequence[Record]) -> None:
        """Adds records."""
        for record in records:
            self._write(record_json.to_json(record))
        self._count += len(records)

    def finish(self) -> None:
        """Seals the file and has it on disk."""
        self._write({"records": self._count, "seal": self._seal.hexdigest()})
        self._file.flush()
        os.fsync(self._file.fileno())

    def _write(self, document: dict[str, Any]) -> None:
        line = json.dumps(document).encode("ascii") + b"\n"
        self._seal.update(line)
        self._file.write(line)


@contextmanager
def new_backup(path: Path, master_key: bytes) -> Iterator[BackupWriter]:
    """A backup that appears at the path when the block ends well, and only then. Raises UnusableBackup."""
    partial = path.with_name(f"{path.name}.part")
    try:
        if path.exists():
            message = f"{path} exists; choose another name"
            raise UnusableBackup(message)
        descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
        try:
            with os.fdopen(descriptor, "wb") as file:
                os.fchmod(descriptor, 0o600)
                writer = BackupWriter(file, master_key)
                yield writer
                writer.finish()
            # Fails where a file has appeared meanwhile, which a renaming would replace.
            path.hardlink_to(partial)
        finally:
            with suppress(OSError):
                partial.unlink()
    except OSError as error:
        message = f"cannot write {path}: {error.strerror}"
        raise UnusableBackup(message) from error


class BackupReader:
    """Reads a backup. Made by open_backup(), which has checked the seal."""

    def __init__(self, path: Path) -> None:
        self._path = path

    async def records(self) -> AsyncIterator[Record]:
        """The records, in the order in which they were written. Raises UnusableBackup."""
        try:
            with self._path.open("rb") as file:
                for line in file:
                    document = json.loads(line)
                    if "kind" in document:
                        yield record_json.from_json(document)
        except (OSError, ValueError) as error:
            message = f"cannot read {self._path}: {error.__class__.__name__}"
            raise UnusableBackup(message) from error


def open_backup(path: Path, master_key: bytes) -> BackupReader:
    """The backup in a file that is whole, unchanged, and made with that master key. Raises UnusableBackup."""
    try:
        with path.open("rb") as file:
            _check(path, iter(file), master_key)
    except OSError as error:
        message = f"cannot read {path}: {error.strerror}"
        raise UnusableBackup(message) from error
    return BackupReader(path)


def _check(path: Path, lines: Iterator[bytes], master_key: bytes) -> None:
    head, seal = next(lines, b""), _sealing(master_key)
    document = _object(head)
    if document.get("format") != _HEAD["format"]:
        message = f"{path} is not a backup of a store"
        raise UnusableBackup(message)
    if document.get("version") != _HEAD["version"]:
        message = f"{path} is a backup of version {document.get('version')}, this server knows {_HEAD['version']}"
        raise UnusableBackup(message)
    last = head
    for line in lines:
        seal.update(last)
        last = line
    given = _object(last).get("seal")
    if not isinstance(given, str):
        message = f"{path} is not whole: its end is missing"
        raise UnusableBackup(message)
    if not hmac.compare_digest(given.encode(), seal.hexdigest().encode()):
        message = f"{path} was made with another master key, or has been changed since"
        raise UnusableBackup(message)


def _object(line: bytes) -> dict[str, Any]:
    try:
        document = json.loads(line)
    except ValueError:
        return {}
    return document if isinstance(document, dict) else {}


def _sealing(master_key: bytes) -> hmac.HMAC:
    return hmac.new(hmac.digest(master_key, _PURPOSE, hashlib.sha256), digestmod=hashlib.sha256)
