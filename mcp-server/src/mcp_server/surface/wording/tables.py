"""The words for tables."""

from typing import assert_never

from mcp_server.domain.failures import tables as facts
from mcp_server.surface.wording.words import Words, did_you_mean


def words(fact: facts.TableFact) -> Words:
    """The words of a fact."""
    match fact:
        case facts.UnknownTable():
            return Words(
                f'There is no table "{fact.name}" in schema "{fact.schema}".',
                did_you_mean(fact.near) if fact.near else f'Call list_tables for schema "{fact.schema}".',
            )
        case facts.AmbiguousTable():
            return Words(
                f'Table "{fact.name}" could be any of {", ".join(fact.candidates)}.',
                "Use the exact spelling of one of them, in double quotes.",
            )
        case facts.NameOfThreeParts():
            return Words(f'There is no table "{fact.name}".', "Name tables `table` or `schema.table`.")
        case facts.TableNotGiven():
            return Words(f'There is no table "{fact.name}".', "List the tables.")
        case facts.TableGone():
            return Words(f'There is no table "{fact.name}" any more.', "Call list_tables.")
        case _:
            assert_never(fact)
