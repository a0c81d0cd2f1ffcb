"""The words for what a caller may not do."""

from typing import assert_never

from mcp_server.domain.failures import access as facts
from mcp_server.surface.wording.words import Words

_SHOWN = "Use a schema and tables that list_tables shows."


def words(fact: facts.AccessFact) -> Words:
    """The words of a fact; a schema that is another tenant's is none."""
    match fact:
        case facts.SchemaDenied():
            return Words(f'There is no schema "{fact.schema}".', _SHOWN)
        case facts.DisabledSchemaDenied():
            return Words(f'Schema "{fact.schema}" is disabled.', _SHOWN)
        case facts.TableDenied():
            return Words(f'There is no table "{fact.table}" in schema "{fact.schema}".', _SHOWN)
        case facts.WorkspaceUsageDenied():
            return Words(
                "Only owners and admins of a workspace may see what everybody in it reads.",
                "Leave whose out, to see what you read yourself.",
            )
        case facts.MissingScopes():
            return Words(
                "The access token lacks a scope that this tool needs.",
                f"Sign in again and grant: {' '.join(fact.needed)}.",
            )
        case _:
            assert_never(fact)
