"""What `make run` prints when everything is up: addresses, the demo login, and lines to paste."""

import json
from collections.abc import Mapping
from typing import Any

_SQL = "SELECT c_mktsegment, count(*) AS customers FROM customer GROUP BY 1 ORDER BY 2 DESC"


def text(demo: Mapping[str, Any], directory: str) -> str:
    """The announcement for the content of demo.json, which is in `directory`."""
    issuer, resource = demo["issuer"], demo["resource"]
    client = demo["api_client"]
    call = {
        "jsonrpc": "2.0",
        "id": 1,
        "method": "tools/call",
        "params": {"name": "run_sql", "arguments": {"sql": _SQL}},
    }
    return f"""
Ready. Ctrl-C stops everything; the data stays in {directory}/.

  MCP server            {resource}
  Authorization server  {issuer}
  DynamoDB              {demo["dynamodb_endpoint"]}
  Sign in with          {demo["user"]["email"]}
  Password              {demo["user"]["password"]}

Add it to a client, which then opens the browser:

  claude mcp add --transport http dynamosql {resource}    then: claude mcp login dynamosql
  codex mcp add dynamosql --url {resource}
  gemini mcp add --transport http dynamosql {resource}    then, in gemini: /mcp auth dynamosql
  npx @modelcontextprotocol/inspector                     then: Streamable HTTP, {resource}
  npx mcp-remote {resource}                               for clients that only start programs

Administer it in another terminal:

  . {directory}/env
  auth-server user create --email ada@example.com

Or use curl:

  TOKEN=$(curl -s -u '{client["client_id"]}:{client["client_secret"]}' \\
    -d grant_type=client_credentials {issuer}/token | sed 's/.*"access_token": *"\\([^"]*\\)".*/\\1/')
  curl -s {resource} -H "Authorization: Bearer $TOKEN" \\
    -H 'Content-Type: application/json' -H 'Accept: application/json, text/event-stream' \\
    -d '{json.dumps(call)}'

`make demo` in another terminal shows every HTTP exchange. These addresses and secrets are in {directory}/demo.json.
"""
