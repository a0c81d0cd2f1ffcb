"""The words for budgets."""

import math
from typing import assert_never

from mcp_server.domain.failures import budgets as facts
from mcp_server.engine.allowance import MARGIN
from mcp_server.surface.wording.ways import BY_KEY, filtering
from mcp_server.surface.wording.words import Words

_Stopped = facts.BudgetTooSmall | facts.BudgetTooSmallForRead | facts.BudgetSpent


def words(fact: facts.BudgetFact) -> Words:
    """The words of a fact."""
    match fact:
        case facts.BudgetTooSmall():
            takes = f"since it takes about {fact.expected:,.0f} read units"
            return _stopped(f"before it read anything, {takes}", fact, fact.expected)
        case facts.BudgetTooSmallForRead():
            when = f"before a read that would make it about {fact.expected:,.0f} read units"
            return _stopped(when, fact, fact.expected)
        case facts.BudgetSpent():
            return _stopped(f"after {fact.spent:,.0f} {fact.unit}", fact, fact.expected)
        case facts.HourSpent():
            expected = f", and this one is expected to read {fact.expected:,.0f}" if fact.expected else ""
            return Words(
                f"Your calls have read {fact.spent:,.0f} read units in the last hour{expected}; "
                f"{fact.most:,.0f} an hour are allowed.",
                "Read less: filter by key or by an index (see explain_sql); "
                "or wait until earlier reads are an hour old.",
            )
        case _:
            assert_never(fact)


def _stopped(when: str, fact: _Stopped, expected: float) -> Words:
    return Words(
        f"The query was stopped {when}; its budget is {fact.budget:,.0f}. It has no result, "
        "since one from a part of the data would be wrong.",
        f"{filtering(fact.scanned, BY_KEY)}{_allowing(fact.budget, fact.most, expected)}.",
    )


def _allowing(budget: float, most: float, expected: float) -> str:
    """What budget would do, where one does that a caller can ask for."""
    if budget >= most or expected > most:
        return f": no query may take more than {most:,.0f}"
    if expected:
        return f", or allow it with max_read_units {min(most, math.ceil(expected * MARGIN)):.0f}"
    return f", or allow more with max_read_units, {most:.0f} at most"
