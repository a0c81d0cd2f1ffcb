"""Statements over maps and lists: their parts in conditions, projections and joins, and their members as rows."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from tests.support.random_sql.columns import Column, Table
from tests.support.random_sql.mixed import Mixed
from tests.support.random_sql.statement import Statement


@dataclass(frozen=True, slots=True)
class Nested(Mixed):
    """Makes statements over tables that have paths and lists. Texts in them are compared with numbers, too."""

    def parts(self) -> Statement:
        """Parts of maps, and whole ones."""
        table = self._with_paths()
        alias, other = self._aliases(2)
        columns = self._parts_of(table, alias)
        where = self._with_numbers(columns)
        one, two = self.dice.sample(list(columns), 2)
        listed = ", ".join(f"{alias}.{name}" for name in self._roots(table))
        inner = f"select {listed} from {table.name} {alias}{self._where(columns)}"
        handed = self._parts_of(table, other)
        text = f"{table.name} {alias}"
        forms: list[Callable[[], str]] = [
            lambda: f"select {self._projections(columns)} from {text} where {where}",
            lambda: f"select {self._projections(columns)} from {text} where {where}",
            lambda: f"select {one} as x, count(*) from {text} where {where} group by {one}",
            lambda: f"select count(*), count({one}), min({one}), max({two}) from {text} where {where}",
            lambda: f"select {one} as x, {two} as y from ({inner}) {alias} where {where}",
            lambda: (
                f"select q.z, q.y from (select {one} as z, {two} as y from {text}{self._where(columns)}) q"
                f" where {self._with_numbers({'q.z': columns[one], 'q.y': columns[two]}, 1)}"
            ),
            lambda: (
                f"with {other} as ({inner}) select {self._projections(handed)} from {other}"
                f" where {self._condition(handed)}"
            ),
            lambda: (
                f"select {self._projections(columns)} from {text}"
                f" where {one} is not distinct from {self._literal(columns[one])} or {where}"
            ),
            lambda: f"select {one} as z from {text} where {where} order by z limit {self.dice.randint(1, 9)}",
            lambda: f"select distinct {one}, {two} from {text} where {where}",
            lambda: f"select {listed} from {text} where {where}",
            lambda: (
                f"select {one} as x from {text} where {where} union all"
                f" select {self._pair({one: columns[one]}, handed)[1]} from {table.name} {other} where"
                f" {self._condition(handed, 1)}"
            ),
            lambda: self._joined_by_parts(table, alias, other),
            lambda: (
                f"select {self._documents(table, alias)} as x, {one} as y from {text} where {where}"
                f" or ({self._documents(table, alias)}) = {self._any_text(columns)}"
            ),
        ]
        return Statement(self.dice.choice(forms)())

    def members(self) -> Statement:
        """Members of lists as rows, and conditions on them."""
        table = self.dice.choice([table for table in self.tables if table.lists])
        name, parts = self.dice.choice(list(table.lists.items()))
        columns = self._parts_of(table, "a")
        members = {f"u.m{part.name}": part for part in parts}
        both = {**columns, **members}
        key, where = f"a.{table.columns[0].name}", self._condition(columns, 1)
        held = self._with_numbers(members, 1)
        length = f"len(a.{name}) {self.dice.choice(['=', '>', '<=', '<>'])} {self.dice.randint(0, 3)}"
        place, part = self.dice.choice([1, 1, 2, -1, 9]), self.dice.choice(parts)
        at = {f"a.{name}[{place}]{part.name}": part}
        rows = f"{table.name} a, unnest(a.{name}) u(m)"
        exists = f"{self.dice.choice(['', 'not '])}exists (select 1 from unnest(a.{name}) u(m) where {held})"
        unnested = f"select {key} as k, unnest(a.{name}) as m from {table.name} a where {where}"
        forms: list[Callable[[], str]] = [
            lambda: f"select {key}, {self._projections(members)} from {rows} where {self._with_numbers(both)}",
            lambda: (
                f"select {self.dice.choice(list(members))}, count(*) from {rows} where {self._with_numbers(both)}"
                " group by 1"
            ),
            lambda: (
                f"select {key}, u.o, {self._projections(members)}"
                f" from {table.name} a, unnest(a.{name}) with ordinality u(m, o) where {held} and u.o <> {place}"
            ),
            lambda: f"select {key} from {table.name} a where {exists} and {where}",
            lambda: f"select u.k, u.m from ({unnested}) u where {held}",
            lambda: f"select {key}, len(a.{name}), {next(iter(at))} from {table.name} a where {length}",
            lambda: f"select {key} from {table.name} a where {length} and {self._with_numbers(at, 1)}",
            lambda: (
                f"select {self._projections({**columns, **at})} from {table.name} a"
                f" where {self._condition({**columns, **at})}"
            ),
            lambda: f"select count(*), count(a.{name}) from {table.name} a where {self._with_numbers(at)} or {length}",
            lambda: f"select {key}, a.{name} from {table.name} a where {where} and a.{name} is not null",
            lambda: f"select a.{name}, count(*) from {table.name} a where {self._condition(at)} group by a.{name}",
        ]
        if not parts[0].name:
            literal = self._literal(parts[0])
            forms += [
                lambda: f"select {key} from {table.name} a where list_contains(a.{name}, {literal}) and {where}",
                lambda: f"select {key} from {table.name} a where a.{name} = [{literal}] or {literal} in a.{name}",
                lambda: f"select {key}, list_contains(a.{name}, {literal}) from {table.name} a where {where}",
            ]
        return Statement(self.dice.choice(forms)())

    def _with_numbers(self, columns: Mapping[str, Column], depth: int = 2) -> str:
        """A condition; of columns of kind mixed often one that compares them with numbers."""
        mixed = [name for name, column in columns.items() if column.kind == "mixed"]
        if not mixed or self.dice.random() < 0.5:
            return self._condition(columns, depth)
        return self._among(columns, self.dice.choice(mixed))

    def _joined_by_parts(self, table: Table, alias: str, other: str) -> str:
        plain = self._plain(other)
        columns = self._parts_of(table, alias)
        kind = self.dice.choice(["join", "left join", "semi join", "anti join", "full join"])
        on = f"{self._equality(columns, plain.columns)} and {self._condition(columns, 1)}"
        kept = columns if kind in ("semi join", "anti join") else {**columns, **plain.columns}
        text = f"{table.name} {alias} {kind} {plain.text} on {on}"
        return f"select {self._projections(kept)} from {text}{self._where(kept)}"

    def _documents(self, table: Table, alias: str) -> str:
        """A part of a map as the text of JSON."""
        steps = self.dice.choice(table.paths).name.split(".")
        if len(steps) == 1:
            return f"{alias}.{steps[0]}->>'none'"
        if self.dice.random() < 0.5:
            return f"{alias}.{steps[0]}->>'$.{'.'.join(steps[1:])}'"
        arrows = [*["->"] * (len(steps) - 2), "->>"]
        return f"{alias}.{steps[0]}" + "".join(
            f"{arrow}'{step}'" for arrow, step in zip(arrows, steps[1:], strict=True)
        )

    def _any_text(self, columns: Mapping[str, Column]) -> str:
        return self.dice.choice([self._literal(column) for column in columns.values() if column.kind == "text"])

    def _with_paths(self) -> Table:
        return self.dice.choice([table for table in self.tables if table.paths])

    def _roots(self, table: Table) -> list[str]:
        """The table's columns, maps and lists included."""
        maps = dict.fromkeys(path.name.partition(".")[0] for path in table.paths)
        return [*(column.name for column in table.columns), *maps, *table.lists]

    def _parts_of(self, table: Table, alias: str) -> Mapping[str, Column]:
        """The columns and paths by what they are called here."""
        plain = {f"{alias}.{column.name}": column for column in table.columns}
        return plain | {f"{alias}.{self._spelt(path.name)}": path for path in table.paths}

    def _spelt(self, path: str) -> str:
        first, *steps = path.split(".")
        return first + "".join(f".{step}" if self.dice.random() < 0.7 else f"['{step}']" for step in steps)
