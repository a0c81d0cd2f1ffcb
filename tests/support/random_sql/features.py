"""Random statements of every kind, with what judges them."""

from collections.abc import Callable
from dataclasses import dataclass

from tests.support.random_sql.analytic import Analytic
from tests.support.random_sql.ends import Ends
from tests.support.random_sql.several import Several
from tests.support.random_sql.staged import Staged
from tests.support.random_sql.statement import Statement
from tests.support.random_sql.statements import Statements, in_three
from tests.support.random_sql.untyped import Untyped


@dataclass(frozen=True, slots=True)
class Features(Analytic, Ends, Several, Staged, Statements, Untyped):
    """Makes statements over tables with keys of one and of several attributes, links, parts, mixed columns, times."""

    def any(self) -> Statement:
        """One of any kind."""
        shapes: list[Callable[[], Statement]] = [
            self.any_rows,
            self.first_rows,
            self.ends,
            self.simple,
            self.simple,
            *[self.mixed] * any(column.kind == "mixed" for table in self.tables for column in table.columns),
            *[self.parts, self.parts] * any(table.paths for table in self.tables),
            *[self.members] * any(table.lists for table in self.tables),
            *[self.elements, self.elements] * any(table.untyped for table in self.tables),
            *[self.by_several] * (4 * any(table.several for table in self.tables)),
            self.staged,
            self.staged,
            self.analysed,
            self.analysed,
            lambda: Statement(self.within()),
            lambda: Statement(self.within()),
            lambda: Statement(self.next()),
        ]
        return self.dice.choice(shapes)()

    def any_partitions(self) -> tuple[Statement, list[Statement]]:
        """A statement, and three that have its rows between them; also over mixed columns, maps and lists."""
        whole, parts = self.dice.choice([self.partitions, self._mixed_partitions, self._nested_partitions])()
        return Statement(whole), [Statement(part) for part in parts]

    def _mixed_partitions(self) -> tuple[str, list[str]]:
        source = self._mixed_source("a")
        names = [name for name, column in source.columns.items() if column.kind == "mixed"]
        text = f"select {self._projections(source.columns)} from {source.text}"
        return text, in_three(text, self._among(source.columns, self.dice.choice(names)))

    def _nested_partitions(self) -> tuple[str, list[str]]:
        table = self._with_paths()
        columns, rows = self._parts_of(table, "a"), ""
        if table.lists:
            name, parts = self.dice.choice(list(table.lists.items()))
            columns = {**columns, f"a.{name}[1]{parts[0].name}": parts[0]}
            if self.dice.random() < 0.5:
                columns, rows = {**columns, **{f"u.m{part.name}": part for part in parts}}, f", unnest(a.{name}) u(m)"
        text = f"select {self._projections(columns)} from {table.name} a{rows}"
        return text, in_three(text, self._with_numbers(columns))
