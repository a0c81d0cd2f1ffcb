"""usage: what was read and what it cost."""

from typing import Annotated, NotRequired

from pydantic import Field
from typing_extensions import TypedDict

from mcp_server.domain.names import quoted
from mcp_server.engine.usage import WITHHELD, UsageLine, UsageReport, UsageService, Whose
from mcp_server.ports.usage import DAYS_KEPT, Total
from mcp_server.surface.call import Call
from mcp_server.surface.tools.served_tool import Arguments, ServedTool, serve
from shared_kernel import scope

_DESCRIPTION = "What your queries have read from DynamoDB, by day (UTC) and table, and what it cost."


class ShowUsage(Arguments):
    """The arguments."""

    whose: Annotated[
        Whose,
        Field(description="mine (the default); workspace: everybody's, for its owners and admins."),
    ] = "mine"
    days: Annotated[int, Field(ge=1, le=DAYS_KEPT, description="Today and days before; 7 by default.")] = 7


class Taken(TypedDict):
    """What some statements took; no `items` and `rows` where some of them may be unknown to the reader."""

    statements: int
    requests: int
    items: NotRequired[int]
    rows: NotRequired[int]
    read_units: float


class UsageEntry(Taken):
    """One table on one day; `shop.*` for all tables of which a rule keeps something from the reader."""

    day: str
    table: str
    usd: NotRequired[float]


class PersonEntry(Taken):
    """One person or program."""

    subject: str


class UsageListing(TypedDict):
    """The result."""

    first_day: str
    last_day: str
    entries: list[UsageEntry]
    read_units: float
    usd: NotRequired[float]
    basis: str
    people: NotRequired[list[PersonEntry]]
    truncated: bool


def listing(report: UsageReport) -> UsageListing:
    """A report as a document."""
    found: UsageListing = {
        "first_day": report.first.isoformat(),
        "last_day": report.last.isoformat(),
        "entries": [_entry(line) for line in report.lines],
        "read_units": report.read_units,
        "basis": report.basis,
        "truncated": report.truncated,
    }
    if report.usd is not None:
        found["usd"] = report.usd
    if report.people is not None:
        found["people"] = [
            {"subject": subject, **_taken(total, counted=not report.withholds)}
            for subject, total in report.people.items()
        ]
    return found


def usage(service: UsageService) -> ServedTool:
    """The tool over a UsageService."""

    async def answer(call: Call, arguments: ShowUsage) -> UsageListing:
        return listing(await service.report(call.principal, whose=arguments.whose, days=arguments.days))

    return serve(
        answer,
        name="usage",
        title="Show usage",
        description=_DESCRIPTION,
        scopes=frozenset({scope.QUERY}),
        arguments=ShowUsage,
        result=UsageListing,
    )


def _entry(line: UsageLine) -> UsageEntry:
    withheld = line.read.table == WITHHELD
    table = f"{quoted(line.read.schema)}.{WITHHELD if withheld else quoted(line.read.table)}"
    taken = _taken(line.read.total, counted=not withheld)
    entry: UsageEntry = {"day": line.read.day.isoformat(), "table": table, **taken, "usd": line.usd or 0.0}
    if line.usd is None:
        del entry["usd"]
    return entry


def _taken(total: Total, *, counted: bool) -> Taken:
    taken: Taken = {"statements": total.statements, "requests": total.requests, "read_units": total.read_units}
    if counted:
        taken["items"], taken["rows"] = total.items, total.rows
    return taken
