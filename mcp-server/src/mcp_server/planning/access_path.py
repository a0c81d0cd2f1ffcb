"""Chooses how a relation is read: by key, through an index, or by scanning."""

from mcp_server.planning.plan import Read, Relation


def plan_read(relation: Relation, *, consistent: bool) -> Read:
    """The cheapest read that is sure to yield every row the query can use. `consistent` asks for strong consistency."""
    raise NotImplementedError


def full_scan_of(read: Read) -> bool:
    """Whether a read scans a whole table or index so large (100,000 items or 64 MB) that it has to be asked for."""
    raise NotImplementedError
