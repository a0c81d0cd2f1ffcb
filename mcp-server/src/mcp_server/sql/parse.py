"""The gate: text in, one harmless read-only statement out, or a Failure that says why not."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlglot import exp

JsonValue = str | int | float | bool | list["JsonValue"] | dict[str, "JsonValue"] | None


@dataclass(frozen=True, slots=True)
class TableName:
    """A table as a statement names it, in the statement's spelling. `schema` is None where the default applies."""

    schema: str | None
    name: str


@dataclass(frozen=True, slots=True)
class Statement:
    """A statement that passed the gate. `tables` are its real table references; names of CTEs are not among them."""

    expression: exp.Query
    tables: frozenset[TableName]


def parse(text: str, parameters: Sequence[JsonValue] | Mapping[str, JsonValue] | None) -> Statement:
    """Parses and checks a statement, with its parameters in place as literals.

    `parameters` is a list for `?` and `$1`, an object for `$name` and `:name`. Raises Failure: invalid_argument,
    syntax_error, syntax_not_supported, statement_not_allowed, function_not_allowed, invalid_parameters.
    """
    raise NotImplementedError
