"""The words for budgets."""

from typing import assert_never

from mcp_server.domain.failures import budgets as facts
from mcp_server.surface.wording.words import Words


def words(fact: facts.BudgetFact) -> Words:
    """The words of a fact."""
    match fact:
        case facts.BudgetTooSmall():
            takes = f"since it takes about {fact.expected:,.0f} read units"
            return _stopped(f"before it read anything, {takes}", fact.budget)
        case facts.BudgetTooSmallForRead():
            return _stopped(f"before a read that would make it about {fact.expected:,.0f} read units", fact.budget)
        case facts.BudgetSpent():
            return _stopped(f"after {fact.spent:,.0f} {fact.unit}", fact.budget)
        case facts.HourSpent():
            expected = f", and this one is expected to read {fact.expected:,.0f}" if fact.expected else ""
            return Words(
                f"Your queries have read {fact.spent:,.0f} read units in the last hour{expected}; "
                f"{fact.most:,.0f} an hour are allowed.",
                "Read less: filter by key or by an index (see explain_sql); "
                "or wait until earlier reads are an hour old.",
            )
        case _:
            assert_never(fact)


def _stopped(when: str, budget: float) -> Words:
    return Words(
        f"The query was stopped {when}; its budget is {budget:,.0f}. It has no result, "
        "since one from a part of the data would be wrong.",
        "Filter by key or by an index (see explain_sql), or allow more with max_read_units where possible.",
    )
