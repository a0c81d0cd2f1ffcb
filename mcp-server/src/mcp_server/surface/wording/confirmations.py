"""The words for what a query costs that nobody has agreed to."""

import math

from mcp_server.domain.failures.confirmations import CostUnconfirmed
from mcp_server.domain.prices import both_in_words
from mcp_server.engine.allowance import MARGIN
from mcp_server.surface.wording.ways import BY_KEY, filtering
from mcp_server.surface.wording.words import Words


def words(fact: CostUnconfirmed) -> Words:
    """The words of a fact."""
    return Words(
        f"The query is expected to read {takes(fact)}. More than {fact.unasked:,.0f} read units need a confirmation."
        f"{_stopped(fact)}",
        f"{filtering(fact.scanned, BY_KEY)}, or ask the person who pays for it and repeat it with "
        f"max_read_units {allowing(fact)}.",
    )


def question(fact: CostUnconfirmed) -> str:
    """What a person is asked."""
    return f"The query is expected to read {takes(fact)}.{_stopped(fact)} Go on?"


def verdict(fact: CostUnconfirmed) -> str:
    """What a plan says of a query that needs a confirmation."""
    return (
        f"run_sql asks before it runs: about {fact.read_units:,.0f} read units are more than {fact.unasked:,.0f}. "
        f"Where the client cannot ask its person, max_read_units {allowing(fact)} allows them."
    )


def takes(fact: CostUnconfirmed) -> str:
    """What the query takes, in items, read units and dollars."""
    amounts, basis = both_in_words(fact.dollars), fact.dollars.basis
    return f"about {fact.items:,} items, {fact.read_units:,.1f} read units: " + (
        f"{amounts} ({basis})" if amounts is not None else basis
    )


def _stopped(fact: CostUnconfirmed) -> str:
    """What nobody should agree to unknowingly: paying for a query that ends without a result."""
    if fact.read_units <= fact.budget:
        return ""
    return f" It is stopped, without a result, once it has taken {fact.budget:,.0f}."


def allowing(fact: CostUnconfirmed) -> str:
    """The value of max_read_units that allows the query."""
    return f"{min(fact.most, math.ceil(fact.read_units * MARGIN)):.0f}"
