"""JSON Schemas of arguments and results, derived from their declarations.

Model APIs differ in what their strict modes take. All take objects whose properties have one type, an enumeration and a
description, so that is all these schemas use: no unions, no lists of types (which Ajv warns of), no references, no
bounds, no defaults. Descriptions state bounds and defaults, and decoding enforces them.

Models fill in no results, so what is a text or null in a result has no type.
"""

from typing import Any

from pydantic import BaseModel, TypeAdapter

_KEPT = frozenset({"type", "description", "enum", "items", "properties", "required", "additionalProperties"})


def of_arguments(model: type[BaseModel]) -> dict[str, Any]:
    """The input schema of a tool: one flat object. An argument that may be left out is simply not required."""
    schema = model.model_json_schema()
    properties = {name: _without_null(property_) for name, property_ in schema.get("properties", {}).items()}
    shape = _plain({**schema, "properties": properties}, {}, dropped=frozenset())
    return {
        "type": "object",
        "properties": shape["properties"],
        "required": shape.get("required", []),
        "additionalProperties": False,
    }


def of_result(declaration: type[Any]) -> dict[str, Any]:
    """The output schema of a tool.

    It requires no property: a failure is structured content too, with other properties, and some clients hold that
    against the output schema even when `isError` is set. docs/tools.md says which fields may be missing. The objects
    within it are not spelled out: each listing of the tools would carry what every result shows.
    """
    schema = TypeAdapter(declaration).json_schema(mode="serialization")
    shape = _plain(schema, schema.get("$defs", {}), dropped=frozenset({"required"}))
    properties = {name: _outlined(property_) for name, property_ in shape["properties"].items()}
    return {"type": "object", "properties": properties}


def _outlined(schema: dict[str, Any]) -> dict[str, Any]:
    outline = {name: value for name, value in schema.items() if name != "properties"}
    if "items" in outline:
        outline["items"] = _outlined(outline["items"])
    return outline


def _plain(schema: dict[str, Any], definitions: dict[str, Any], *, dropped: frozenset[str]) -> dict[str, Any]:
    """The schema with its references inlined and only the keywords that every client takes, but for the dropped."""
    reference = schema.get("$ref")
    if reference is not None:
        schema = {**definitions[reference.rpartition("/")[2]], **schema}
    plain = {name: value for name, value in schema.items() if name in _KEPT - dropped}

    def part(value: dict[str, Any]) -> dict[str, Any]:
        return _plain(value, definitions, dropped=dropped)

    if "properties" in plain:
        plain.pop("description", None)  # the docstring, which is for readers of the code
        plain["properties"] = {name: part(value) for name, value in plain["properties"].items()}
    if "items" in plain:
        plain["items"] = part(plain["items"])
    return plain


def _without_null(schema: dict[str, Any]) -> dict[str, Any]:
    """The schema of an argument that may be null, as if null were not allowed: null means that it is left out."""
    choices = [choice for choice in schema.get("anyOf", ()) if choice != {"type": "null"}]
    if len(choices) != 1:
        return schema
    return {**{name: value for name, value in schema.items() if name != "anyOf"}, **choices[0]}
