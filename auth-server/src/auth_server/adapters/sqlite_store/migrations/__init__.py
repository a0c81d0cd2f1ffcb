"""The schema as ordered files: `0001_….sql` makes the first release's, each later one leads on from its predecessor.

A file is never edited once released. `PRAGMA user_version` names the last one that a store has seen.
"""

import sqlite3
from pathlib import Path

APPLICATION_ID = 0x41555448
_DIRECTORY = Path(__file__).parent


class ForeignFile(Exception):
    """The file is another program's database."""


class NewerSchema(Exception):
    """A newer server has migrated the file; the text says how far."""


def known_version() -> int:
    """The version that this server's migrations lead to."""
    return len(_files())


def version(db: sqlite3.Connection) -> int:
    """The version of a file's schema, 0 in a file without tables. Raises ForeignFile, sqlite3.DatabaseError."""
    if db.execute("PRAGMA application_id").fetchone() == (APPLICATION_ID,):
        return int(db.execute("PRAGMA user_version").fetchone()[0])
    tables = {name for (name,) in db.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")}
    if not tables:
        return 0
    # The first release kept its version in a table.
    if "schema_version" not in tables:
        raise ForeignFile
    return int(db.execute("SELECT max(version) FROM schema_version").fetchone()[0])


def migrate(db: sqlite3.Connection) -> None:
    """Leads the schema to known_version(); the caller has begun a transaction. Raises ForeignFile, NewerSchema."""
    present = version(db)
    if present > known_version():
        message = f"schema version {present}, this server knows {known_version()}: upgrade the server"
        raise NewerSchema(message)
    for file in _files()[present:]:
        # A statement ends with a semicolon at the end of a line, which comments and triggers have nowhere else.
        for statement in file.read_text("utf-8").split(";\n"):
            db.execute(statement)
    db.execute(f"PRAGMA user_version = {known_version()}")


def _files() -> list[Path]:
    return sorted(_DIRECTORY.glob("*.sql"))
