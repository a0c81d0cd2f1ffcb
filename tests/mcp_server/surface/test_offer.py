"""Which scopes a request needs, for all that a server can offer."""

from typing import Any, cast

import pytest
from mcp.types import Prompt, Resource, ResourceTemplate, Tool

from mcp_server.surface.offer import Offer
from mcp_server.surface.prompts.served_prompt import ServedPrompt
from mcp_server.surface.resources.served_resource import ServedResource, ServedTemplate
from mcp_server.surface.tools.served_tool import Arguments, ServedTool

UNUSED: Any = cast("Any", None)
OFFER = Offer(
    tools=(ServedTool(Tool(name="run", input_schema={"type": "object"}), frozenset({"query"}), Arguments, UNUSED),),
    resources=(ServedResource(Resource(uri="x://a", name="a"), frozenset({"read"}), UNUSED),),
    templates=(ServedTemplate(ResourceTemplate(uri_template="x://t/{n}", name="t"), frozenset({"more"}), UNUSED),),
    prompts=(ServedPrompt(Prompt(name="run"), frozenset({"read", "query"}), UNUSED),),
)


@pytest.mark.parametrize(
    ("method", "target", "needed"),
    [
        ("tools/call", "run", {"query"}),
        ("tools/call", "no_such_tool", set()),
        ("tools/call", "", set()),
        ("tools/list", "run", set()),
        ("prompts/get", "run", {"read", "query"}),
        ("prompts/get", "x://a", set()),
        ("resources/read", "x://a", {"read"}),
        ("resources/read", "x://t/7", {"more"}),
        ("resources/read", "x://t/7/8", set()),
        ("resources/read", "run", set()),
        ("completion/complete", "run", {"read", "query"}),
        ("completion/complete", "x://t/{n}", {"more"}),
        ("initialize", "", set()),
    ],
)
def test_a_request_needs_the_scopes_of_what_it_names(method: str, target: str, needed: set[str]) -> None:
    assert OFFER.needed_scopes(method, target) == needed
