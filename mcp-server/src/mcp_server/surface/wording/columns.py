"""The words for columns."""

from typing import assert_never

from mcp_server.domain.failures import columns as facts
from mcp_server.domain.failures.columns import Pseudocolumn
from mcp_server.domain.names import quoted
from mcp_server.domain.schema import DOCUMENT_COLUMN, written
from mcp_server.surface.wording.words import Words, did_you_mean, listed

_ELSEWHERE = {
    Pseudocolumn.ROWNUM: "Use LIMIT for the first rows, row_number() OVER (ORDER BY …) to number them.",
    Pseudocolumn.SYSDATE: "Use now() or current_date.",
    Pseudocolumn.SYSTIMESTAMP: "Use now().",
    Pseudocolumn.MISSING: "Write IS NULL: an attribute that an item lacks is NULL.",
    Pseudocolumn.LEVEL: "Use WITH RECURSIVE for hierarchies.",
}
"""What does the same here."""


def words(fact: facts.ColumnFact) -> Words:
    """The words of a fact."""
    match fact:
        case facts.UnknownColumn():
            return Words(f'There is no column "{fact.name}".', _hint(fact.hint))
        case facts.UnknownField():
            return Words(f'There is no field "{fact.name}" in {_maps(fact)}.', _near_fields(fact))
        case facts.NoOutput():
            return Words(
                f"The result has no column number {fact.number}.",
                "In ORDER BY and GROUP BY, number the columns of the SELECT list from 1.",
            )
        case facts.AmbiguousColumn():
            choices = " or ".join(fact.choices) or "`alias.column`"
            return Words(f'Column "{fact.name}" is ambiguous.', f"Write it as {choices}.")
        case facts.AmbiguousSpelling():
            return Words(
                f'Column "{fact.name}" may be any of {listed(fact.candidates)}.', "Spell it exactly as one of them."
            )
        case facts.AmbiguousMerge():
            return Words(
                f'Column "{fact.name}" exists more than once on the left side of a join that merges it.',
                "Write JOIN … ON, with each column as `alias.column`.",
            )
        case _:
            assert_never(fact)


def _maps(fact: facts.UnknownField) -> str:
    """The maps that lack a field, as SQL reaches them."""
    return f"the maps of {quoted(fact.column)}{written(fact.path)}"


def _near_fields(fact: facts.UnknownField) -> str:
    if fact.near:
        return did_you_mean(f'"{name}"' for name in fact.near)
    return f"Describe the table to see the fields; {DOCUMENT_COLUMN} holds all of an item."


def _hint(hint: facts.Hint | None) -> str:
    match hint:
        case facts.NearColumns():
            return did_you_mean(f'"{name}"' for name in hint.names)
        case facts.UnquotedColumn():
            return f'Did you mean "{hint.column}"? Quote it.'
        case facts.FieldsOfColumns():
            return did_you_mean(hint.paths)
        case facts.QuotedText():
            if hint.typographic:
                return f"Write a text in straight single quotes: {hint.literal}."
            return f"Double quotes name columns. Write a text in single quotes: {hint.literal}."
        case facts.OutOfReach():
            return "Nothing that is read where it stands has that column; check tables and aliases."
        case Pseudocolumn():
            return _ELSEWHERE[hint]
        case None:
            return f"Describe the table to see its columns; {DOCUMENT_COLUMN} holds every attribute of an item."
        case _:
            assert_never(hint)
