"""What every tool of this server is made of."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Self, TypeVar

from mcp.types import InputRequiredResult, ToolAnnotations
from mcp.types import Tool as ToolDefinition
from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic_core import ErrorDetails

from mcp_server.domain.failures import Failure
from mcp_server.domain.failures.arguments import ArgumentFact, MalformedArgument, MissingArgument, UnknownArgument
from mcp_server.domain.names import NotFound, find_name
from mcp_server.surface.call import Call
from mcp_server.surface.tools import json_schema


class Arguments(BaseModel):
    """The arguments of a tool; its fields are the declaration of input schema, decoding and documentation alike."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    @classmethod
    def decode(cls, arguments: Mapping[str, Any]) -> Self:
        """The arguments of a call. Raises Failure: invalid_argument.

        Null stands for an argument left out, and so does an empty string where the argument is optional: clients that
        make a model fill in every argument have no other way to say so.
        """
        fields = cls.model_fields
        given = {
            name: value
            for name, value in arguments.items()
            if value is not None and not (value == "" and name in fields and not fields[name].is_required())
        }
        try:
            return cls.model_validate(given)
        except ValidationError as error:
            problem = error.errors(include_url=False, include_context=False)[0]
            raise Failure(_violation(problem, cls)) from None


_Arguments = TypeVar("_Arguments", bound=Arguments)
_Result = TypeVar("_Result")


def _no_text(_call: Call, _document: Any) -> None:
    """Nothing is shown beside the document."""


@dataclass(frozen=True, slots=True)
class ServedTool:
    """A tool as clients see it, the scopes it needs, and what it does.

    `call` returns the result's document or, beyond what a document can say, the SDK's CallToolResult or
    InputRequiredResult; it raises Failure. `for_person` is a text that shows a document to a person, None where the
    document alone is sent.
    """

    definition: ToolDefinition
    scopes: frozenset[str]
    arguments: type[Arguments]
    call: Callable[[Call, Any], Awaitable[Any]]
    for_person: Callable[[Call, Any], str | None] = _no_text


def serve(
    call: Callable[[Call, _Arguments], Awaitable[_Result | InputRequiredResult]],
    *,
    name: str,
    title: str,
    description: str,
    scopes: frozenset[str],
    arguments: type[_Arguments],
    result: type[_Result],
    meta: Mapping[str, Any] | None = None,
    for_person: Callable[[Call, _Result], str | None] = _no_text,
) -> ServedTool:
    """A tool that only reads. `result` is a TypedDict whose fields describe themselves; `meta` is for extensions."""
    definition = ToolDefinition(
        name=name,
        title=title,
        description=description,
        input_schema=json_schema.of_arguments(arguments),
        output_schema=json_schema.of_result(result),
        annotations=ToolAnnotations(read_only_hint=True, destructive_hint=False, open_world_hint=False),
        _meta=dict(meta) if meta is not None else None,
    )
    return ServedTool(definition, scopes, arguments, call, for_person)


def _violation(problem: ErrorDetails, model: type[Arguments]) -> ArgumentFact:
    """What is wrong with which argument. The value itself is not repeated."""
    where = ".".join(str(step) for step in problem["loc"])
    if problem["type"] == "missing":
        return MissingArgument(where)
    if problem["type"] == "extra_forbidden":
        known = tuple(model.model_fields)
        match find_name(where, known):
            case NotFound((nearest, *_)):
                return UnknownArgument(where, nearest, known)
        return UnknownArgument(where, None, known)
    return MalformedArgument(where, problem["msg"])
