"""Which call a failure leads to, so that a model need not read it out of a sentence."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from mcp_server.domain.failures import Fact, Failure, FailureCode
from mcp_server.domain.failures.access import DisabledSchemaDenied, SchemaDenied, TableDenied
from mcp_server.domain.failures.arguments import UnknownArgument
from mcp_server.domain.failures.columns import UnknownColumn, UnknownField
from mcp_server.domain.failures.schemas import SelfDescription, UnknownSchema
from mcp_server.domain.failures.syntax import NotAQuery, Wish
from mcp_server.domain.failures.tables import TableGone, TableNotGiven, UnknownTable
from mcp_server.domain.names import likeliest, quoted

LONGEST = 4_000
"""Characters of a statement that is repeated; longer ones are the caller's own, and it still has them."""

_EXPLAINED = frozenset(
    {
        FailureCode.FULL_SCAN_REFUSED,
        FailureCode.CONFIRMATION_REQUIRED,
        FailureCode.BUDGET_EXCEEDED,
        FailureCode.DEADLINE_EXCEEDED,
        FailureCode.MEMORY_EXCEEDED,
    }
)
"""What a cheaper statement avoids: explain_sql says which."""
_FROM_THE_START = frozenset({FailureCode.CURSOR_INVALID, FailureCode.CURSOR_EXPIRED})
_AGREED = frozenset({"allow_full_scan", "max_read_units"})
"""Arguments by which a person agrees to something; no name is put right into one of them."""
_STATEMENT = ("sql", "schema_name", "parameters")


@dataclass(frozen=True, slots=True)
class NextCall:
    """A call of a tool, by the tool's name."""

    tool: str
    arguments: Mapping[str, Any] = field(default_factory=dict)


def next_call(failure: Failure, tool: str, arguments: Mapping[str, Any]) -> NextCall | None:
    """The call to make after a call of `tool` failed; None where it is the same one again, or cannot be told.

    It never allows what a person has to agree to.
    """
    if len(str(arguments.get("sql", ""))) > LONGEST:
        return None
    if failure.meant is not None:
        return NextCall(tool, {**_without(arguments, "cursor"), "sql": failure.meant.statement})
    renamed = _renamed(failure.fact, arguments)
    if renamed is not None:
        return NextCall(tool, renamed)
    looking = call_of(failure.fact)
    if looking is not None:
        return looking
    if failure.code is FailureCode.UNKNOWN_SCHEMA:
        return NextCall("list_schemas")
    if failure.code in _EXPLAINED and tool == "run_sql":
        return NextCall("explain_sql", {name: arguments[name] for name in _STATEMENT if name in arguments})
    if failure.code in _FROM_THE_START:
        return NextCall(tool, _without(arguments, "cursor"))
    return None


def call_of(fact: Fact) -> NextCall | None:
    """The call that shows what the statement asks for, or what its names may mean."""
    match fact:
        case NotAQuery():
            return _wished(fact)
        case SelfDescription() | TableGone() | TableNotGiven():
            return NextCall("list_tables")
        case SchemaDenied() | DisabledSchemaDenied():
            return NextCall("list_schemas")
        case TableDenied(schema=schema):
            return NextCall("list_tables", {"schema_name": schema})
        case UnknownTable(schema=schema, near=(nearest, *_)):
            return _description(f"{quoted(schema)}.{quoted(nearest)}")
        case UnknownTable():
            return NextCall("list_tables", {"schema_name": fact.schema})
        case UnknownColumn(table=str(table)) | UnknownField(table=str(table)):
            return _description(table)
    return None


def _renamed(fact: Fact, arguments: Mapping[str, Any]) -> dict[str, Any] | None:
    """The arguments with a name put right: of an argument that is not given as well, or of the schema."""
    match fact:
        case UnknownArgument(name=name, near=str(near)) if name in arguments and near not in {*arguments, *_AGREED}:
            return {near if key == name else key: value for key, value in arguments.items()}
        case UnknownSchema(name=name, near=likely) if arguments.get("schema_name") == name:
            meant = likeliest(name, likely)
            return {**arguments, "schema_name": meant} if meant is not None else None
    return None


def _wished(fact: NotAQuery) -> NextCall | None:
    match fact:
        case NotAQuery(wish=Wish.SCHEMAS):
            return NextCall("list_schemas")
        case NotAQuery(wish=Wish.TABLES):
            return NextCall("list_tables")
        case NotAQuery(table=str(table)):
            return _description(table)
        case NotAQuery(query=str(query)):
            return NextCall("explain_sql", {"sql": query})
    return None


def _description(table: str) -> NextCall:
    return NextCall("describe_table", {"table_name": table})


def _without(arguments: Mapping[str, Any], name: str) -> dict[str, Any]:
    return {key: value for key, value in arguments.items() if key != name}
