"""The words for scans of whole tables."""

from collections.abc import Sequence
from typing import assert_never

from mcp_server.domain.failures import scans as facts
from mcp_server.domain.rejected_index import RejectedIndex
from mcp_server.surface.wording.words import Words, listed

_NAMED = 4
"""Conditions of a table that are named: describe_table has them all."""


def words(fact: facts.ScanFact) -> Words:
    """The words of a fact."""
    return Words(_message(fact), f"{_instead(fact)}, or repeat it with allow_full_scan if that is wanted.")


def verdict(tables: Sequence[str]) -> str:
    """What a plan says of the large tables that it scans; of none, that it may run."""
    return _needed(tables, "it is large") if tables else "It may run as it is."


def _message(fact: facts.ScanFact) -> str:
    match fact:
        case facts.LargeScan():
            needed = _needed([table.name for table in fact.tables], "that is more than may be scanned unasked")
            return " ".join([needed, *(_rejected(index) for table in fact.tables for index in table.rejected)])
        case facts.ScanForKeys():
            return _needed([fact.table], "other tables' rows name too many of its keys to read it by them")
        case facts.ScanWentOn():
            return _needed([fact.table], f"more than {fact.most:,} items were scanned")
        case _:
            assert_never(fact)


def _rejected(index: RejectedIndex) -> str:
    return f'Index "{index.name}" ({index.saving}) was not used: {index.reason}.'


def _instead(fact: facts.ScanFact) -> str:
    tables = fact.tables if isinstance(fact, facts.LargeScan) else ()
    ways = [f'"{table.name}" by {" or by ".join(table.queries[:_NAMED])}' for table in tables if table.queries]
    if not ways:
        return "Filter by a key (see explain_sql and describe_table)"
    return f"Filter {', and '.join(ways)} (explain_sql tells what that takes)"


def _needed(tables: Sequence[str], why: str) -> str:
    return f"The query needs a full scan of {listed(tables)}: {why}."
