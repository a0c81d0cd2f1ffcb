"""The first rows of a result as JSON values, in a thread where they are many."""

from typing import Any

from mcp_server.engine.parsed import in_thread
from mcp_server.engine.rows import json_rows
from mcp_server.ports.relational import Result

FEW_ROWS = 100
FEW_BYTES = 16 * 1024
"""A result up to this size becomes JSON on the event loop: a thread would take longer to be reached."""


async def first_rows(result: Result, max_rows: int, max_bytes: int) -> list[list[Any]]:
    """As many of the first rows as fit both bounds. Raises Failure."""
    if result.table.num_rows <= FEW_ROWS and result.table.nbytes <= FEW_BYTES:
        return json_rows(result, 0, max_rows, max_bytes)
    return await in_thread(json_rows, result, 0, max_rows, max_bytes)
