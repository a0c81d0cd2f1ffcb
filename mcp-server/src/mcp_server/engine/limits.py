"""What one call, and one tenant, may take. MCP_* settings decide some; callers can only ask for less."""

from dataclasses import dataclass

from mcp_server.planning.access_path import FULL_SCAN_ITEMS

PAGE_ROWS = 100
"""Rows of a page whose caller does not say how many."""

BUSY_SECONDS = 5
"""How long a caller waits before it tries again."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Bytes of a page are its rows as JSON; bytes read are the lengths of DynamoDB's responses.

    The direct ones bound what is answered without the relational engine; without rows, nothing is. With
    `confirm_read_units` of 0 no query has to be confirmed for its cost.
    """

    deadline_seconds: float = 30.0
    planning_seconds: float = 5.0
    queue_seconds: float = 5.0
    cursor_seconds: int = 900
    read_units: float = 50_000.0
    confirm_read_units: float = 10_000.0
    read_units_per_hour: float = 1_000_000.0
    page_rows: int = 1000
    page_bytes: int = 1_000_000
    result_rows: int = 100_000
    result_bytes: int = 60 << 20
    read_pages: int = 10_000
    read_bytes: int = 2 << 30
    full_scan_items: int = FULL_SCAN_ITEMS
    direct_rows: int = 1_000
    direct_bytes: int = 256 << 10
    queries: int = 6
    queries_per_tenant: int = 4
    queries_per_principal: int = 2
    waiting: int = 64
    waiting_per_principal: int = 16
    listed_tables: int = 200
    sampled_tables: int = 25
