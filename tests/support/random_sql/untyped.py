"""Statements over lists of unlike values: their elements, which are JSON, and the fields of those that are maps."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from tests.support.random_sql.columns import Column
from tests.support.random_sql.nested import Nested
from tests.support.random_sql.statement import Statement


@dataclass(frozen=True, slots=True)
class Untyped(Nested):
    """Makes statements over tables that have lists of unlike values."""

    def elements(self) -> Statement:
        """Elements by their places and as rows, compared with JSON, and fields with texts and numbers."""
        table = self.dice.choice([table for table in self.tables if table.untyped])
        name, (element, fields) = self.dice.choice(list(table.untyped.items()))
        columns = {f"a.{column.name}": column for column in table.columns}
        key, place = next(iter(columns)), self.dice.choice([1, 1, 2, -1, 7])
        at, row = f"a.{name}[{place}]", "u.m"
        placed = {f"field_{field.name}({at})": field for field in fields}
        members = {f"field_{field.name}({row})": field for field in fields}
        rows = f"{table.name} a, unnest(a.{name}) u(m)"
        where = self._condition(columns, 1)
        length = f"len(a.{name}) {self.dice.choice(['=', '>', '<=', '<>'])} {self.dice.randint(0, 3)}"
        exists = f"{self.dice.choice(['', 'not '])}exists"
        held = self._on_element(row, element, members)
        kept = self._on_element(at, element, placed)
        forms: list[Callable[[], str]] = [
            lambda: f"select {key}, {at} from {table.name} a where {kept}",
            lambda: f"select {key}, {self.dice.choice(list(placed))} from {table.name} a where {kept} and {where}",
            lambda: f"select {key}, ({kept}) as held from {table.name} a where {where}",
            lambda: f"select {key}, as_json(a.{name}) from {table.name} a where {kept} or {length}",
            lambda: f"select {key}, len(a.{name}) from {table.name} a where {length} and {where}",
            lambda: f"select count(*), count({at}), min({at}) from {table.name} a where {kept} or {where}",
            lambda: f"select {key}, {row} from {rows} where {held}",
            lambda: f"select {key}, {', '.join(members)} from {rows} where {held} and {where}",
            lambda: f"select {self.dice.choice(list(members))} as x, count(*) from {rows} where {held} group by 1",
            lambda: (
                f"select {key} from {table.name} a where {exists} (select 1 from unnest(a.{name}) u(m) where {held})"
            ),
            lambda: f"select {key}, {row} is null, ({held}) from {rows} where {where}",
            lambda: (
                f"with q as (select {key[2:]} as k, {name} as l from {table.name} a where {where}) select a.k from q a"
                f" where {kept.replace(f'a.{name}[', 'a.l[')}"
            ),
            lambda: f"select {key}, a.{name}[1:2] from {table.name} a where {kept}",
            lambda: self._joined_by_fields(rows, columns, members),
        ]
        return Statement(self.dice.choice(forms)())

    def _on_element(self, name: str, element: Column, fields: Mapping[str, Column]) -> str:
        """A condition on an element or a field of it."""
        if self.dice.random() < 0.3:
            literal = self._literal(element)
            text = f"({name}->>'$')"  # an element is JSON, and no number, to DuckDB
            forms = [f"{name} = {literal}", f"{name} <> {literal}", f"{name} is null", f"{text} = '5'"]
            return self.dice.choice([*forms, f"{text} in ('t', '2.5', '')", f"{text} is not null"])
        return self._with_numbers(fields, 1)

    def _joined_by_fields(self, rows: str, columns: Mapping[str, Column], members: Mapping[str, Column]) -> str:
        """A table whose texts a field names."""
        plain = self._plain("b")
        texts = [name for name, column in plain.columns.items() if column.kind == "text"]
        on = f"{self.dice.choice(list(members))} = {self.dice.choice(texts)}" if texts else "true"
        return f"select count(*), count(distinct {next(iter(columns))}) from {rows} join {plain.text} on {on}"
