"""All that a server offers, and the scopes that each part needs."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from mcp.server.context import HandlerResult, ServerRequestContext
from mcp.shared.inbound import x_mcp_header_map
from pydantic import BaseModel

from mcp_server.surface.completion import Complete
from mcp_server.surface.marked import Mark
from mcp_server.surface.prompts.served_prompt import ServedPrompt
from mcp_server.surface.resources.served_resource import ServedResource, ServedTemplate
from mcp_server.surface.tools.served_tool import ServedTool

_NONE: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class ServedMethod:
    """A further method of the protocol, for any valid token."""

    method: str
    params: type[BaseModel]
    handle: Callable[[ServerRequestContext[Any], Any], Awaitable[HandlerResult]]


@dataclass(frozen=True, slots=True)
class Target:
    """What a name or URI stands for, as far as scopes and completions go."""

    scopes: frozenset[str]
    completions: Mapping[str, Complete]


@dataclass(frozen=True, slots=True)
class Offer:
    """Tools, resources, templates and prompts, each in the order in which clients see them.

    `mark` is what is made of each document that a tool answers, failures among them.
    """

    tools: tuple[ServedTool, ...] = ()
    resources: tuple[ServedResource, ...] = ()
    templates: tuple[ServedTemplate, ...] = ()
    prompts: tuple[ServedPrompt, ...] = ()
    methods: tuple[ServedMethod, ...] = ()
    mark: Mark = dict

    @property
    def mirrors_arguments(self) -> bool:
        """Whether clients repeat an argument of any tool in a header, so that gateways can route by it."""
        return any(x_mcp_header_map(tool.definition.input_schema) for tool in self.tools)

    def mirrored_schema(self, name: str) -> Mapping[str, Any] | None:
        """The input schema of a tool, if it says which arguments are repeated."""
        tool = self.tool(name)
        return tool.definition.input_schema if tool and x_mcp_header_map(tool.definition.input_schema) else None

    def tool(self, name: str) -> ServedTool | None:
        """The tool of that name."""
        for tool in self.tools:
            if tool.definition.name == name:
                return tool
        return None

    def prompt(self, name: str) -> ServedPrompt | None:
        """The prompt of that name."""
        return next((prompt for prompt in self.prompts if prompt.definition.name == name), None)

    def resource(self, uri: str) -> ServedResource | None:
        """The resource of that URI."""
        return next((resource for resource in self.resources if resource.definition.uri == uri), None)

    def template(self, uri: str) -> tuple[ServedTemplate, Mapping[str, str]] | None:
        """The template that a URI belongs to, and the values of its variables."""
        for template in self.templates:
            variables = template.variables(uri)
            if variables is not None:
                return template, variables
        return None

    def completed(self, reference: str) -> Target | None:
        """What completes the arguments of the prompt of that name, or of the template of that URI template."""
        prompt = self.prompt(reference)
        if prompt is not None:
            return Target(prompt.scopes, prompt.completions)
        for template in self.templates:
            if template.definition.uri_template == reference:
                return Target(template.scopes, template.completions)
        return None

    def needed_scopes(self, method: str, target: str) -> frozenset[str]:
        """Every scope that one request needs, beyond a valid token; `target` is the name or URI in its body.

        What does not exist needs none: that is no secret, and the protocol has its own error for it.
        """
        found: ServedTool | ServedResource | ServedTemplate | ServedPrompt | Target | None = None
        if method == "tools/call":
            found = self.tool(target)
        elif method == "prompts/get":
            found = self.prompt(target)
        elif method == "resources/read":
            of_family = self.template(target)
            found = self.resource(target) or (of_family[0] if of_family else None)
        elif method == "completion/complete":
            found = self.completed(target)
        return found.scopes if found is not None else _NONE
