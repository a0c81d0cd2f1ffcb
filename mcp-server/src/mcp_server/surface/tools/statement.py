"""The arguments that run_sql and explain_sql share: a statement and its parameters."""

from typing import Annotated, Any

from pydantic import BeforeValidator, WithJsonSchema
from pydantic_core import PydanticCustomError

from mcp_server.sql.gate.parameters import Parameters
from mcp_server.surface.tools import fields
from mcp_server.surface.tools.served_tool import Arguments


def _check_parameters(value: Any) -> Any:
    if isinstance(value, list | dict):
        return value
    raise PydanticCustomError("parameters", "must be a list of values")


# Numbers, booleans and null are taken as well, and an object for $name; but values of several types are a union, and no
# strict mode could describe the object. A text does for all: it stands in the statement as a quoted constant, which
# DuckDB reads as the type that is needed there.
ParameterValues = Annotated[
    Any,
    BeforeValidator(_check_parameters),
    WithJsonSchema(
        {
            "type": "array",
            "items": {"type": "string"},
            "description": "Values for ? (or $1, $2), numbers as texts too: use them for every value that comes from a"
            " person.",
        }
    ),
]


class StatementArguments(Arguments):
    """A statement, the schema of its unqualified names, and the values of its placeholders."""

    sql: fields.Sql
    schema_name: fields.SchemaName = None
    parameters: ParameterValues = None

    @property
    def values(self) -> Parameters:
        """The values of the placeholders."""
        values: Parameters = self.parameters
        return values
