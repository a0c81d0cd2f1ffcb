"""Tools that answer by themselves, some with notifications ahead of the answer."""

from typing import Any

from mcp import MCPError
from mcp.types import MISSING_REQUIRED_CLIENT_CAPABILITY, CallToolResult

from mcp_server.surface.call import Call
from mcp_server.surface.tools.served_tool import Arguments, ServedTool
from tests.conformance.profile.content import audio, embedded, image, result, text
from tests.conformance.profile.tool import Loose, tool

_MIRRORED = {
    "type": "object",
    "properties": {
        "region": {"type": "string", "description": "Repeated in a header.", "x-mcp-header": "Region"},
        "count": {"type": "integer", "description": "Repeated in a header.", "x-mcp-header": "Count"},
    },
    "additionalProperties": False,
}
_WHOLE_VOCABULARY = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "type": "object",
    "$defs": {
        "address": {
            "$anchor": "addressDef",
            "type": "object",
            "properties": {"street": {"type": "string"}, "city": {"type": "string"}},
        }
    },
    "properties": {
        "name": {"type": "string"},
        "address": {"$ref": "#/$defs/address"},
        "contactMethod": {"type": "string", "enum": ["phone", "email"]},
        "phone": {"type": "string"},
        "email": {"type": "string"},
    },
    "allOf": [{"anyOf": [{"required": ["phone"]}, {"required": ["email"]}]}],
    "if": {"properties": {"contactMethod": {"const": "phone"}}, "required": ["contactMethod"]},
    "then": {"required": ["phone"]},
    "else": {"required": ["email"]},
    "additionalProperties": False,
}


async def _simple_text(_call: Call, _arguments: Arguments) -> CallToolResult:
    return result(text("This is a simple text response for testing."))


async def _image(_call: Call, _arguments: Arguments) -> CallToolResult:
    return result(image())


async def _audio(_call: Call, _arguments: Arguments) -> CallToolResult:
    return result(audio())


async def _embedded(_call: Call, _arguments: Arguments) -> CallToolResult:
    return result(embedded("test://embedded-resource", "This is an embedded resource content."))


async def _mixed(_call: Call, _arguments: Arguments) -> CallToolResult:
    return result(text("Multiple content types test:"), image(), embedded("test://mixed-content-resource", "Mixed."))


async def _error(_call: Call, _arguments: Arguments) -> CallToolResult:
    raise RuntimeError("This tool intentionally returns an error for testing")


async def _logging(call: Call, _arguments: Arguments) -> CallToolResult:
    for step in ("Tool execution started", "Tool processing data", "Tool execution completed"):
        await call.log("info", step)
    return result(text("Logged."))


async def _progress(call: Call, _arguments: Arguments) -> CallToolResult:
    for done in (0, 50, 100):
        await call.progress(done, 100, f"Completed step {done} of 100")
    return result(text("Progressed."))


async def _missing_capability(call: Call, _arguments: Arguments) -> CallToolResult:
    if call.capabilities is None or call.capabilities.sampling is None:
        raise MCPError(
            code=MISSING_REQUIRED_CLIENT_CAPABILITY,
            message="This tool needs a client that samples",
            data={"requiredCapabilities": {"sampling": {}}},
        )
    return result(text("The client samples."))


async def _echo(_call: Call, arguments: Any) -> CallToolResult:
    return result(text(str(arguments.model_extra)))


PLAIN_TOOLS: tuple[ServedTool, ...] = (
    tool("test_simple_text", _simple_text),
    tool("test_image_content", _image),
    tool("test_audio_content", _audio),
    tool("test_embedded_resource", _embedded),
    tool("test_multiple_content_types", _mixed),
    tool("test_error_handling", _error),
    tool("test_tool_with_logging", _logging),
    tool("test_logging_tool", _logging),
    tool("test_tool_with_progress", _progress),
    tool("test_missing_capability", _missing_capability),
    tool("test_custom_headers", _echo, arguments=Loose, input_schema=_MIRRORED),
    tool("json_schema_2020_12_tool", _echo, arguments=Loose, input_schema=_WHOLE_VOCABULARY),
)
