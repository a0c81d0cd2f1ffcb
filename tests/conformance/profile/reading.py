"""The suite's resources, templates and prompts."""

import json
from collections.abc import Mapping, Sequence

from mcp.server.context import ServerRequestContext
from mcp.types import (
    BlobResourceContents,
    EmptyResult,
    GetPromptResult,
    Prompt,
    PromptArgument,
    Resource,
    ResourceTemplate,
    SubscribeRequestParams,
    TextResourceContents,
    UnsubscribeRequestParams,
)

from mcp_server.surface.call import Call
from mcp_server.surface.offer import ServedMethod
from mcp_server.surface.prompts.served_prompt import ServedPrompt
from mcp_server.surface.resources.served_resource import Contents, ServedResource, ServedTemplate
from tests.conformance.profile import rounds
from tests.conformance.profile.content import PNG, embedded, image, messages, text
from tests.conformance.profile.tool import SCOPES


async def _static_text(_call: Call) -> Contents:
    uri, value = "test://static-text", "This is the content of the static text resource."
    return [TextResourceContents(uri=uri, mime_type="text/plain", text=value)]


async def _static_binary(_call: Call) -> Contents:
    return [BlobResourceContents(uri="test://static-binary", mime_type="image/png", blob=PNG)]


async def _watched(_call: Call) -> Contents:
    return [TextResourceContents(uri="test://watched-resource", mime_type="text/plain", text="Watched.")]


async def _data(_call: Call, variables: Mapping[str, str]) -> Contents:
    identifier = variables["id"]
    value = json.dumps({"id": identifier, "templateTest": True, "data": f"Data for ID: {identifier}"})
    return [TextResourceContents(uri=f"test://template/{identifier}/data", mime_type="application/json", text=value)]


async def _simple(_call: Call, _arguments: Mapping[str, str]) -> GetPromptResult:
    return messages(text("This is a simple prompt for testing."))


async def _with_arguments(_call: Call, given: Mapping[str, str]) -> GetPromptResult:
    return messages(text(f"Prompt with arguments: arg1='{given['arg1']}', arg2='{given['arg2']}'"))


async def _with_resource(_call: Call, given: Mapping[str, str]) -> GetPromptResult:
    block = embedded(given["resourceUri"], "Embedded resource content for testing.")
    return messages(block, text("Please process the embedded resource above."))


async def _with_image(_call: Call, _arguments: Mapping[str, str]) -> GetPromptResult:
    return messages(image(), text("Please analyze the image above."))


async def _values(_call: Call, _given: Mapping[str, str]) -> Sequence[str]:
    return ["paris", "park", "party", "test"]


async def _acknowledge(_context: ServerRequestContext[object], _params: object) -> EmptyResult:
    return EmptyResult()


def _prompt(name: str, *arguments: str) -> Prompt:
    declared = [PromptArgument(name=argument, description="Any text.", required=True) for argument in arguments]
    return Prompt(name=name, description=f"Serves the suite's {name}.", arguments=declared)


RESOURCES = (
    ServedResource(
        Resource(uri="test://static-text", name="static-text", mime_type="text/plain"), SCOPES, _static_text
    ),
    ServedResource(
        Resource(uri="test://static-binary", name="static-binary", mime_type="image/png"), SCOPES, _static_binary
    ),
    ServedResource(Resource(uri="test://watched-resource", name="watched", mime_type="text/plain"), SCOPES, _watched),
)
TEMPLATES = (
    ServedTemplate(
        ResourceTemplate(uri_template="test://template/{id}/data", name="data", mime_type="application/json"),
        SCOPES,
        _data,
        {"id": _values},
    ),
)
PROMPTS = (
    ServedPrompt(_prompt("test_simple_prompt"), SCOPES, _simple),
    ServedPrompt(_prompt("test_prompt_with_arguments", "arg1", "arg2"), SCOPES, _with_arguments, {"arg1": _values}),
    ServedPrompt(_prompt("test_prompt_with_embedded_resource", "resourceUri"), SCOPES, _with_resource),
    ServedPrompt(_prompt("test_prompt_with_image"), SCOPES, _with_image),
    ServedPrompt(_prompt("test_input_required_result_prompt"), SCOPES, rounds.get_prompt),
)
METHODS = (
    ServedMethod("resources/subscribe", SubscribeRequestParams, _acknowledge),
    ServedMethod("resources/unsubscribe", UnsubscribeRequestParams, _acknowledge),
)
