"""The words for cursors."""

from typing import assert_never

from mcp_server.domain.failures import cursors as facts
from mcp_server.surface.wording.words import Words

_AGAIN = "Run the statement again without a cursor."


def words(fact: facts.CursorFact) -> Words:
    """The words of a fact."""
    match fact:
        case facts.ForeignCursor():
            return Words(
                "The cursor does not belong to this statement, its parameters and this caller.",
                "Pass `next_cursor` unchanged, with the same statement and parameters; or leave the cursor out.",
            )
        case facts.CursorTooOld():
            return Words("The cursor has expired.", _AGAIN)
        case facts.ResultNotKept():
            return Words("The result that this cursor continues is no longer kept.", _AGAIN)
        case facts.ReadOtherwise():
            return Words(
                "What is known of the table has changed, so that the cursor no longer says where the next page starts.",
                _AGAIN,
            )
        case facts.SeenOtherwise():
            return Words("What you may see of these tables has changed since the cursor was made.", _AGAIN)
        case facts.PathClosed():
            why = f"cannot be read any more: {fact.reason}" if fact.reason is not None else "is not there any more"
            return Words(f'The index "{fact.index}", through which the pages so far were read, {why}.', _AGAIN)
        case _:
            assert_never(fact)
