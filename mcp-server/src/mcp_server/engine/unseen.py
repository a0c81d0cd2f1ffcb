"""Texts that a statement looks for in a column whose few values are other ones: 'Germany' where there is 'GERMANY'."""

from collections.abc import Iterator, Sequence
from difflib import get_close_matches

from mcp_server.domain.names import fold
from mcp_server.domain.schema import Table
from mcp_server.planning.predicate import AllOf, AnyOf, Comparison, OneOf, Predicate

_LONGEST = 60


def unseen_values(table: Table, predicate: Predicate) -> Iterator[str]:
    """A warning for each text that a condition compares a column with, and that no sampled item has there."""
    match predicate:
        case AllOf(parts) | AnyOf(parts):
            for part in parts:
                yield from unseen_values(table, part)
            return
        case Comparison(name, "=" | "<>", str() as value):
            wanted = [value]
        case OneOf(name, values):
            wanted = [value for value in values if isinstance(value, str)]
        case _:
            return
    column = table.column(name)
    seen = column.examples.values if column is not None and column.examples is not None else ()
    for text in wanted:
        if seen and text not in seen and len(text) <= _LONGEST:
            told = ", ".join(map(_literal, _near(text, seen) or seen))
            yield f'No sampled item of "{table.name}" has {_literal(text)} as "{name}"; there are {told}.'


def _near(text: str, seen: Sequence[str]) -> list[str]:
    """The values that differ from a text in case only, else those that are most like it."""
    alike = [one for one in seen if fold(one) == fold(text)]
    folded = {fold(one): one for one in seen}
    return alike or [folded[one] for one in get_close_matches(fold(text), folded)]


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
