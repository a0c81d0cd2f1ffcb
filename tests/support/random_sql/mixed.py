"""Statements that compare columns of numbers and texts with numbers."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from tests.support.random_sql.columns import Column, Source
from tests.support.random_sql.sources import Sources
from tests.support.random_sql.statement import Statement

NUMBERS = ("0", "5", "-5", "2705", "1000", "0.1", "-3.5", "5.0", "1e3", "9007199254740991", "(7)", "0.5")
"""What DOUBLE carries, as the docs ask for."""
SUMS = ("2 + 3", "(2706 - 1)", "cast('5' as int)", "-(10 * 0.5)")
"""Such numbers, put together."""
ORDERS = ("<", ">", "<=", ">=")


@dataclass(frozen=True, slots=True)
class Mixed(Sources):
    """Makes statements over tables with columns of kind mixed."""

    def mixed(self) -> Statement:
        """Numeric conditions on a column, where the table has it and where a query hands it on."""
        source = self._mixed_source("a")
        names = [name for name, column in source.columns.items() if column.kind == "mixed"]
        name = self.dice.choice(names)
        where = self._among(source.columns, name)
        short = name.partition(".")[2]
        listed = ", ".join(one.partition(".")[2] for one in source.columns)
        key = next(iter(source.columns))
        beside, other = self._plain("b"), self._mixed_source("o")
        others = [name for name, column in other.columns.items() if column.kind == "mixed"]
        forms: list[Callable[[], str]] = [
            lambda: f"select {self._projections(source.columns)} from {source.text} where {where}",
            lambda: f"select count(*), count({name}), max({key}) from {source.text} where {where}",
            lambda: f"select {name}, count(*) from {source.text} where {where} group by {name}",
            lambda: f"with c as (select {listed} from {source.text}) select {key[2:]} from c a where {where}",
            lambda: (
                f"select a.n from (select {short} as n, {key[2:]} as k from {source.text}) a"
                f" where {self._numeric('a.n')} or a.k = {self._literal(source.columns[key])}"
            ),
            lambda: (
                f"select a.n from (select {name} as n, {key} as k from {source.text} union all"
                f" select {self.dice.choice(others)}, null from {other.text}) a"
                f" where {self._numeric('a.n')} or a.k = {self._literal(source.columns[key])}"
            ),
            lambda: (
                f"select {key}, case when {self._numeric(name)} then 1 when {self._numeric(name)} then 2 end"
                f" from {source.text}"
            ),
            lambda: f"select {key}, ({where}) as held from {source.text}",
            lambda: (
                f"select count(*) from {source.text} {self.dice.choice(['join', 'left join'])} {beside.text}"
                f" on {self._equality(source.columns, beside.columns)} and {self._numeric(name)}"
            ),
            lambda: (
                f"select {key} from {source.text} where exists (select 1 from {beside.text}"
                f" where {self._condition(beside.columns, 1)} and {self._numeric(name)})"
            ),
            lambda: (
                f"select {key} from {source.text} where {self._numeric(name)} or {name} {self._texts(source, name)}"
            ),
        ]
        return Statement(self.dice.choice(forms)())

    def _texts(self, source: Source, name: str) -> str:
        return f"{self.dice.choice(['=', '<>', '<', '>='])} {self._literal(source.columns[name])}"

    def _mixed_source(self, alias: str) -> Source:
        tables = [table for table in self.tables if any(column.kind == "mixed" for column in table.columns)]
        table = self.dice.choice(tables)
        return Source(f"{table.name} {alias}", {f"{alias}.{column.name}": column for column in table.columns})

    def _among(self, columns: Mapping[str, Column], name: str) -> str:
        """A numeric condition, alone or among others."""
        numeric, other = self._numeric(name), self._condition(columns, 1)
        forms = [numeric, numeric, f"{numeric} and {other}", f"({numeric} or {other})", f"not ({numeric})"]
        forms += [f"({numeric}) is null", f"not ({numeric} and {other})", f"({numeric}) = ({self._numeric(name)})"]
        return self.dice.choice(forms)

    def _numeric(self, name: str) -> str:
        first, second, third = (self.dice.choice(NUMBERS if self.dice.random() < 0.9 else SUMS) for _ in range(3))
        exact, ordered, order = f"exact_number({name})", f"number_by_order({name})", self.dice.choice(ORDERS)
        forms = [
            f"{exact} = {first}",
            f"{first} = {exact}",
            f"{exact} <> {first}",
            f"{exact} in ({first}, {second}, {third})",
            f"{exact} not in ({first}, {second})",
            f"{exact} is distinct from {first}",
            f"{exact} is not distinct from {first}",
            f"{ordered} {order} {first}",
            f"{first} {order} {ordered}",
            f"{ordered} between {first} and {second}",
            f"{ordered} not between {first} and {second}",
        ]
        return self.dice.choice(forms)
