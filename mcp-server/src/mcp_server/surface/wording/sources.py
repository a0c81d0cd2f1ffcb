"""The words for what names stand for in FROM clauses."""

from typing import assert_never

from mcp_server.domain.failures import sources as facts
from mcp_server.domain.schema import DOCUMENT_COLUMN
from mcp_server.surface.wording.words import Words


def words(fact: facts.SourceFact) -> Words:
    """The words of a fact."""
    match fact:
        case facts.UnknownSource():
            return Words(
                f'There is no table or alias "{fact.name}" in the FROM clause.',
                f'Did you mean "{fact.near}"?' if fact.near is not None else "Check the aliases.",
            )
        case facts.UnknownQualifier():
            return Words(f'There is no table "{fact.name}" in the FROM clause.', "Write columns as `alias.column`.")
        case facts.SameName():
            apart = ", each of another schema" if fact.apart else ""
            return Words(
                f'Two tables are called "{fact.name}" in the same FROM clause{apart}.',
                "Give each an alias: `table AS name`.",
            )
        case facts.UncertainName():
            return Words(
                f'It is not certain what "{fact.name}" stands for.',
                "Give every table an alias that no column has, and write columns as `alias.column`.",
            )
        case facts.WholeRow():
            return Words(
                f'"{fact.table}" is a table, and a whole row of it cannot be a value.',
                f"Name its columns, or use {DOCUMENT_COLUMN} for the item as JSON.",
            )
        case facts.UnexpandedStar():
            return Words("`*` cannot be expanded here.", "Name the columns instead of `*`.")
        case facts.UncertainMerge():
            return Words(
                "USING and NATURAL are not supported beside commas and joins in parentheses.",
                "Write JOIN … ON, with each column as `alias.column`.",
            )
        case facts.NaturalWithDocument():
            return Words(f"A statement with {DOCUMENT_COLUMN} cannot use NATURAL JOIN.", "Write JOIN … USING (…).")
        case facts.Unresolved():
            return Words(
                "The names in the statement cannot be resolved.",
                "Give every table an alias and write every column as `alias.column`.",
            )
        case _:
            assert_never(fact)
