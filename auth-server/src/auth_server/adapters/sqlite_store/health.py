"""Whether the store may still be written: it stops at damage for good, and while its file is not in its place."""

import sqlite3

import structlog

from auth_server.adapters.sqlite_store.file import StoreFile

_DAMAGE = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}


class Health:
    """What both threads have seen of the file. Every change is logged once, every fault with its cause."""

    def __init__(self, file: StoreFile) -> None:
        self._file = file
        self._log = structlog.get_logger("store")
        self._damaged = self._displaced = False

    def may_write(self) -> bool:
        """Whether a write would be found again by the next start."""
        displaced = not self._file.is_in_place()
        if displaced != self._displaced:
            self._log.error("store_file_displaced" if displaced else "store_file_back", path=str(self._file.path))
            self._displaced = displaced
        return not (displaced or self._damaged)

    def note_fault(self, error: sqlite3.Error) -> None:
        """Logs a fault of disk or file; one that shows damage ends writing until a restart has looked at the file."""
        code, name = getattr(error, "sqlite_errorcode", 0), getattr(error, "sqlite_errorname", "")
        self._damaged = self._damaged or (code & 0xFF) in _DAMAGE
        self._log.error("store_fault", cause=str(error), code=name, damaged=self._damaged)

    def note_lock(self, *, held: bool, waited: float) -> None:
        """Logs that another process has held the lock for longer than anybody waits, or that it can be had again."""
        if held:
            self._log.error("store_locked", waited_seconds=waited)
        else:
            self._log.warning("store_unlocked")
