"""How prompts are declared, and what their messages hold."""

from collections.abc import Mapping, Sequence

from mcp.types import EmbeddedResource, GetPromptResult, Prompt, PromptArgument, PromptMessage, TextContent

from mcp_server.engine.browsing import BrowsingService
from mcp_server.surface.call import Call
from mcp_server.surface.resources.table import table_contents

SCHEMA = PromptArgument(name="schema", description="A schema from list_schemas; the default one if left out.")
TABLE = PromptArgument(name="table", description="A table to begin with.")


def prompt(name: str, title: str, description: str, arguments: Sequence[PromptArgument]) -> Prompt:
    """A prompt as clients see it."""
    return Prompt(name=name, title=title, description=description, arguments=list(arguments))


def messages(description: str, text: str, *attached: PromptMessage) -> GetPromptResult:
    """What the person says, after what is attached to it."""
    return GetPromptResult(
        description=description, messages=[*attached, PromptMessage(role="user", content=TextContent(text=text))]
    )


async def described_table(browsing: BrowsingService, call: Call, given: Mapping[str, str]) -> tuple[PromptMessage, ...]:
    """The description of the table that was filled in, to attach; nothing if none was. Raises Failure."""
    name = given.get("table")
    if not name:
        return ()
    resource = await table_contents(browsing, call, schema=given.get("schema") or None, table=name)
    return (PromptMessage(role="user", content=EmbeddedResource(resource=resource)),)
