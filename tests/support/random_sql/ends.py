"""Statements that need few of the rows: any of them, the first by a key, the greatest, whether there is one."""

from collections.abc import Mapping
from dataclasses import dataclass

from tests.support.random_sql.columns import Column, Table
from tests.support.random_sql.sources import Sources
from tests.support.random_sql.statement import Statement


@dataclass(frozen=True, slots=True)
class Ends(Sources):
    """Makes statements that an early end of the read answers."""

    def any_rows(self) -> Statement:
        """LIMIT without an order: so many rows, each one of them."""
        table = self.dice.choice(self.tables)
        columns = {f"a.{column.name}": column for column in table.columns}
        where = self.dice.choice([f" where {self._condition(columns)}", f" where {self._lead(table)}", ""])
        limit, offset = self.dice.choice([0, 1, 1, 2, 3, 5, 10, 1000]), self.dice.choice([0, 0, 0, 1, 4])
        return Statement(f"select {self._projections(columns)} from {table.name} a{where}", any_rows=(limit, offset))

    def first_rows(self) -> Statement:
        """The values of a sort key, in their order, from either end."""
        table = self._keyed()
        partition, other = self.dice.choice(table.keys)
        way = self.dice.choice(["", "", " desc", " asc nulls first", " desc nulls last", " desc nulls first"])
        limit = self.dice.choice(
            ["", f" limit {self.dice.randint(1, 5)}", f" limit 3 offset {self.dice.randint(0, 3)}"]
        )
        text = f"{table.name} a where {self._lead(table, partition)}"
        forms = [
            f"select a.{other} from {text} order by a.{other}{way}{limit}",
            f"select a.{other} as z, a.{partition} from {text} order by z{way}{limit}",
            f"select a.{other} from {text} order by 1{way}{limit}",
            f"select x.{other} from (select a.{other} from {text} order by a.{other}{way}{limit}) x"
            f" order by x.{other}{way}",
        ]
        several = " in (" in text.partition(" where ")[2]
        return Statement(self.dice.choice([forms[0], forms[2], forms[3]] if several else forms), ordered=True)

    def ends(self) -> Statement:
        """The least or greatest value, and whether there is a row."""
        table = self.dice.choice(self.tables)
        columns = {f"a.{column.name}": column for column in table.columns}
        name, end = self.dice.choice(list(columns)), self.dice.choice(["min", "max"])
        where = self.dice.choice([f" where {self._condition(columns)}", f" where {self._lead(table)}", ""])
        outer = self._plain("o")
        exists = f"{self.dice.choice(['', 'not '])}exists (select 1 from {table.name} a{where})"
        forms = [
            f"select {end}({name}) from {table.name} a{where}",
            f"select {end}({name}) from {table.name} a{where}",
            f"select {exists}",
            f"select count(*) from {outer.text} where {exists} and {self._condition(outer.columns, 1)}",
            f"select {exists}, {self.dice.choice(list(outer.columns))} from {outer.text}",
            f"select case when {exists} then 'some' else 'none' end, (select {end}({name}) from {table.name} a{where})",
            f"select (select {end}({name}) from {table.name} a{where}) = {self._literal(columns[name])}",
            f"select count(*) from {table.name} a{where}",
            f"select count({name}) from {table.name} a{where}",
        ]
        return Statement(self.dice.choice(forms))

    def simple(self) -> Statement:
        """What may be counted by DynamoDB, or answered without DuckDB: one table, few simple conditions."""
        table = self.dice.choice(self.tables)
        columns = {f"a.{column.name}": column for column in table.columns}
        conditions = [self._simple_one(columns) for _ in range(self.dice.choice([1, 1, 1, 2, 3]))]
        conditions += [self._lead(table)] if self.dice.random() < 0.3 else []
        where = self.dice.choice([" and ", " and ", " or "]).join(conditions)
        names = self.dice.sample(list(columns), min(3, len(columns)))
        wanted = self.dice.choice(
            ["count(*)", "count(*)", f"count({names[0]})", ", ".join(names), f"{names[0]} as x, {names[1]}"]
        )
        return Statement(f"select {wanted} from {table.name} a where {where}")

    def _simple_one(self, columns: Mapping[str, Column]) -> str:
        mixed = [name for name, column in columns.items() if column.kind == "mixed"]
        name = self.dice.choice(mixed if mixed and self.dice.random() < 0.5 else list(columns))
        first, second = self._literal(columns[name]), self._literal(columns[name])
        forms = [
            f"{name} = {first}",
            f"{name} = {first}",
            f"{name} <> {first}",
            f"{name} in ({first}, {second})",
            f"{name} is null",
        ]
        forms += [f"{name} is not null", f"{name} < {first}", f"{name} >= {first}", f"not ({name} = {first})"]
        return self.dice.choice([*forms, f"{name} between {first} and {second}"])

    def _keyed(self) -> Table:
        return self.dice.choice([table for table in self.tables if table.keys])

    def _lead(self, table: Table, partition: str | None = None) -> str:
        """One or some values of a key, and what may stand beside it."""
        columns = {column.name: column for column in table.columns}
        keys = [pair for pair in table.keys if partition in (None, pair[0])]
        if not keys:
            return self._condition({f"a.{name}": column for name, column in columns.items()}, 1)
        key, other = self.dice.choice(keys)
        values = [self._literal(columns[key]) for _ in range(self.dice.choice([1, 1, 1, 2]))]
        text = f"a.{key} = {values[0]}" if len(values) == 1 else f"a.{key} in ({', '.join(values)})"
        if self.dice.random() < 0.4:
            first, second = self._literal(columns[other]), self._literal(columns[other])
            forms = [f"a.{other} > {first}", f"a.{other} <= {first}", f"a.{other} between {first} and {second}"]
            text += f" and {self.dice.choice([*forms, f'a.{other} is not null', f'a.{other} <> {first}'])}"
        if self.dice.random() < 0.3:
            text += f" and {self._condition({f'a.{name}': column for name, column in columns.items()}, 1)}"
        return text
