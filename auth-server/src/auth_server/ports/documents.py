"""What clients publish: their metadata documents and key sets."""

from enum import StrEnum
from typing import Protocol

from auth_server.protocol.client_documents import MAX_BYTES, Document


class Obstacle(StrEnum):
    """Why a document cannot be had."""

    FORBIDDEN_ADDRESS = "forbidden_address"
    """The host has an address that is not on the public Internet."""
    UNREACHABLE = "unreachable"
    """No address, no connection, no valid certificate, or no HTTP."""
    TOO_SLOW = "too_slow"
    STATUS = "status"
    """The server answered with another status than 200."""
    SERVER_ERROR = "server_error"
    """The server answered with a 5xx status, or 429."""
    CONTENT_TYPE = "content_type"
    CONTENT_ENCODING = "content_encoding"
    TOO_LONG = "too_long"


class DocumentUnavailable(Exception):
    """The document cannot be had; carries the Obstacle and, for logs, a detail that holds no text of the server's."""

    def __init__(self, obstacle: Obstacle, detail: str = "") -> None:
        super().__init__(f"{obstacle.value}: {detail}" if detail else obstacle.value)
        self.obstacle, self.detail = obstacle, detail

    @property
    def may_pass(self) -> bool:
        """Whether the same request may succeed later, without a change on the client's side."""
        return self.obstacle in {Obstacle.UNREACHABLE, Obstacle.TOO_SLOW, Obstacle.SERVER_ERROR}


class DocumentSource(Protocol):
    """Where documents come from."""

    async def document(self, url: str, most_bytes: int = MAX_BYTES) -> Document:
        """The document at a URL that `document_url.origin` let through. Raises DocumentUnavailable.

        Every call is one request to the host; who may cause how many is the caller's business.
        """
        ...
