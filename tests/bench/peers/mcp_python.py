"""The Python SDK's MCPServer with the tools of the call rows, behind its own bearer authentication.

It is set up as the SDK's documentation does it: `token_verifier` with PyJWT and the issuer's keys, stateless streamable
HTTP. Settings in the environment: PORT, ISSUER, RESOURCE, and DOCUMENTS, what the tools answer, as JSON.
"""

import json
import os
from typing import Annotated, Any

import jwt
import uvicorn
from mcp.server.auth.provider import AccessToken
from mcp.server.auth.settings import AuthSettings
from mcp.server.mcpserver import MCPServer
from pydantic import AnyHttpUrl, Field

ISSUER, RESOURCE = os.environ["ISSUER"], os.environ["RESOURCE"]
DOCUMENTS: dict[str, dict[str, Any]] = json.loads(os.environ["DOCUMENTS"])


class Verifier:
    """Verifies access tokens with PyJWT; the keys are fetched once."""

    def __init__(self) -> None:
        self._keys = jwt.PyJWKClient(f"{ISSUER}/.well-known/jwks.json", lifespan=3600)

    async def verify_token(self, token: str) -> AccessToken | None:
        """The token's claims; None for a token that is not good."""
        try:
            key = self._keys.get_signing_key_from_jwt(token)
            claims = jwt.decode(token, key, algorithms=["ES256"], audience=RESOURCE, issuer=ISSUER)
        except jwt.PyJWTError:
            return None
        return AccessToken(
            token=token,
            client_id=claims["client_id"],
            scopes=claims["scope"].split(),
            expires_at=claims["exp"],
            resource=RESOURCE,
            subject=claims["sub"],
        )


mcp = MCPServer(
    "peer",
    token_verifier=Verifier(),
    auth=AuthSettings(
        issuer_url=AnyHttpUrl(ISSUER), resource_server_url=AnyHttpUrl(RESOURCE), required_scopes=["schemas:read"]
    ),
    log_level="WARNING",
)


@mcp.tool(description="Lists the schemas you can query.")
async def list_schemas() -> dict[str, Any]:
    """Answers the prepared document."""
    return DOCUMENTS["list_schemas"]


@mcp.tool(description="Describes a table: its columns and indexes.")
async def describe_table(
    table_name: Annotated[str, Field(min_length=1, max_length=255)],
    schema_name: str | None = None,
    refresh: Annotated[str, Field(pattern="if_stale|force|skip")] = "if_stale",
) -> dict[str, Any]:
    """Answers the prepared document."""
    assert (table_name, schema_name, refresh) == ("items", None, "skip")
    return DOCUMENTS["describe_table"]


def main() -> None:
    """Serves until a signal."""
    uvicorn.run(
        mcp.streamable_http_app(stateless_http=True, json_response=False),
        host="127.0.0.1",
        port=int(os.environ["PORT"]),
        loop="uvloop",
        http="httptools",
        access_log=False,
        log_level="warning",
    )


if __name__ == "__main__":
    main()
