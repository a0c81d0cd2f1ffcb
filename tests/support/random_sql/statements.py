"""Random SELECT statements: what narrowing and renaming could get wrong, in many combinations.

Sources are called like columns, commas meet joins of every kind, and set operations mix types.
"""

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from tests.support.random_sql.columns import Column, either
from tests.support.random_sql.sources import JOINS, Sources


@dataclass(frozen=True, slots=True)
class Statements(Sources):
    """Makes statements over some tables, each with a column of kind number. DuckDB does not take all of them."""

    def next(self) -> str:
        """A SELECT statement whose result has the same rows, in any order, wherever it runs."""
        shapes: list[Callable[[], str]] = [
            self._filter,
            self._by_key,
            self._by_key,
            self.within,
            self._end,
            self._end,
            self._aggregate,
            self._join,
            self._join,
            self._commas,
            self._using,
            self._unqualified,
            self._layers,
            self._subquery,
            self._set_operation,
            self._set_operation,
            self._nested,
            self._window,
        ]
        return self.dice.choice(shapes)()

    def partitions(self) -> tuple[str, list[str]]:
        """A statement, and three that have its rows between them: where a condition is true, is false, and is NULL."""
        text, columns = self._joined(self._aliases(self.dice.randint(1, 3)), {})
        statement, condition = f"select {self._projections(columns)} from {text}", self._condition(columns)
        return statement, in_three(statement, condition)

    def within(self) -> str:
        """Simple conditions by keys in CTEs, in subqueries, and on the sides of set operations."""
        table = self.dice.choice([table for table in self.tables if table.keys] or self.tables)
        columns = {column.name: column for column in table.columns}
        first = table.columns[0].name
        keys = self.dice.choice(table.keys or [(first, first)])
        one, two = (self._simply(self.dice.choice([keys, keys, keys[::-1]]), columns) for _ in range(2))
        name, outer = table.name, self.dice.choice([keys[0], keys[1], *columns])
        equal = f"q.{outer} = {self._literal(columns[outer])}"
        operator = self.dice.choice(["union", "union all", "except", "intersect"])
        not_ = self.dice.choice(["", "", "not "])
        forms = [
            f"with q as (select * from {name} where {one}) select q.{first}, q.{outer} from q where {equal}",
            f"with q as (select {first} from {name} where {one}) select q.{first} from q join q r using ({first})",
            f"select q.* from (select {first}, {outer} from {name} where {one}) q where {equal}",
            f"select {first} from {name} where {one} {operator} select {first} from {name} where {two}",
            f"select count(*) from (select * from {name} where {one} {operator} select * from {name}) q where {equal}",
            f"select {first}, {outer} from {name} where {outer} {not_}in (select {outer} from {name} where {one})",
            f"select {first} from {name} where {two} and {outer} >= (select min({outer}) from {name} where {one})",
        ]
        return self.dice.choice(forms)

    def _filter(self) -> str:
        source = self._source("a")
        return f"select {self._projections(source.columns)} from {source.text} where {self._condition(source.columns)}"

    def _by_key(self) -> str:
        """One table by its keys: few values of one, any condition on its companion, often several such pairs."""
        table = self.dice.choice([table for table in self.tables if table.keys] or self.tables)
        columns = {column.name: column for column in table.columns}
        first = table.columns[0].name
        keys = self.dice.choice(table.keys or [(first, first)])
        cases = [f"({self._key(keys, columns)})" for _ in range(self.dice.choice([1, 1, 2, 3]))]
        rest = f" and {self._condition(columns, 1)}" if self.dice.random() < 0.5 else ""
        names = self.dice.sample(list(columns), min(3, len(columns)))
        return f"select {', '.join(names)} from {table.name} where ({' or '.join(cases)}){rest}"

    def _simply(self, keys: tuple[str, str], columns: Mapping[str, Column]) -> str:
        """One value of one key, and at most a range of its companion."""
        partition, other = (columns[name] for name in keys)
        first, second = self._literal(other), self._literal(other)
        ranges = ["", "", f" and {other.name} > {first}", f" and {other.name} <= {first}"]
        ranges += [f" and {other.name} between {first} and {second}", f" and {other.name} is not null"]
        return f"{partition.name} = {self._literal(partition)}{self.dice.choice(ranges)}"

    def _end(self) -> str:
        """The first or the last rows by a key."""
        table = self.dice.choice([table for table in self.tables if table.keys] or self.tables)
        columns = {column.name: column for column in table.columns}
        first = table.columns[0].name
        keys = self.dice.choice(table.keys or [(first, first)])
        where = self._simply(keys, columns)
        where += f" and {self._condition(columns, 1)}" if self.dice.random() < 0.3 else ""
        other = keys[1]
        end, way = self.dice.choice(["min", "max"]), self.dice.choice(["", " desc"])
        limit = f"limit {self.dice.randint(1, 4)}{self.dice.choice(['', ' offset 1'])}"
        any_name = self.dice.choice(list(columns))
        return self.dice.choice(
            [
                f"select {end}({other}) from {table.name} where {where}",
                f"select {end}({any_name}) from {table.name} where {where}",
                f"select {other} from {table.name} where {where} order by {other}{way} {limit}",
                f"select {other} as z from {table.name} where {where} order by z{way} {limit}",
                f"select {other}, {keys[0]} from {table.name} where {where} order by 1{way} nulls last {limit}",
            ]
        )

    def _key(self, keys: tuple[str, str], columns: Mapping[str, Column]) -> str:
        partition, other = (columns[name] for name in keys)
        values = ", ".join(self._literal(partition) for _ in range(self.dice.choice([1, 1, 2, 3])))
        roll = self.dice.random()
        if roll < 0.15:
            pairs = ", ".join(f"({self._literal(partition)}, {self._literal(other)})" for _ in range(3))
            return f"({partition.name}, {other.name}) in ({pairs})"
        beside = "" if roll < 0.25 else f" and {self._condition({other.name: other}, 1)}"
        return f"{partition.name} in ({values}){beside}"

    def _aggregate(self) -> str:
        source = self._source("a")
        name = self.dice.choice(list(source.columns))
        aggregates = f"count(*), count({name}), count(distinct {name}), min({name}), max({name})"
        return f"select {aggregates} from {source.text} where {self._condition(source.columns)}"

    def _join(self) -> str:
        text, columns = self._joined(self._aliases(self.dice.randint(2, 3)), {})
        return f"select {self._projections(columns)} from {text}{self._where(columns)}"

    def _commas(self) -> str:
        """Items between commas, with joins whose conditions may speak of the items before."""
        aliases = self._aliases(3)
        first = self._plain(aliases[0])
        rest, columns = self._joined(aliases[1:], first.columns)
        if self.dice.random() < 0.3:
            last = self._source(aliases[2])
            rest = f"{self._plain(aliases[1]).text} right join {last.text} on {self._condition(first.columns, 1)}"
            columns = {**first.columns, **last.columns}
        if self.dice.random() < 0.2 and not any(kind in rest for kind in ("semi join", "anti join")):
            return f"select count(*) from {first.text}, ({rest}){self._where(columns)}"
        return f"select count(*), count(distinct {next(iter(columns))}) from {first.text}, {rest}{self._where(columns)}"

    def _using(self) -> str:
        """Joins that merge columns of one kind, though not always of one type."""
        sides = [self._plain(alias) for alias in ("a", "b", "c")[: self.dice.randint(2, 3)]]
        kind = "number" if len(sides) > 2 else ""
        names = [*self._pair(sides[0].columns, sides[1].columns, kind)]
        names += [self._pair(sides[0].columns, side.columns, kind)[1] for side in sides[2:]]
        columns = [side.columns[name] for name, side in zip(names, sides, strict=True)]
        merged = {"x": functools.reduce(functools.partial(either, "x"), columns)}
        text = ""
        for place, (name, side) in enumerate(zip(names, sides, strict=True)):
            key = next(iter(side.columns))
            join = self.dice.choice([one for one in JOINS if one != "cross join"])
            text += f" {join} " if place else ""
            text += f"(select {name} as x, {key} as k{place} from {side.text}{self._where(side.columns)}) s{place}"
            text += " using (x)" if place else ""
        if self.dice.random() < 0.3:
            return f"select x, count(*), count(k0) from {text} where {self._condition(merged)} group by x"
        return f"select {self.dice.choice(['*', 'x, s0.x, k0'])} from {text} where {self._condition(merged)}"

    def _unqualified(self) -> str:
        """Columns without a source, beside aliases that other columns, or columns of the query around, have too."""
        table = self.dice.choice(self.tables)
        columns = {column.name: column for column in table.columns}
        key, (one, other) = table.columns[0].name, self.dice.sample(list(columns), 2)
        alias = {other: columns[one]}
        where = self._condition(columns)
        outer = self._plain("o")
        correlated = self._condition({**{column.name: column for column in outer.columns.values()}, **columns}, 1)
        forms = [
            f"select {one} as {other} from {table.name} where {where}",
            f"select {one} as {other}, count(*) from {table.name} where {where} group by {other}",
            f"select {one} as {other}, count(*) from {table.name} group by all having {self._condition(alias, 0)}",
            f"select max({one}) as {other} from {table.name} group by {one} having {self._condition(alias, 0)}",
            f"select {one} as {other}, {key} as k0 from {table.name} order by {other}, k0 limit 7",
            f"select {one} as z, z as {other} from {table.name} where {self._condition({'z': columns[one]}, 1)}",
            f"select {one} as {other}, rank() over (order by {other}, {key}) as r from {table.name} qualify r < 9",
            f"select {one} as {other}, {other} as y from {table.name} where {where}",
            f"select count(*) from {outer.text} where exists (select 1 from {table.name} where {correlated})",
            f"select {one} from (select {other} as {one}, {one} as {other} from {table.name}) where {where}",
            f"select {other} from {table.name} where {where} union all select {one} as {other} from {table.name}"
            f" order by {other} limit 1000",
        ]
        return self.dice.choice(forms)

    def _layers(self) -> str:
        """A query over groups, over a join, over itself twice, or beside each row of another."""
        text, columns = self._joined(self._aliases(2), {})
        names = self.dice.sample(list(columns), min(2, len(columns)))
        outer = {f"q.c{place}": columns[name] for place, name in enumerate(names)}
        listed = ", ".join(f"{name} as c{place}" for place, name in enumerate(names))
        grouped = f"select {listed}, count(*) as n from {text}{self._where(columns)} group by {', '.join(names)}"
        plain = f"select {listed} from {text}{self._where(columns)}"
        condition, first = self._condition(outer), next(iter(outer))
        twice = {**outer, **{name.replace("q.", "r."): column for name, column in outer.items()}}
        beside = self._plain("o")
        forms = [
            f"select q.* from ({grouped}) q where {condition}",
            f"select q.* from ({plain}) q where {condition}",
            f"select max(q.n), {first} from ({grouped}) q where {condition} group by {first}",
            f"with q as ({grouped}) select q.*, r.n from q left join q r on q.c0 = r.c0 where {self._condition(twice)}",
            f"with q as ({plain}) select count(*) from q where {condition} union all select count(*) from q",
            f"select count(*), (select count(*) from ({plain}) q where {condition}) from {beside.text}",
            f"select count(*), count(l.n) from {beside.text}, lateral (select count(*) as n from ({plain}) q"
            f" where {self._condition({**beside.columns, **outer})}) l",
        ]
        return self.dice.choice(forms)

    def _subquery(self) -> str:
        outer, inner = (self._plain(alias) for alias in self._aliases(2))
        condition = self._condition({**outer.columns, **inner.columns}, 1)
        equality = self._equality(outer.columns, inner.columns)
        exists = f"{self.dice.choice(['', 'not '])}exists (select 1 from {inner.text} where {equality} and {condition})"
        name, like = self._pair(outer.columns, inner.columns)
        within = f"{name} {self.dice.choice(['', 'not '])}in (select {like} from {inner.text} where {condition})"
        return (
            f"select {self._projections(outer.columns)} from {outer.text}"
            f" where {self.dice.choice([exists, within])} and {self._condition(outer.columns, 1)}"
        )

    def _set_operation(self) -> str:
        combined = self._combined()
        columns = {f"u.{name}": column for name, column in combined.columns.items()}
        where = (
            self._condition(columns) if self.dice.random() < 0.5 else self.dice.choice(self._on("u.x", columns["u.x"]))
        )
        return f"select {self._projections(columns)} from ({combined.text}) u where {where}"

    def _nested(self) -> str:
        alias = self._aliases(1)[0]
        inner = self._source("a")
        columns = {f"{alias}.{column.name}": column for column in inner.columns.values()}
        names = ", ".join(inner.columns)
        where = self._condition(inner.columns)
        return (
            f"with x as (select {names} from {inner.text} where {where}) select count(*), count(distinct"
            f" {self.dice.choice(list(columns))}) from x {alias} where {self._condition(columns)}"
        )

    def _window(self) -> str:
        source = self._plain("a")
        key = next(iter(source.columns))
        ranked = f"{key}, row_number() over (order by {key}) as n"
        where, limit = self._condition(source.columns), self.dice.randrange(1, 30)
        inner = f"select {ranked} from {source.text} where {where} order by {key} limit {limit}"
        return f"select * from ({inner}) where n <> 2" if self.dice.random() < 0.5 else inner


def in_three(statement: str, condition: str) -> list[str]:
    """The statement where a condition is true, where it is false, and where it is NULL."""
    return [f"{statement} where {one}" for one in (condition, f"not ({condition})", f"({condition}) is null")]
