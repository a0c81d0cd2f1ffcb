"""Random FROM items: tables, queries over them, set operations and joins."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tests.support.random_sql.columns import Column, Source, Table, either
from tests.support.random_sql.conditions import Conditions

JOINS = ("join", "left join", "right join", "full join", "semi join", "anti join", "cross join")
SETS = ("union all", "union", "intersect", "except", "union all by name")


@dataclass(frozen=True, slots=True)
class Sources(Conditions):
    """Makes FROM items over some tables. `names` are further names to call sources by."""

    tables: Sequence[Table]
    names: Sequence[str] = ()

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

    def _combined(self) -> Source:
        """A set operation whose sides have columns of one kind, though not always of one type."""
        left, right = (self._plain(alias) for alias in ("a", "b"))
        (one, other), (same, like) = (
            self._pair(left.columns, right.columns, "number"),
            self._pair(left.columns, right.columns),
        )
        numbers, others = left.columns[one], left.columns[same]
        x = either("x", numbers, right.columns[other])
        y = either("y", others, right.columns[like])
        type_ = self.dice.choice(["bigint", "double", "decimal(38, 2)"])
        mixed = self.dice.choice([other, other, f"cast({self.dice.choice(x.literals)} as {type_})"])
        sides = [(left, f"{one} as x, {same} as y"), (right, f"{mixed} as x, {like} as y")]
        self.dice.shuffle(sides)
        texts = [f"select {names} from {side.text}{self._where(side.columns)}" for side, names in sides]
        return Source(f" {self.dice.choice(SETS)} ".join(texts), {"x": x, "y": y})

    def _aliases(self, number: int) -> list[str]:
        """Names of sources: letters, or names that columns have too."""
        names = {*self.names, *(column.name for table in self.tables for column in table.columns)}
        pool = [f"s{place}" for place in range(number)] if self.dice.random() < 0.5 else sorted(names)
        return self.dice.sample(pool, number)

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

    def _projections(self, columns: Mapping[str, Column]) -> str:
        names = self.dice.sample(list(columns), min(3, len(columns)))
        return ", ".join(self._projection(name, columns[name]) for name in names)

    def _projection(self, name: str, column: Column) -> str:
        """A column, or now and then something that is made of it."""
        if self.dice.random() < 0.7:
            return name
        literal = self._literal(column)
        forms = [f"{name} is null", f"coalesce({name}, {literal})", f"({self._condition({name: column}, 1)})"]
        forms.append(f"case when {self._condition({name: column}, 0)} then {name} else {literal} end")
        match column.kind:
            case "number":
                forms += [f"{name} - 1", f"-{name}", f"cast({name} as double)", f"abs({name})"]
            case "text" | "mixed" | "iso":
                forms += [f"upper({name})", f"length({name})", f"{name} || '-'", f"left({name}, 2)"]
                forms += [f"substring({name}, 1, 2)", f"nullif({name}, {literal})"]
            case "date":
                forms += [f"year({name})", f"{name} + interval 1 day", f"date_trunc('month', {name})"]
            case "millis":
                forms += [f"epoch_ms({name})", f"date_trunc('day', epoch_ms({name}))"]
            case "instant":
                forms += [f"cast({name} as date)", f"date_trunc('day', {name})", f"epoch_ms({name})", f"year({name})"]
                forms += [f"{name} + interval 1 day", f"cast({name} as timestamp)"]
            case "seconds":
                forms += [f"cast(to_timestamp({name}) as date)", f"year(to_timestamp({name}))"]
            case _:
                pass
        return self.dice.choice(forms)

    def _where(self, columns: Mapping[str, Column]) -> str:
        parts = [self._condition(columns, 1) for _ in range(self.dice.choice([0, 0, 1, 2]))]
        return f" where {' and '.join(parts)}" if parts else ""

    def _pair(self, left: Mapping[str, Column], right: Mapping[str, Column], kind: str = "") -> tuple[str, str]:
        """A column of each side, both of one kind."""
        kinds = {column.kind for column in right.values()} if not kind else {kind}
        name = self._any([one for one, column in left.items() if column.kind in kinds], left)
        return name, self._any([one for one, column in right.items() if column.kind == left[name].kind], right)

    def _equality(self, left: Mapping[str, Column], right: Mapping[str, Column]) -> str:
        return " = ".join(self._pair(left, right))
