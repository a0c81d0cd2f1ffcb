"""A small closed algebra of conditions on the columns of one relation, between SQL and DynamoDB.

A predicate attached to a relation is *necessary*: a row for which it is not true cannot affect the query's result.
Three-valued logic is SQL's: a comparison with a missing attribute is not true.
"""

import itertools
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Literal

from mcp_server.domain.schema import Column

Value = str | int | Decimal | float | bool | bytes | date
Operator = Literal["=", "<>", "<", "<=", ">", ">="]


@dataclass(frozen=True, slots=True)
class Comparison:
    """`column operator value`."""

    column: str
    operator: Operator
    value: Value


@dataclass(frozen=True, slots=True)
class Between:
    """`column BETWEEN low AND high`, both inclusive."""

    column: str
    low: Value
    high: Value


@dataclass(frozen=True, slots=True)
class OneOf:
    """`column IN (values)`; never empty."""

    column: str
    values: tuple[Value, ...]


@dataclass(frozen=True, slots=True)
class StartsWith:
    """`column LIKE 'prefix%'`."""

    column: str
    prefix: str


@dataclass(frozen=True, slots=True)
class TextPattern:
    """The texts of a column that a regular expression matches as a whole: for estimates alone, DynamoDB has no such."""

    column: str
    regex: str
    ignore_case: bool


@dataclass(frozen=True, slots=True)
class Contains:
    """`column LIKE '%part%'`."""

    column: str
    part: str


@dataclass(frozen=True, slots=True)
class IsNull:
    """`column IS NULL`: the attribute is missing or NULL."""

    column: str


@dataclass(frozen=True, slots=True)
class IsNotNull:
    """`column IS NOT NULL`."""

    column: str


Leaf = Comparison | Between | OneOf | StartsWith | Contains | IsNull | IsNotNull


@dataclass(frozen=True, slots=True)
class Within:
    """A condition on a part of a map or list: the steps to it are names of fields, and places in lists, from 0.

    `condition` is on `part`, as if that were a column of its own.
    """

    column: str
    steps: tuple[str | int, ...]
    part: Column
    condition: Leaf


@dataclass(frozen=True, slots=True)
class AllOf:
    """Conjunction; of nothing: true."""

    parts: "tuple[Predicate, ...]"


@dataclass(frozen=True, slots=True)
class AnyOf:
    """Disjunction of at least two parts."""

    parts: "tuple[Predicate, ...]"


Predicate = Leaf | Within | AllOf | AnyOf


def columns_of(predicate: Predicate) -> frozenset[str]:
    """The columns that a predicate is about."""
    match predicate:
        case AllOf(parts) | AnyOf(parts):
            return frozenset(itertools.chain.from_iterable(columns_of(part) for part in parts))
        case _:
            return frozenset({predicate.column})
