"""Checks that qualifying a statement changed the meaning of none of its names."""

from mcp_server.domain.failures import Failure
from mcp_server.domain.failures.sources import UncertainName
from mcp_server.sql.positions import position_of
from mcp_server.sql.sources import Sources


def check_meaning(sources: Sources, text: str, mark: str) -> None:
    """Refuses a statement in which a column of one source became another's or a field, or a field became a column."""
    for node in sources.changed:
        written = ".".join(part.split(mark)[0] for part in (node.text("table"), node.name) if part)
        raise Failure(UncertainName(written), position=position_of(text, node))
