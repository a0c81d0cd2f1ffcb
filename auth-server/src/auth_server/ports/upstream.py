"""The token endpoint of another provider."""

from typing import Protocol


class UpstreamEndpoint(Protocol):
    """Where a code of that provider is redeemed."""

    async def redeem(self, url: str, authorization: str, form: bytes, most_bytes: int) -> bytes:
        """The JSON that the endpoint answers with status 200. Raises DocumentUnavailable."""
        ...
