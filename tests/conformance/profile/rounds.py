"""Tools and a prompt that need several rounds: an InputRequiredResult, then again with its answers."""

import json
from typing import Any

from mcp.types import (
    CallToolResult,
    CreateMessageResult,
    ElicitResult,
    GetPromptResult,
    InputRequest,
    InputRequiredResult,
    ListRootsRequest,
    ListRootsResult,
)

from mcp_server.surface.call import Call
from mcp_server.surface.tools.served_tool import Arguments, ServedTool
from tests.conformance.profile import questions
from tests.conformance.profile.content import messages, result, text
from tests.conformance.profile.tool import tool

Rounds = CallToolResult | InputRequiredResult


async def _elicitation(call: Call, _arguments: Arguments) -> Rounds:
    name = _filled_in(call, "user_name", "name")
    if name is None:
        return InputRequiredResult(input_requests={"user_name": _name()})
    return result(text(f"Hello, {name}!"))


async def _sampling(call: Call, _arguments: Arguments) -> Rounds:
    answer = (call.answers or {}).get("capital_question")
    if not isinstance(answer, CreateMessageResult):
        question = questions.sampling("What is the capital of France?")
        return InputRequiredResult(input_requests={"capital_question": question})
    return result(text(f"Model said: {getattr(answer.content, 'text', '')}"))


async def _list_roots(call: Call, _arguments: Arguments) -> Rounds:
    answer = (call.answers or {}).get("client_roots")
    if not isinstance(answer, ListRootsResult):
        return InputRequiredResult(input_requests={"client_roots": ListRootsRequest()})
    return result(text(f"Client exposed {len(answer.roots)} roots."))


async def _request_state(call: Call, _arguments: Arguments) -> Rounds:
    if call.state == "kept" and _filled_in(call, "confirm", "ok") is not None:
        return result(text("state-ok"))
    confirm = questions.elicitation("Please confirm", questions.OK)
    return InputRequiredResult(input_requests={"confirm": confirm}, request_state="kept")


async def _multiple_inputs(call: Call, _arguments: Arguments) -> Rounds:
    asked: dict[str, InputRequest] = {
        "user_name": _name(),
        "greeting": questions.sampling("Generate a greeting"),
        "client_roots": ListRootsRequest(),
    }
    if asked.keys() <= (call.answers or {}).keys():
        return result(text("All inputs received."))
    return InputRequiredResult(input_requests=asked, request_state="asked")


async def _multi_round(call: Call, _arguments: Arguments) -> Rounds:
    state: dict[str, Any] = json.loads(call.state) if call.state else {}
    name, color = _filled_in(call, "step1", "name"), _filled_in(call, "step2", "color")
    if "name" in state and color is not None:
        return result(text(f"{state['name']} likes {color}."))
    if name is not None:
        step = {"step2": questions.elicitation("Step 2: What is your favorite color?", questions.COLOR)}
        return InputRequiredResult(input_requests={**step}, request_state=json.dumps({"name": name}))
    first = questions.elicitation("Step 1: What is your name?", questions.NAME)
    return InputRequiredResult(input_requests={"step1": first}, request_state=json.dumps({"round": 1}))


async def _capabilities(call: Call, _arguments: Arguments) -> Rounds:
    can, asked = call.capabilities, dict[str, InputRequest]()
    if can is not None and can.sampling is not None:
        asked["sample"] = questions.sampling("Say hello")
    if can is not None and can.elicitation is not None:
        asked["ask"] = _name()
    return InputRequiredResult(input_requests=asked, request_state="asked")


async def get_prompt(call: Call, _arguments: Any) -> GetPromptResult | InputRequiredResult:
    """A prompt that needs an answer before it can be written."""
    context = _filled_in(call, "user_context", "context")
    if context is None:
        question = questions.elicitation("What context should the prompt use?", questions.CONTEXT)
        return InputRequiredResult(input_requests={"user_context": question})
    return messages(text(f"Use the following context: {context}"))


def _name() -> InputRequest:
    return questions.elicitation("What is your name?", questions.NAME)


def _filled_in(call: Call, question: str, field: str) -> Any:
    answer = (call.answers or {}).get(question)
    return answer.content.get(field) if isinstance(answer, ElicitResult) and answer.content else None


ROUND_TOOLS: tuple[ServedTool, ...] = (
    tool("test_input_required_result_elicitation", _elicitation),
    tool("test_streaming_elicitation", _elicitation),
    tool("test_input_required_result_sampling", _sampling),
    tool("test_input_required_result_list_roots", _list_roots),
    tool("test_input_required_result_request_state", _request_state),
    tool("test_input_required_result_multiple_inputs", _multiple_inputs),
    tool("test_input_required_result_multi_round", _multi_round),
    tool("test_input_required_result_tampered_state", _request_state),
    tool("test_input_required_result_capabilities", _capabilities),
)
