"""What tools and prompts answer with."""

from mcp.types import (
    AudioContent,
    CallToolResult,
    ContentBlock,
    EmbeddedResource,
    GetPromptResult,
    ImageContent,
    PromptMessage,
    TextContent,
    TextResourceContents,
)

PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAQAAAC1HAwCAAAAC0lEQVR42mNkYAAAAAYAAjCB0C8AAAAASUVORK5CYII="
"""A transparent pixel."""
WAV = "UklGRiQAAABXQVZFZm10IBAAAAABAAEAQB8AAIA+AAACABAAZGF0YQAAAAA="
"""No sound."""


def text(value: str) -> TextContent:
    """A text block."""
    return TextContent(text=value)


def image() -> ImageContent:
    """An image block."""
    return ImageContent(data=PNG, mime_type="image/png")


def audio() -> AudioContent:
    """An audio block."""
    return AudioContent(data=WAV, mime_type="audio/wav")


def embedded(uri: str, value: str) -> EmbeddedResource:
    """A resource within a result."""
    return EmbeddedResource(resource=TextResourceContents(uri=uri, mime_type="text/plain", text=value))


def result(*blocks: ContentBlock) -> CallToolResult:
    """A tool's result of these blocks."""
    return CallToolResult(content=list(blocks))


def messages(*blocks: ContentBlock) -> GetPromptResult:
    """A prompt's messages, all of the person."""
    return GetPromptResult(messages=[PromptMessage(role="user", content=block) for block in blocks])
