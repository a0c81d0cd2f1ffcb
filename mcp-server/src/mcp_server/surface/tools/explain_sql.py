"""explain_sql: how a query would be run, without running it."""

from typing import Annotated, Literal, NotRequired

from pydantic import Field
from typing_extensions import TypedDict

from mcp_server.domain.prices import Dollars
from mcp_server.engine.queries import QueryService
from mcp_server.engine.results import Cost
from mcp_server.planning.plan import Alternative, Confidence, Read
from mcp_server.surface.call import Call
from mcp_server.surface.resources import view
from mcp_server.surface.tools import fields
from mcp_server.surface.tools.served_tool import ServedTool, serve
from mcp_server.surface.tools.statement import StatementArguments
from mcp_server.surface.wording.scans import verdict
from shared_kernel import scope

_DESCRIPTION = (
    "Shows how run_sql would run a SELECT, without running it: for every table the index and conditions by which "
    "DynamoDB is read, and about what it costs. Use it before a query that may be expensive, and to find "
    "out which condition would make it cheaper."
)


class EstimateEntry(TypedDict):
    """What a read is expected to take."""

    items: int
    pages: int
    read_units: float
    seconds: float
    confidence: Confidence
    at_most_read_units: NotRequired[
        Annotated[float, Field(description="Where it is expected to end early: what it takes if few items match.")]
    ]
    on_demand_usd: NotRequired[float]
    provisioned_usd: NotRequired[float]


class AlternativeEntry(TypedDict):
    """Another way that would do as well, and was dearer."""

    access: str
    index: NotRequired[str]
    items: int
    read_units: float
    seconds: float
    reason: str


class RejectedEntry(TypedDict):
    """An index that would have been better, and why it is not read."""

    name: str
    reason: str
    read_units: float


class ScanEntry(TypedDict):
    """How one table is read."""

    table: str
    access: Annotated[
        Literal["GetItem", "Query", "Scan", "Union", "None"],
        Field(description="The DynamoDB operation; Union: several by key; None: nothing is read."),
    ]
    index: NotRequired[str]
    reason: str
    key_condition: NotRequired[Annotated[str, Field(description="What bounds the read.")]]
    pushed_filters: Annotated[
        list[str], Field(description="Applied by DynamoDB after reading; they save no read units.")
    ]
    residual_filters: Annotated[list[str], Field(description="Applied here, to what DynamoDB returns.")]
    rejected_indexes: list[RejectedEntry]
    alternatives: list[AlternativeEntry]
    estimate: EstimateEntry


class CostEntry(TypedDict):
    """What all reads are expected to take."""

    items: int
    pages: int
    read_units: float
    seconds: float
    on_demand_usd: NotRequired[float]
    provisioned_usd: NotRequired[float]
    basis: str
    confidence: Confidence


class PlanDescription(TypedDict):
    """The result."""

    plan: str
    scans: list[ScanEntry]
    cost: CostEntry
    normalized_sql: str
    verdict: str


def explain_sql(queries: QueryService) -> ServedTool:
    """The tool over a QueryService."""

    async def answer(call: Call, arguments: StatementArguments) -> PlanDescription:
        explanation = await queries.explain_sql(
            call.principal,
            sql=arguments.sql,
            schema_name=arguments.schema_name,
            parameters=arguments.values,
        )
        return {
            "plan": explanation.plan,
            "scans": [
                _scan(read, dollars) for read, dollars in zip(explanation.reads, explanation.dollars, strict=True)
            ],
            "cost": _cost(explanation.cost),
            "normalized_sql": explanation.normalized_sql,
            "verdict": verdict(explanation),
        }

    return serve(
        answer,
        name="explain_sql",
        title="Explain a SQL query",
        description=_DESCRIPTION,
        scopes=frozenset({scope.QUERY}),
        arguments=StatementArguments,
        result=PlanDescription,
        meta=view.OF_TOOL,
    )


def _cost(cost: Cost) -> CostEntry:
    entry: CostEntry = {
        "items": cost.items,
        "pages": cost.pages,
        "read_units": cost.read_units,
        "seconds": cost.seconds,
        "basis": cost.dollars.basis,
        "confidence": cost.confidence,
    }
    _price(entry, cost.dollars)
    return entry


def _price(entry: CostEntry | EstimateEntry, dollars: Dollars) -> None:
    """Adds the dollars, where a price is known."""
    if dollars.on_demand is not None and dollars.provisioned is not None:
        entry["on_demand_usd"], entry["provisioned_usd"] = dollars.on_demand, dollars.provisioned


def _alternative(way: Alternative) -> AlternativeEntry:
    entry: AlternativeEntry = {
        "access": way.access,
        "items": way.estimate.items,
        "read_units": way.estimate.read_units,
        "seconds": way.estimate.seconds,
        "reason": way.reason,
    }
    if way.index is not None:
        entry["index"] = way.index
    return entry


def _scan(read: Read, dollars: Dollars) -> ScanEntry:
    entry: ScanEntry = {
        "table": fields.names(read.relation.table)["qualified_name"],
        "access": read.access,
        "reason": read.reason,
        "pushed_filters": list(read.pushed_filters),
        "residual_filters": list(read.residual_filters),
        "rejected_indexes": [
            {
                "name": index.name,
                "reason": f"{index.reason}; it would take {index.saving}",
                "read_units": index.read_units,
            }
            for index in read.rejected
        ],
        "alternatives": [_alternative(way) for way in read.alternatives],
        "estimate": {
            "items": read.estimate.items,
            "pages": read.estimate.pages,
            "read_units": read.estimate.read_units,
            "seconds": read.estimate.seconds,
            "confidence": read.estimate.confidence,
        },
    }
    _price(entry["estimate"], dollars)
    if read.at_most is not None:
        entry["estimate"]["at_most_read_units"] = read.at_most.read_units
    if read.index is not None:
        entry["index"] = read.index
    if read.key_condition is not None:
        entry["key_condition"] = read.key_condition
    return entry
