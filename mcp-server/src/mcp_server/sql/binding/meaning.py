"""Checks that qualifying a statement changed the meaning of none of its names."""

from mcp_server.domain.failures import Failure, FailureCode, Position
from mcp_server.sql.positions import position_of
from mcp_server.sql.sources import Sources


def check_meaning(sources: Sources, text: str, mark: str) -> None:
    """Refuses a statement in which a column of one source became another's or a field, or a field became a column."""
    for node in sources.changed:
        written = ".".join(part.split(mark)[0] for part in (node.text("table"), node.name) if part)
        raise uncertain(written, position_of(text, node))


def uncertain(name: str, position: Position | None) -> Failure:
    """The refusal of a name that may mean two things."""
    return Failure(
        FailureCode.SYNTAX_NOT_SUPPORTED,
        f'It is not certain what "{name}" stands for.',
        "Give every table an alias that no column has, and write columns as `alias.column`.",
        position=position,
    )
