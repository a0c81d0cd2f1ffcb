"""Statements in which keys meet windows, groups, correlated subqueries and constant tables."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from tests.support.random_sql.columns import Column, Table
from tests.support.random_sql.sources import Sources
from tests.support.random_sql.statement import Statement


@dataclass(frozen=True, slots=True)
class Analytic(Sources):
    """Makes statements of which some part may be narrowed and the rest must not."""

    def analysed(self) -> Statement:
        """One table, or a table beside rows that narrow it."""
        table = self.dice.choice(self.tables)
        columns = {f"a.{column.name}": column for column in table.columns}
        unique, (one, two) = f"a.{table.columns[0].name}", self.dice.sample(list(columns), 2)
        text, where = f"{table.name} a", f" where {self._some_key(table, 'a')}"
        where = self.dice.choice([where, where, f" where {self._condition(columns)}", ""])
        over = f"over (partition by {one} order by {unique})"
        function = self.dice.choice(["row_number()", f"lag({two})", f"first_value({two})", "count(*)", f"max({two})"])
        kept = self._condition({"w.x": columns[one]}, 1)
        forms: list[Callable[[], str]] = [
            lambda: f"select {unique}, {function} {over} as w from {text}{where}",
            lambda: f"select {unique}, {one} from {text}{where} qualify row_number() {over} <= 2",
            lambda: (
                f"select w.u, w.v from (select {unique} as u, {one} as x, {function} {over} as v from {text}{where})"
                f" w where {kept}"
            ),
            lambda: f"select {one}, {two}, count(*) from {text}{where} group by rollup ({one}, {two})",
            lambda: (
                f"select {one}, count(*) filter (where {self._condition(columns, 1)}) from {text}{where} group by 1"
            ),
            lambda: (
                f"select {one}, count(*) from {text}{where} group by 1 having {self._condition({one: columns[one]})}"
            ),
            lambda: f"select distinct on ({one}) {one}, {unique} from {text}{where} order by {one}, {unique}",
            lambda: f"select list(x.v order by x.v) from (select {one} as v from {text}{where}) x",
            lambda: (
                f"select {unique} from {text}{where} union all select {unique} from {text} where"
                f" {self._some_key(table, 'a')}"
            ),
            lambda: (
                f"select {unique} from {text}{where} {self.dice.choice(['except', 'intersect'])} select {unique}"
                f" from {text} where {self._condition(columns, 1)}"
            ),
            lambda: self._constants(table, columns),
            lambda: self._correlated(table, columns, where),
            lambda: self._quantified(table, columns),
            lambda: self._twice(table, columns, where),
        ]
        return Statement(self.dice.choice(forms)())

    def _some_key(self, table: Table, alias: str) -> str:
        columns = {column.name: column for column in table.columns}
        partition, other = self.dice.choice(table.keys)
        text = f"{alias}.{partition} = {self._literal(columns[partition])}"
        if self.dice.random() < 0.5:
            text += f" and {self._condition({f'{alias}.{other}': columns[other]}, 1)}"
        return text

    def _constants(self, table: Table, columns: Mapping[str, Column]) -> str:
        """Rows of constants that name keys, or values of any column."""
        partition, other = self.dice.choice(table.keys)
        by_name = {column.name: column for column in table.columns}
        if self.dice.random() < 0.3:
            partition = self.dice.choice(list(by_name))
        count = self.dice.randint(1, 3)
        first, second = ([self._literal(by_name[name]) for _ in range(count)] for name in (partition, other))
        first[0] = first[0] if self.dice.random() < 0.8 else "null"
        rows = ", ".join(f"({one}, {two}, {place})" for place, (one, two) in enumerate(zip(first, second, strict=True)))
        kind = self.dice.choice(["join", "join", "left join", "right join", "semi join", "anti join"])
        names = "v.k, v.p" if kind in ("semi join", "anti join") else f"v.p, a.{partition}, a.{other}"
        rest = f" and {self._condition(columns, 1)}" if self.dice.random() < 0.4 else ""
        both = self.dice.choice(["", f" and a.{other} = v.o"])
        listed, not_ = f"[{', '.join(first)}]", self.dice.choice(["", "", "not "])
        single = ", ".join(f"({one})" for one in first)
        within = [
            f"a.{partition} {not_}in (values {single})",
            f"{not_}list_contains({listed}, a.{partition})",
            f"a.{partition} = any({listed})",
            f"a.{partition} {not_}in (select unnest({listed}))",
            f"a.{partition} {not_}in (select {first[0]} union all select {first[-1]})",
            f"(a.{partition}, a.{other}) {not_}in (select k, o from (values {rows}) v(k, o, p))",
            f"{not_}exists (select 1 from (values {rows}) v(k, o, p) where a.{partition} = v.k{both})",
        ]
        sources = [
            f"(values {rows}) v(k, o, p)",
            f"(select * from (values {rows}) w(k, o, p) where p >= 0) v",
            f"(select {first[0]} as k, {second[0]} as o, 0 as p union all select {first[-1]}, {second[-1]}, 1) v",
        ]
        return self.dice.choice(
            [
                f"select {names} from {self.dice.choice(sources)} {kind} {table.name} a"
                f" on a.{partition} = v.k{both}{rest}",
                f"with v(k, o, p) as (values {rows}) select {names} from v {kind} {table.name} a"
                f" on a.{partition} = v.k{both}{rest}",
                f"select a.{partition} from {table.name} a where {self.dice.choice(within)}{rest}",
            ]
        )

    def _correlated(self, table: Table, columns: Mapping[str, Column], where: str) -> str:
        """A value for each row, of the rows of another table that its columns name."""
        inner = self._plain("i")
        name, like = self._pair(columns, inner.columns)
        aggregate = self.dice.choice(["count(*)", *(f"{end}({next(iter(inner.columns))})" for end in ("min", "max"))])
        value = f"(select {aggregate} from {inner.text} where {like} = {name} and {self._condition(inner.columns, 1)})"
        first = next(iter(columns))
        forms = [
            f"select {first}, {value} from {table.name} a{where}",
            f"select {first} from {table.name} a where {value} is not null and {self._condition(columns, 1)}",
            f"select {first}, l.v from {table.name} a, lateral (select {aggregate} as v from {inner.text}"
            f" where {like} = {name}) l{where}",
        ]
        return self.dice.choice(forms)

    def _quantified(self, table: Table, columns: Mapping[str, Column]) -> str:
        inner = self._plain("i")
        name, like = self._pair(columns, inner.columns)
        which = f"(select {like} from {inner.text} where {self._condition(inner.columns, 1)})"
        operator = self.dice.choice(["= any", "<> all", ">= all", "< any"])
        rest = self.dice.choice(["", f" and {self._condition(columns, 1)}", f" or {self._condition(columns, 1)}"])
        return f"select {self._projections(columns)} from {table.name} a where {name} {operator} {which}{rest}"

    def _twice(self, table: Table, columns: Mapping[str, Column], where: str) -> str:
        """A query with a name, read in two ways."""
        names = ", ".join(columns)
        again = {name.replace("a.", "q."): column for name, column in columns.items()}
        also = {name.replace("a.", "r."): column for name, column in columns.items()}
        with_ = f"with q as (select {names} from {table.name} a{where})"
        joined = f"q join q r on {self._equality(again, also)} and {self._condition(also, 1)}"
        forms = [
            f"{with_} select count(*) from q where {self._condition(again)} union all select count(*) from q",
            f"{with_} select {self._projections(again)} from q where exists (select 1 from q r where"
            f" {self._equality(also, again)} and {self._condition(also, 1)})",
            f"{with_} select count(*), min({next(iter(again))}) from {joined} where {self._condition(again, 1)}",
            f"{with_}, r as (select * from q where {self._condition(again, 1)}) select count(*) from q, r where"
            f" {self._equality(again, also)}",
        ]
        return self.dice.choice(forms)
