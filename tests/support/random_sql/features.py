"""Random statements of every kind, with what judges them."""

from collections.abc import Callable
from dataclasses import dataclass

from tests.support.random_sql.ends import Ends
from tests.support.random_sql.mixed import Mixed
from tests.support.random_sql.nested import Nested
from tests.support.random_sql.staged import Staged
from tests.support.random_sql.statement import Statement
from tests.support.random_sql.statements import Statements


@dataclass(frozen=True, slots=True)
class Features(Ends, Mixed, Nested, Staged, Statements):
    """Makes statements over tables with keys, indexes, links, maps, lists, mixed columns and times."""

    def any(self) -> Statement:
        """One of any kind."""
        shapes: list[Callable[[], Statement]] = [
            self.any_rows,
            self.first_rows,
            self.ends,
            self.mixed,
            self.parts,
            self.parts,
            self.members,
            self.staged,
            self.staged,
            lambda: Statement(self.next()),
        ]
        return self.dice.choice(shapes)()
