"""The words for bounds on time, memory, sizes and queries at once."""

from typing import assert_never

from mcp_server.domain.failures import limits as facts
from mcp_server.surface.wording.words import Words

_SHORTEN = "Shorten it: name columns instead of `*`, use fewer CTEs, joins and expressions."
_SELECT_LESS = "Select fewer or shorter columns."


def words(fact: facts.LimitFact, retry_after_seconds: int | None) -> Words:
    """The words of a fact, and when the same call may well succeed."""
    match fact:
        case facts.Overdue():
            return Words(
                f"The query was stopped after {fact.seconds:g} seconds. It has no result.",
                "Make it read or compute less: filter by key or by an index (see explain_sql).",
            )
        case facts.PlanningOverdue():
            return Words(f"Planning the statement takes longer than {fact.seconds:g} seconds.", _SHORTEN)
        case facts.PlanningTooLarge():
            return Words("Planning the statement needs more memory than it may take.", _SHORTEN)
        case facts.OutOfMemory():
            return Words(
                "The query needs more memory than one query may use.",
                "Aggregate or filter earlier, select fewer columns, or join fewer rows.",
            )
        case facts.RowTooLargeForReply():
            return Words(f"A single row takes more than the {fact.most} bytes that one reply may have.", _SELECT_LESS)
        case facts.RowTooLarge():
            return Words("A single row of the result is larger than a result may be.", _SELECT_LESS)
        case facts.ShareTaken():
            whose = "of your queries" if fact.whose == "principal" else "queries of your tenant"
            return _not_started(f"{fact.running} {whose} are running already", retry_after_seconds)
        case facts.ServerFull():
            return _not_started("The server is running as many queries as it can", retry_after_seconds)
        case facts.NoEvaluatorFree():
            return Words("Too many queries are running at the moment.", "Try again in a few seconds.")
        case _:
            assert_never(fact)


def _not_started(why: str, retry_after_seconds: int | None) -> Words:
    wait = f"{retry_after_seconds} seconds" if retry_after_seconds is not None else "a few seconds"
    return Words(
        f"{why}, so this one was not started.", f"Wait {wait}, then repeat the call; run fewer queries at once."
    )
