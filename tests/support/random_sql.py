"""Random SELECT statements: what narrowing and renaming could get wrong, in many combinations.

Sources are called like columns, commas meet joins of every kind, and set operations mix types. Constants are values
that occur in the tables, so that boundaries are hit.
"""

import functools
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

OPERATORS = ("=", "<>", "<", ">", "<=", ">=")
JOINS = ("join", "left join", "right join", "full join", "semi join", "anti join", "cross join")
SETS = ("union all", "union", "intersect", "except", "union all by name")


@dataclass(frozen=True, slots=True)
class Column:
    """A column; only those of one `kind` (number, text, date, boolean) are compared.

    `literals` are SQL; those at the `edges` of the column's type are drawn more often.
    """

    name: str
    kind: str
    literals: Sequence[str]
    edges: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Table:
    """A table; the first of its columns tells its rows apart. `keys` are those that it is read by, in pairs."""

    name: str
    columns: Sequence[Column]
    keys: Sequence[tuple[str, str]] = ()


@dataclass(frozen=True, slots=True)
class Source:
    """A FROM item: its text, and its columns by their qualified names."""

    text: str
    columns: Mapping[str, Column]


@dataclass(frozen=True, slots=True)
class Statements:
    """Makes statements over some tables, each with a column of kind number. DuckDB does not take all of them.

    `names` are further names to call sources by.
    """

    dice: random.Random
    tables: Sequence[Table]
    names: Sequence[str] = ()

    def next(self) -> str:
        """A SELECT statement whose result has the same rows, in any order, wherever it runs."""
        shapes: list[Callable[[], str]] = [
            self._filter,
            self._by_key,
            self._by_key,
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
        return statement, [
            f"{statement} where {condition}",
            f"{statement} where not ({condition})",
            f"{statement} where ({condition}) is null",
        ]

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

    def _joined(self, aliases: Sequence[str], before: Mapping[str, Column]) -> tuple[str, Mapping[str, Column]]:
        source = self._source(aliases[0])
        text, columns = source.text, {**before, **source.columns}
        for alias in aliases[1:]:
            kind, source = self.dice.choice(JOINS), self._source(alias)
            text += f" {kind} {source.text}"
            both = {**columns, **source.columns}
            if kind != "cross join":
                on = [self._equality(columns, source.columns)] if self.dice.random() < 0.8 else []
                on += [self._condition(both, 1) for _ in range(self.dice.randint(0 if on else 1, 1))]
                text += f" on {' and '.join(on)}"
            columns = columns if kind in ("semi join", "anti join") else both
        return text, columns

    def _using(self) -> str:
        """Joins that merge columns of one kind, though not always of one type."""
        sides = [self._plain(alias) for alias in ("a", "b", "c")[: self.dice.randint(2, 3)]]
        kind = "number" if len(sides) > 2 else ""
        names = [*self._pair(sides[0].columns, sides[1].columns, kind)]
        names += [self._pair(sides[0].columns, side.columns, kind)[1] for side in sides[2:]]
        columns = [side.columns[name] for name, side in zip(names, sides, strict=True)]
        merged = {"x": functools.reduce(functools.partial(_either, "x"), columns)}
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

    def _combined(self) -> Source:
        """A set operation whose sides have columns of one kind, though not always of one type."""
        left, right = (self._plain(alias) for alias in ("a", "b"))
        (one, other), (same, like) = (
            self._pair(left.columns, right.columns, "number"),
            self._pair(left.columns, right.columns),
        )
        numbers, others = left.columns[one], left.columns[same]
        x = _either("x", numbers, right.columns[other])
        y = _either("y", others, right.columns[like])
        type_ = self.dice.choice(["bigint", "double", "decimal(38, 2)"])
        mixed = self.dice.choice([other, other, f"cast({self.dice.choice(x.literals)} as {type_})"])
        sides = [(left, f"{one} as x, {same} as y"), (right, f"{mixed} as x, {like} as y")]
        self.dice.shuffle(sides)
        texts = [f"select {names} from {side.text}{self._where(side.columns)}" for side, names in sides]
        return Source(f" {self.dice.choice(SETS)} ".join(texts), {"x": x, "y": y})

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

    def _aliases(self, number: int) -> list[str]:
        """Names of sources: letters, or names that columns have too."""
        names = {*self.names, *(column.name for table in self.tables for column in table.columns)}
        pool = [f"s{place}" for place in range(number)] if self.dice.random() < 0.5 else sorted(names)
        return self.dice.sample(pool, number)

    def _plain(self, alias: str) -> Source:
        table = self.dice.choice(self.tables)
        return Source(f"{table.name} {alias}", {f"{alias}.{column.name}": column for column in table.columns})

    def _source(self, alias: str) -> Source:
        """A table, a query over one, or a set operation."""
        plain = self._plain(alias)
        if (roll := self.dice.random()) < 0.6:
            return plain
        if roll < 0.75:
            combined = self._combined()
            return Source(f"({combined.text}) {alias}", {f"{alias}.{name}": c for name, c in combined.columns.items()})
        names, key = ", ".join(plain.columns), next(iter(plain.columns))
        query = f"select {names} from {plain.text}"
        forms = [
            f"select distinct {names} from {plain.text}",
            f"{query} where {self._condition(plain.columns, 1)}",
            f"{query} group by {names}",
            f"{query} order by {key} limit {self.dice.randint(1, 20)}",
            f"{query} qualify row_number() over (order by {key}) < 9",
            f"{query} union all {query}",
        ]
        return Source(f"({self.dice.choice(forms)}) {alias}", plain.columns)

    def _projections(self, columns: Mapping[str, Column]) -> str:
        return ", ".join(self.dice.sample(list(columns), min(3, len(columns))))

    def _where(self, columns: Mapping[str, Column]) -> str:
        parts = [self._condition(columns, 1) for _ in range(self.dice.choice([0, 0, 1, 2]))]
        return f" where {' and '.join(parts)}" if parts else ""

    def _pair(self, left: Mapping[str, Column], right: Mapping[str, Column], kind: str = "") -> tuple[str, str]:
        """A column of each side, both of one kind."""
        kinds = {column.kind for column in right.values()} if not kind else {kind}
        name = self._any([one for one, column in left.items() if column.kind in kinds], left)
        return name, self._any([one for one, column in right.items() if column.kind == left[name].kind], right)

    def _any(self, names: Sequence[str], columns: Mapping[str, Column]) -> str:
        """One of the names; rather one of a column with values at the edges of its type."""
        edges = [name for name in names if columns[name].edges]
        return self.dice.choice(edges if edges and self.dice.random() < 0.5 else names)

    def _equality(self, left: Mapping[str, Column], right: Mapping[str, Column]) -> str:
        return " = ".join(self._pair(left, right))

    def _condition(self, columns: Mapping[str, Column], depth: int = 2) -> str:
        roll = self.dice.random() if depth else 1.0
        if roll < 0.45:
            left, right = self._condition(columns, depth - 1), self._condition(columns, depth - 1)
            return f"({left} {'and' if roll < 0.25 else 'or'} {right})"
        if roll < 0.55:
            return f"not ({self._condition(columns, depth - 1)})"
        if self.dice.random() < 0.1:
            return self._row(columns)
        name = self.dice.choice(list(columns))
        return self.dice.choice(self._on(name, columns[name]))

    def _row(self, columns: Mapping[str, Column]) -> str:
        """Columns beside one another, and a condition that is no row's."""
        names = self.dice.sample(list(columns), min(2, len(columns)))
        rows = [f"({', '.join(self._literal(columns[name]) for name in names)})" for _ in range(3)]
        row = f"({', '.join(names)})"
        alternatives = " or ".join(
            f"({' and '.join(self._equals(name, columns[name]) for name in names)})" for _ in rows
        )
        forms = [alternatives, alternatives, "1 = 0", f"{names[0]} = null or false"]
        if len(names) > 1:
            forms += [f"{row} in ({', '.join(rows)})"] * 3
            forms += [f"{row} not in ({rows[0]}, {rows[1]})", f"{row} = {rows[0]}", f"{row} <> {rows[0]}"]
        return self.dice.choice(forms)

    def _equals(self, name: str, column: Column) -> str:
        return f"{name} {self.dice.choice(['=', '=', '>=', '<'])} {self._literal(column)}"

    def _literal(self, column: Column) -> str:
        return self.dice.choice(column.edges if column.edges and self.dice.random() < 0.4 else column.literals)

    def _on(self, name: str, column: Column) -> list[str]:
        first, second, third = (self._literal(column) for _ in range(3))
        operator = self.dice.choice(OPERATORS)
        forms = [
            *[f"{name} = {first}"] * 3,
            *[f"{name} in ({first}, {second}, {third})"] * 2,
            *[f"{name} {operator} {first}"] * 2,
            f"{first} {operator} {name}",
            f"{name} not in ({first}, {second})",
            f"{name} between {first} and {second}",
            f"{name} is null",
            f"{name} is not null",
            f"{name} is distinct from {first}",
            f"coalesce({name}, {second}) {operator} {first}",
            f"({name} {operator} {first}) is not true",
            f"({name} = {first}) = ({name} <> {second})",
        ]
        if column.kind == "number":
            forms += [f"cast({name} as double) {operator} {first}", f"{name} - 1 {operator} {first}"]
            if first.isdecimal() and second.isdecimal():
                forms += [f"{name} {operator} '{first}'", f"{name} in ('{first}', {second})"]
                forms += [f"{name} between '{first}' and '{second}'", f"{name} not in ('{first}', '{second}')"]
        if column.kind == "text":
            forms += [
                f"{name} like {_beginning(first, self.dice.randint(1, 5))}",
                f"starts_with({name}, {first})",
                f"lower({name}) {operator} lower({first})",
                f"length({name}) > {len(first)}",
                *self._beginnings(name, first, second, operator),
            ]
        if column.kind == "date":
            forms += self._periods(name, first, second, operator) * 2
        return forms

    def _beginnings(self, name: str, first: str, second: str, operator: str) -> list[str]:
        length = self.dice.randint(1, 3)
        start = f"left({name}, {length})" if self.dice.random() < 0.5 else f"substring({name}, 1, {length})"
        return [
            f"{start} {operator} left({first}, {length})",
            f"{start} {operator} {first}",
            f"{start} = {_beginning(first, length).replace('%', '')}",
            f"{start} in ({_beginning(first, length).replace('%', '')}, {second})",
            f"{start} between {first} and {second}",
            f"{start} not between {first} and {second}",
            f"{name} {operator} concat({first}, {second})",
            f"{name} like concat({_beginning(first, length)}, {second})",
        ]

    def _periods(self, name: str, first: str, second: str, operator: str) -> list[str]:
        unit, year = self.dice.choice(["year", "quarter", "month", "week", "day"]), self.dice.randint(1994, 1997)
        start = f"date_trunc('{unit}', {name})"
        return [
            f"year({name}) {operator} {year}",
            f"extract(year from {name}) in ({year}, {year + 1}, 2024)",
            f"date_part('year', {name}) not between {year} and {year + 1}",
            f"{start} {operator} date_trunc('{unit}', {first})",
            f"{start} {operator} {first}",
            f"{start} {operator} timestamp '1996-02-01 00:00:00'",
            f"{start} = date '{year}-01-01'",
            f"{start} between {first} and {second}",
            f"cast({start} as date) in ({first}, date '1996-01-01')",
        ]


def _either(name: str, left: Column, right: Column) -> Column:
    """A column that holds the values of two."""
    return Column(name, left.kind, [*left.literals, *right.literals], [*left.edges, *right.edges])


def _beginning(literal: str, length: int) -> str:
    """A pattern for texts that begin like one."""
    return "'" + literal[1:-1].replace("''", "")[:length] + "%'"
