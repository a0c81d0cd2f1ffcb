"""Statements that read by keys of several attributes: all of the partition key, and a beginning of the sort key."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from tests.support.random_sql.columns import Column, Table
from tests.support.random_sql.sources import Sources
from tests.support.random_sql.statement import Statement


@dataclass(frozen=True, slots=True)
class Several(Sources):
    """Makes statements over tables with keys of several attributes."""

    def by_several(self) -> Statement:
        """One such key, with gaps and ranges, alone or among other conditions."""
        table = self.dice.choice([table for table in self.tables if table.several])
        partition, sort = self.dice.choice(table.several)
        columns = {f"a.{column.name}": column for column in table.columns}
        first, text, key = next(iter(columns)), f"{table.name} a", [*partition, *sort]
        where = self._lead_of(table, partition, sort)
        given = self.dice.randint(0, len(sort) - 1) if sort else 0
        fixed = self._fixed(table, [*partition, *sort[:given]])
        order = f"a.{sort[given]}" if sort else first
        present = "".join(f" and a.{name} is not null" for name in key)
        way, limit = self.dice.choice(["", " desc", " desc nulls last"]), self.dice.randint(1, 4)
        end, other = self.dice.choice(["min", "max"]), self._plain("b")
        also = self._lead_of(table, partition, sort)
        forms: list[Callable[[], Statement]] = [
            lambda: Statement(f"select {self._projections(columns)} from {text} where {where}"),
            lambda: Statement(f"select {self._projections(columns)} from {text} where {where}{present}"),
            lambda: Statement(f"select {', '.join(f'a.{name}' for name in key)} from {text} where {where}{present}"),
            lambda: Statement(f"select {first} from {text} where ({where}) or ({also})"),
            lambda: Statement(f"select count(*), count({order}) from {text} where {where}{present}"),
            lambda: Statement(f"select count(*) from {text} where {where}{present}"),
            lambda: Statement(f"select {end}({order}) from {text} where {fixed}"),
            lambda: Statement(f"select {end}({order}) from {text} where {where}{present}"),
            lambda: Statement(
                f"select {order} from {text} where {fixed}{present} order by {order}{way} limit {limit}", ordered=True
            ),
            lambda: Statement(
                f"select {order} as z from {text} where {where}{present} order by z{way} limit {limit} offset 1",
                ordered=True,
            ),
            lambda: Statement(f"select {', '.join(columns)} from {text} where {where}{present}", any_rows=(limit, 0)),
            lambda: Statement(
                f"select {self._projections({**columns, **other.columns})} from {text} join {other.text}"
                f" on {self._equality(columns, other.columns)} where {where}{present}"
            ),
            lambda: Statement(
                f"select {next(iter(other.columns))} from {other.text} where {self._condition(other.columns, 1)}"
                f" and exists (select 1 from {text} where {self._equality(other.columns, columns)} and {where}"
                f"{present})"
            ),
            lambda: self._named_by_rows(table, partition, columns, present),
        ]
        return self.dice.choice(forms)()

    def _named_by_rows(
        self, table: Table, partition: Sequence[str], columns: Mapping[str, Column], present: str
    ) -> Statement:
        """The partition keys are those of constant rows."""
        by_name = {column.name: column for column in table.columns}
        names = ", ".join(f"a.{name}" for name in partition)
        rows = [f"({', '.join(self._literal(by_name[name]) for name in partition)})" for _ in range(2)]
        where = f"({names}) in ({', '.join(rows)})" if len(partition) > 1 else f"{names} in ({rows[0]}, {rows[1]})"
        return Statement(
            f"select {self._projections(columns)} from {table.name} a where {where}{present}"
            f" and {self._condition(columns, 1)}"
        )

    def _fixed(self, table: Table, names: Sequence[str]) -> str:
        """One value of each of these."""
        by_name = {column.name: column for column in table.columns}
        return " and ".join(f"a.{name} = {self._literal(by_name[name])}" for name in names)

    def _lead_of(self, table: Table, partition: Sequence[str], sort: Sequence[str]) -> str:
        """One or some values of each attribute of a partition key, and conditions on some of its sort key."""
        by_name = {column.name: column for column in table.columns}
        parts: list[str] = []
        for name in partition:
            values = [self._literal(by_name[name]) for _ in range(self.dice.choice([1, 1, 1, 2]))]
            parts.append(f"a.{name} = {values[0]}" if len(values) == 1 else f"a.{name} in ({', '.join(values)})")
        for name in sort:
            roll, column = self.dice.random(), by_name[name]
            if roll < 0.5:
                parts.append(f"a.{name} = {self._literal(column)}")
            elif roll < 0.7:
                parts.append(self._condition({f"a.{name}": column}, 1))
        if self.dice.random() < 0.3:
            parts.append(self._condition({f"a.{column.name}": column for column in table.columns}, 1))
        self.dice.shuffle(parts)
        return " and ".join(parts)
