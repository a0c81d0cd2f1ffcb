"""Tools that ask the client while the call is under way, as the handshake revisions do."""

from collections.abc import Awaitable, Callable
from typing import Any

from mcp.types import CallToolResult, CreateMessageResult, ElicitResult

from mcp_server.surface.call import Call
from mcp_server.surface.tools.served_tool import Arguments, ServedTool
from tests.conformance.profile import questions
from tests.conformance.profile.content import result, text
from tests.conformance.profile.tool import tool


class _Prompt(Arguments):
    prompt: str


class _Message(Arguments):
    message: str


async def _sampling(call: Call, arguments: _Prompt) -> CallToolResult:
    answer = await call.ask(questions.sampling(arguments.prompt), CreateMessageResult)
    return result(text(f"LLM response: {getattr(answer.content, 'text', '')}"))


async def _elicitation(call: Call, arguments: _Message) -> CallToolResult:
    return await _ask(call, arguments.message, questions.RESPONSE)


def _form(schema: dict[str, Any]) -> Callable[[Call, Arguments], Awaitable[CallToolResult]]:
    async def ask(call: Call, _arguments: Arguments) -> CallToolResult:
        return await _ask(call, "Please fill in this form.", schema)

    return ask


async def _ask(call: Call, message: str, schema: dict[str, Any]) -> CallToolResult:
    answer = await call.ask(questions.elicitation(message, schema), ElicitResult)
    return result(text(f"User response: action={answer.action}, content={answer.content}"))


def _argument(name: str) -> dict[str, Any]:
    return {"type": "object", "properties": {name: {"type": "string"}}, "required": [name]}


ASKING_TOOLS: tuple[ServedTool, ...] = (
    tool("test_sampling", _sampling, arguments=_Prompt, input_schema=_argument("prompt")),
    tool("test_elicitation", _elicitation, arguments=_Message, input_schema=_argument("message")),
    tool("test_elicitation_sep1034_defaults", _form(questions.DEFAULTS)),
    tool("test_elicitation_sep1330_enums", _form(questions.ENUMS)),
)
