"""The words for scans of whole tables."""

from collections.abc import Sequence
from typing import assert_never

from mcp_server.domain.failures import scans as facts
from mcp_server.domain.prices import both_in_words
from mcp_server.domain.rejected_index import RejectedIndex
from mcp_server.engine.messages import unasked_scan
from mcp_server.engine.results import Cost, Explanation
from mcp_server.planning.plan import Read
from mcp_server.surface.wording import confirmations
from mcp_server.surface.wording.ways import filtering
from mcp_server.surface.wording.words import Words, listed


def words(fact: facts.ScanFact) -> Words:
    """The words of a fact."""
    return Words(_message(fact), f"{_instead(fact)}, or repeat it with allow_full_scan if that is wanted.")


def verdict(explanation: Explanation) -> str:
    """What a plan says of scans of large tables, of its cost, its time and the budget; or else that it may run."""
    told = []
    if explanation.large_tables:
        told.append(_needed(explanation.large_tables, "it is large"))
        told.append(
            "run_sql refuses that without allow_full_scan, or asks its person where the client can. Allowed, it takes "
            f"what scans and cost say: about {explanation.cost.read_units:,.0f} read units."
        )
    elif explanation.unconfirmed is not None:
        told.append(confirmations.verdict(explanation.unconfirmed))
    if explanation.ends_after is not None:
        told.append(
            f"It is expected to take about {explanation.cost.seconds:,.0f} s, and run_sql ends a query, without a "
            f"result, after {explanation.ends_after:g} s."
        )
    if explanation.ends_at is not None:
        told.append(
            f"It is expected to take about {explanation.cost.read_units:,.0f} read units, and run_sql ends a query, "
            f"without a result, at {explanation.ends_at:,.0f}, whatever is allowed."
        )
    return " ".join(told) or "It may run as it is."


def question(tables: Sequence[str], reads: Sequence[Read], cost: Cost) -> str:
    """What a person is asked: whether the scans of a query may be made, with what all of it costs.

    `tables` are those whose scan was only decided on during the run; what their scans take is known where they were
    planned, too.
    """
    planned = [read for read in reads if read.access == "Scan"]
    takes = [
        f'all of "{read.relation.table.schema}.{read.relation.table.name}": about {read.estimate.items:,} items, '
        f"{read.estimate.read_units:,.1f} read units"
        for read in planned
    ]
    unplanned = set(tables) - {read.relation.table.name for read in planned}
    takes += [f'all of "{table}", more than was expected' for table in sorted(unplanned)]
    amounts, basis = both_in_words(cost.dollars), cost.dollars.basis
    costs = f"It costs {'at least ' if unplanned else ''}{amounts} ({basis})" if amounts else f"Its cost: {basis}"
    return f"The query reads {'; '.join(takes)}. {costs}. Go on?"


def _message(fact: facts.ScanFact) -> str:
    match fact:
        case facts.LargeScan():
            needed = _needed([table.name for table in fact.tables], "that is more than may be scanned unasked")
            return " ".join([needed, *(_rejected(index) for table in fact.tables for index in table.rejected)])
        case facts.ScanForKeys():
            return _needed([fact.table.name], "other tables' rows name too many of its keys to read it by them")
        case facts.ScanWentOn():
            return _needed([fact.table.name], _went_on(fact))
        case _:
            assert_never(fact)


def _went_on(fact: facts.ScanWentOn) -> str:
    if not fact.early:
        return f"more than {fact.most:,} items were scanned"
    return (
        f"it was likely to end early, but found too few rows in {unasked_scan(fact.most, fact.most_units)}, the most "
        f"that is scanned unasked. {fact.spent:,.1f} read units were read"
    )


def _rejected(index: RejectedIndex) -> str:
    return f'Index "{index.name}" ({index.saving}) was not used: {index.reason}.'


def _instead(fact: facts.ScanFact) -> str:
    tables = fact.tables if isinstance(fact, facts.LargeScan) else (fact.table,)
    return filtering(tables, "Filter by a key (see explain_sql and describe_table)")


def _needed(tables: Sequence[str], why: str) -> str:
    return f"The query needs a full scan of {listed(tables)}: {why}."
