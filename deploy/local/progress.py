"""Shows the loading of the demo data: one line that moves on a terminal, one line a table elsewhere."""

import sys
import threading
from types import TracebackType
from typing import Self

_WIDTH = 30


class Progress:
    """A progress display; safe to call from several threads."""

    def __init__(self) -> None:
        self._moves = sys.stdout.isatty()
        self._turn = threading.Lock()
        self._shown: tuple[str, int] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        if self._moves and self._shown is not None:
            print(flush=True)

    def show(self, table: str, written: int, total: int) -> None:
        """Notes that so many of a table's items are written."""
        with self._turn:
            percent = 100 * written // total
            if (table, percent) == self._shown or not (self._moves or written == total):
                return
            if self._moves and self._shown is not None and self._shown[0] != table:
                print(flush=True)
            self._shown = (table, percent)
            if self._moves:
                bar = "#" * (_WIDTH * percent // 100)
                print(f"\r  {table:<10} [{bar:<{_WIDTH}}] {written:>6} of {total}", end="", flush=True)
            else:
                print(f"  {table:<10} {written:>6} items", flush=True)
