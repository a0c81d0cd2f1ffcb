"""Random conditions on columns."""

import random
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tests.support.random_sql.columns import Column, beginning
from tests.support.random_sql.times import MOMENTS, moments

OPERATORS = ("=", "<>", "<", ">", "<=", ">=")


@dataclass(frozen=True, slots=True)
class Conditions:
    """Makes conditions. Constants are values that occur in the tables, so that boundaries are hit."""

    dice: random.Random

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

    def _any(self, names: Sequence[str], columns: Mapping[str, Column]) -> str:
        """One of the names; rather one of a column with values at the edges of its type."""
        edges = [name for name in names if columns[name].edges]
        return self.dice.choice(edges if edges and self.dice.random() < 0.5 else names)

    def _on(self, name: str, column: Column) -> list[str]:
        first, second, third = (self._literal(column) for _ in range(3))
        operator = self.dice.choice(OPERATORS)
        forms = [
            *[f"{name} = {first}"] * 3,
            *[f"{name} in ({first}, {second}, {third})"] * 2,
            *[f"{name} {operator} {first}"] * 2,
            f"{first} {operator} {name}",
            f"{name} not in ({first}, {second})",
            f"{name} is null",
            f"{name} is not null",
            f"{name} is distinct from {first}",
            f"{name} is not distinct from {first}",
            f"{name} is not distinct from null",
            f"coalesce({name}, {second}) {operator} {first}",
            f"({name} {operator} {first}) is not true",
            f"({name} = {first}) = ({name} <> {second})",
        ]
        if column.kind in ("text", "mixed", "iso", "number", "date"):
            forms += self._put_together(name, first, second, operator)
        if column.kind != "struct":  # whether DuckDB takes that depends on the rows
            forms.append(f"{name} between {first} and {second}")
        if column.kind == "number":
            forms += [f"cast({name} as double) {operator} {first}", f"{name} - 1 {operator} {first}"]
            if first.isdecimal() and second.isdecimal():
                forms += [f"{name} {operator} '{first}'", f"{name} in ('{first}', {second})"]
                forms += [f"{name} between '{first}' and '{second}'", f"{name} not in ('{first}', '{second}')"]
        if column.kind in ("text", "mixed", "iso"):
            forms += [
                f"{name} like {beginning(first, self.dice.randint(1, 5))}",
                f"starts_with({name}, {first})",
                f"lower({name}) {operator} lower({first})",
                f"length({name}) > {len(first)}",
                *self._beginnings(name, first, second, operator),
            ]
            forms += self._patterns(name, first, second) * 2
        if column.kind == "date":
            forms += self._periods(name, first, second, operator) * 2
            forms += self._computed_dates(name, first, operator)
        if column.kind == "boolean":
            forms += [name, f"not {name}", f"{name} is true", f"{name} is not false", f"{name} is not true"] * 2
        if column.kind == "number":
            forms += self._computed_numbers(name, first, operator)
        if column.kind in MOMENTS:
            forms += moments(self.dice, name, column.kind, operator) * 2
        return forms

    def _put_together(self, name: str, first: str, second: str, operator: str) -> list[str]:
        """Constants that are spelt otherwise; texts rather in parts."""
        texts = first.startswith("'")
        part = self.dice.randint(0, 3)
        other = first[1:-1].replace("''", "")
        return [
            f"{name} {operator} coalesce(null, {first})",
            f"{name} in (case when 1 = 1 then {first} else {second} end, if('a' = 'b', {first}, {second}))",
            *([f"{name} = '{other[:part]}' || '{other[part:]}'", f"{name} {operator} {first} || {part}"] * texts),
            *(
                [f"{name} = replace({first}, '!', {second})", f"{name} in (trim({first}), format('{{}}', {second}))"]
                * texts
            ),
            *([f"{name} = {first} + {part}"] * (not texts and first.isdecimal())),
        ]

    def _beginnings(self, name: str, first: str, second: str, operator: str) -> list[str]:
        length = self.dice.randint(1, 3)
        start = f"left({name}, {length})" if self.dice.random() < 0.5 else f"substring({name}, 1, {length})"
        return [
            f"{start} {operator} left({first}, {length})",
            f"{start} {operator} {first}",
            f"{start} = {beginning(first, length).replace('%', '')}",
            f"{start} in ({beginning(first, length).replace('%', '')}, {second})",
            f"{start} between {first} and {second}",
            f"{start} not between {first} and {second}",
            f"{name} {operator} concat({first}, {second})",
            f"{name} like concat({beginning(first, length)}, {second})",
        ]

    def _patterns(self, name: str, first: str, second: str) -> list[str]:
        """Parts of texts, with wildcards, escapes and constants that are put together."""
        text = first[1:-1].replace("''", "")
        start = self.dice.randrange(max(1, len(text)))
        part, escaped = text[start : start + 2], text.replace("#", "!#").replace("_", "!_")
        not_ = self.dice.choice(["", "", "not "])
        return [
            f"{name} {not_}like '%{part}%'",
            f"{name} {not_}like '%{part}'",
            f"{name} {not_}like '{text[:start]}_{text[start + 1 :]}'",
            f"{name} {not_}like '{escaped}%' escape '!'",
            f"{name} {not_}ilike '{text.swapcase()}%'",
            f"{not_}{name} glob '{text[:start]}?{part[1:]}*'",
            f"contains({name}, '{part}')",
            f"ends_with({name}, '{part}')",
            f"{name} {not_}similar to '{re.escape(text[:1])}.*'",
            f"{name} = '{text[:start]}' || '{text[start:]}'",
            f"{name} in (concat('{text[:start]}', '{text[start:]}'), {second})",
            f"{name} between '{text[:start]}' and {first}",
            f"({name} > {first} or {name} = {first})",
            f"upper({name}) = upper({first})",
            f"trim({name}) = {first}",
            f"{name} <> all (select unnest([{first}, {second}]))",
        ]

    def _computed_numbers(self, name: str, first: str, operator: str) -> list[str]:
        number, wide = self.dice.randint(1, 40), self.dice.choice(["bigint", "integer", "decimal(20, 3)", "double"])
        return [
            f"{name} {operator} {number} + 1",
            f"{name} {operator} 2 * {number} - 3",
            f"{name} {operator} cast('{number}' as {wide})",
            f"{name} {operator} {number}.5",
            f"{name} {operator} {number}.0",
            f"{name} in ({number}.0, {first}, 1.5)",
            f"{name} {operator} -{number}",
            f"{name} between -{number} and {number}.25",
            f"{name} % 2 = 1",
            f"abs({name}) {operator} {number}",
            f"greatest({name}, {number}) {operator} {first}",
            f"{name} {operator} {number}e0",
            f"cast({name} as varchar) = '{number}'",
            f"cast({name} as varchar) like '{str(number)[0]}%'",
        ]

    def _computed_dates(self, name: str, first: str, operator: str) -> list[str]:
        days, unit = self.dice.randint(1, 40), self.dice.choice(["day", "week", "month", "year"])
        return [
            f"{name} {operator} {first} + {days}",
            f"{name} {operator} {first} - interval {days} {unit}",
            f"{name} + interval {days} {unit} {operator} {first}",
            f"{name} {operator} cast({first[5:]} as date)",
            f"{name} {operator} cast({first[5:]} as timestamp)",
            f"{name} {operator} timestamp {first[5:-1]} 12:30:00'",
            f"{name} between timestamp {first[5:-1]} 12:30:00' and {first} + {days}",
            f"{name} {operator} {first[5:]}",
            f"strftime({name}, '%Y-%m') = '{first[6:13]}'",
            f"{name} in ({first[5:]}, {first} + 1)",
            f"dayofweek({name}) = {days % 7}",
            f"last_day({name}) {operator} {first}",
            f"date_diff('day', {first}, {name}) {operator} {days}",
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
