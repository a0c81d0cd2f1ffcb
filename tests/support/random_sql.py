"""Random SELECT statements over the smaller TPC-H tables: what a push-down could get wrong, in many combinations."""

import random
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import duckdb

_NUMBERS = {
    "supplier": ["s_suppkey", "s_nationkey", "s_acctbal"],
    "nation": ["n_nationkey", "n_regionkey"],
    "region": ["r_regionkey"],
    "part": ["p_partkey", "p_size", "p_retailprice"],
    "customer": ["c_custkey", "c_nationkey", "c_acctbal"],
}
_TEXTS = {
    "supplier": ["s_name", "s_phone", "s_address"],
    "nation": ["n_name"],
    "region": ["r_name"],
    "part": ["p_name", "p_brand", "p_type", "p_container"],
    "customer": ["c_name", "c_mktsegment", "c_phone"],
}
_OPERATORS = ["=", "<>", "<", ">", "<=", ">="]


@dataclass(frozen=True, slots=True)
class Statements:
    """Makes statements whose constants are values that occur in the tables, so that boundaries are hit."""

    dice: random.Random
    values: duckdb.DuckDBPyConnection

    def next(self) -> str:
        """A SELECT statement."""
        shapes: list[Callable[[], str]] = [
            self._filter,
            self._aggregate,
            self._join,
            self._outer_join_groups,
            self._semi_join,
            self._anti_join,
            self._union,
            self._nested,
            self._window,
        ]
        return self.dice.choice(shapes)()

    def _table(self) -> tuple[str, str]:
        table = self.dice.choice(list(_NUMBERS))
        return table, _NUMBERS[table][0]

    def _filter(self) -> str:
        table, _ = self._table()
        columns = ", ".join(_NUMBERS[table] + _TEXTS[table])
        return f"select {columns} from {table} a where {self._predicate(table, 'a')}"

    def _aggregate(self) -> str:
        table, key = self._table()
        return f"select count(*), min(a.{key}), max(a.{key}) from {table} a where {self._predicate(table, 'a')}"

    def _joined(self) -> tuple[str, str]:
        return self.dice.choice([("supplier", "s_nationkey"), ("customer", "c_nationkey")])

    def _join(self) -> str:
        (table, key), kind = self._joined(), self.dice.choice(["left", "right", "full", "inner"])
        return (
            f"select a.n_name, b.{_NUMBERS[table][0]} from nation a {kind} join {table} b on a.n_nationkey = b.{key}"
            f" and {self._predicate('nation', 'a')} where {self._predicate(table, 'b')}"
        )

    def _outer_join_groups(self) -> str:
        table, key = self._joined()
        return (
            f"select a.n_name, count(*), count(b.{key}) from nation a left join {table} b on a.n_nationkey = b.{key}"
            f" and {self._predicate(table, 'b')} where {self._predicate('nation', 'a')} group by a.n_name"
        )

    def _semi_join(self) -> str:
        table, key = self._table()
        inner = f"select b.{key} from {table} b where {self._predicate(table, 'b')}"
        return f"select a.{key} from {table} a where a.{key} in ({inner}) and {self._predicate(table, 'a')}"

    def _anti_join(self) -> str:
        table, key = self._table()
        inner = f"select 1 from {table} b where b.{key} = a.{key} and {self._predicate(table, 'b')}"
        return f"select a.{key} from {table} a where not exists ({inner})"

    def _union(self) -> str:
        table, key = self._table()
        kind = self.dice.choice(["union all", "union", "intersect", "except"])
        left, right = self._predicate(table, "a"), self._predicate(table, "b")
        return f"select {key} from {table} a where {left} {kind} select {key} from {table} b where {right}"

    def _nested(self) -> str:
        table, key = self._table()
        inner, outer = self._predicate(table, "a"), self._predicate(table, "b")
        return (
            f"with x as (select * from {table} a where {inner}) select count(*), count(distinct {key}) from x b"
            f" where {outer}"
        )

    def _window(self) -> str:
        table, key = self._table()
        where, limit = self._predicate(table, "a"), self.dice.randrange(1, 30)
        ranked = f"a.{key}, row_number() over (order by a.{key})"
        return f"select {ranked} from {table} a where {where} order by a.{key} limit {limit}"

    def _predicate(self, table: str, alias: str, depth: int = 2) -> str:
        roll = self.dice.random() if depth else 1.0
        if roll < 0.45:
            left, right = self._predicate(table, alias, depth - 1), self._predicate(table, alias, depth - 1)
            return f"({left} {'and' if roll < 0.25 else 'or'} {right})"
        if roll < 0.55:
            return f"not ({self._predicate(table, alias, depth - 1)})"
        numeric = self.dice.random() < 0.5
        column = self.dice.choice((_NUMBERS if numeric else _TEXTS)[table])
        values = self._sample(table, column)
        return self.dice.choice((self._on_numbers if numeric else self._on_texts)(f"{alias}.{column}", values))

    def _sample(self, table: str, column: str) -> list[Any]:
        rows = self.values.execute(f"select distinct {column} from {table} order by 1").fetchall()
        return [row[0] for row in self.dice.sample(rows, min(4, len(rows)))]

    def _on_any(self, name: str, values: list[Any]) -> list[str]:
        texts, operator = [_literal(value) for value in values], self.dice.choice(_OPERATORS)
        first, last = texts[0], texts[-1]
        return [
            f"{name} {operator} {first}",
            f"{first} {operator} {name}",
            f"{name} in ({', '.join(texts)})",
            f"{name} not in ({', '.join(texts)})",
            f"{name} between {first} and {last}",
            f"{name} is null",
            f"{name} is not null",
            f"coalesce({name}, {last}) {operator} {first}",
            f"({name} {operator} {first}) is not true",
            f"({name} = {first}) = ({name} <> {last})",
        ]

    def _on_numbers(self, name: str, values: list[Any]) -> list[str]:
        value, operator = values[0], self.dice.choice(_OPERATORS)
        return [
            *self._on_any(name, values),
            f"{name} + 1 {operator} {value}",
            f"-{name} {operator} {value}",
            f"{name} {operator} {value + Decimal('0.5')}",
            f"{name} {operator} {float(value)!r}",
            f"{name} % 3 = 1",
            f"abs({name}) {operator} {value}",
            f"cast({name} as double) {operator} {value}",
        ]

    def _on_texts(self, name: str, values: list[Any]) -> list[str]:
        value, operator = values[0], self.dice.choice(_OPERATORS)
        return [
            *self._on_any(name, values),
            f"{name} like {_literal(value[: self.dice.randrange(1, 6)] + '%')}",
            f"{name} not like {_literal('%' + value[2:5] + '%')}",
            f"{name} ilike {_literal(value[:3].lower() + '%')}",
            f"starts_with({name}, {_literal(value[:4])})",
            f"lower({name}) {operator} {_literal(value.lower())}",
            f"length({name}) > {len(value)}",
        ]


def _literal(value: Any) -> str:
    return "'" + value.replace("'", "''") + "'" if isinstance(value, str) else str(value)
