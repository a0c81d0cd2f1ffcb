"""The words for parameters."""

from collections.abc import Iterable
from typing import assert_never

from mcp_server.domain.failures import parameters as facts
from mcp_server.surface.wording.words import Words


def words(fact: facts.ParameterFact) -> Words:
    """The words of a fact."""
    match fact:
        case facts.MixedPlaceholders():
            return Words("The statement mixes `?` with numbered parameters.", "Use only `?` or only `$1`, `$2`, ….")
        case facts.ParametersOtherwiseNamed():
            return Words(
                "The parameters do not match the way the statement names them.",
                "Pass a list for `?` and `$1`, an object for `$name` and `:name`.",
            )
        case facts.MissingParameters():
            return Words(
                f"No value is given for parameter {_written(fact.names)}.",
                "Give every parameter of the statement a value.",
            )
        case facts.UnknownParameters():
            return Words(
                f"The statement has no parameter {_written(fact.names)}.", "Leave it out, or use it in the statement."
            )
        case facts.UnfitParameter():
            return Words(
                f"Parameter ${fact.name} has a value that cannot be passed.",
                "Pass strings without NUL, finite numbers of up to 38 digits, booleans or null; "
                "pass a list item by item.",
            )
        case _:
            assert_never(fact)


def _written(names: Iterable[str]) -> str:
    return ", ".join(f"${name}" for name in names)
