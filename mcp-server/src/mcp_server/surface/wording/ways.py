"""The words for reading less of large tables."""

from collections.abc import Iterable

from mcp_server.domain.failures.scans import LargeTable

BY_KEY = "Filter by key or by an index (see explain_sql)"
_NAMED = 4
"""Conditions of a table that are named: describe_table has them all."""


def filtering(tables: Iterable[LargeTable], otherwise: str) -> str:
    """By which conditions to filter the tables, or what to do where none is known."""
    ways = [f'"{table.name}" by {" or by ".join(table.queries[:_NAMED])}' for table in tables if table.queries]
    return f"Filter {', and '.join(ways)} (explain_sql tells what that takes)" if ways else otherwise
