"""The words for schemas."""

from typing import assert_never

from mcp_server.domain.failures import schemas as facts
from mcp_server.surface.wording.words import Words, did_you_mean


def words(fact: facts.SchemaFact) -> Words:
    """The words of a fact."""
    match fact:
        case facts.NoSchema():
            return Words(
                "There is no schema for you.", "Ask the operator of this server to configure a schema for your tenant."
            )
        case facts.UnknownSchema():
            return Words(f'There is no schema "{fact.name}".', _instead(fact))
        case facts.IndexAsTable():
            return Words(
                f'There is no schema "{fact.table}": that is a table, and "{fact.index}" an index of it.',
                "Read from the table alone; an index is used where the conditions name its key.",
            )
        case facts.AmbiguousSchema():
            return Words(
                f'Schema "{fact.name}" could be any of {", ".join(fact.candidates)}.',
                "Use the exact spelling of one of them.",
            )
        case facts.DisabledSchema():
            return Words(f'Schema "{fact.name}" is disabled.', "Call list_schemas and use an active schema.")
        case facts.SelfDescription():
            return Words(
                f'There is no schema "{fact.name}" to query.',
                "Call the tool list_tables to see the tables, and describe_table to see the columns of one.",
            )
        case _:
            assert_never(fact)


def _instead(fact: facts.UnknownSchema) -> str:
    if fact.near:
        return did_you_mean(fact.near)
    return f"Use one of: {', '.join(fact.names)}." if fact.names else "Call list_schemas."
