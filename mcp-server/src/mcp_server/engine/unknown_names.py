"""Names in a statement that are no table's, or no schema's: where they stand, and which statement is likely meant."""

from collections.abc import Awaitable, Callable

from mcp_server.domain.failures import Failure, Meant
from mcp_server.domain.failures.schemas import IndexAsTable, UnknownSchema
from mcp_server.domain.failures.tables import UnknownTable
from mcp_server.domain.names import likeliest
from mcp_server.domain.schema import Table
from mcp_server.engine.tables import place_of_name
from mcp_server.sql.gate.parse import Statement
from mcp_server.sql.respelling import with_other_name, without_schema


async def with_what_is_meant(
    failure: Failure, statement: Statement, schema: str, named: Callable[[str], Awaitable[Table | None]]
) -> Failure:
    """The failure with its place, and the statement with the likely name.

    `schema` is the one of unqualified names; `named` finds a table of it, and whether one is there decides if a name
    with a dot is that of an index.
    """
    position = place_of_name(failure.fact, statement, schema)
    meant: Meant | None = None
    match failure.fact:
        case UnknownTable(name=unknown, near=near) as fact if (likely := likeliest(unknown, near)) is not None:
            found = [one for one in statement.tables if one.name == unknown and one.schema in (None, fact.schema)]
            meant = with_other_name(statement, "table", found[0], likely) if len(found) == 1 else None
        case UnknownSchema(name=unknown, near=near):
            likely = likeliest(unknown, near)
            for name in sorted((one for one in statement.tables if one.schema == unknown), key=str):
                table = await named(unknown)
                if table is not None and any(index.name == name.name for index in table.indexes):
                    as_table = without_schema(statement, name)
                    return Failure(IndexAsTable(unknown, name.name), position=position, meant=as_table)
                meant = with_other_name(statement, "schema", name, likely) if likely is not None else None
    return Failure(failure.fact, position=position, meant=meant)
