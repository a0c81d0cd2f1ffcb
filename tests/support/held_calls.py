"""Calls on connections that a test holds in its hand: it decides when they are read from, and when they are closed."""

import json
import socket
from typing import Any
from urllib.parse import urlsplit

from tests.support.mcp_wire import MODERN, Era, message

# It reads a little, and computes for hours.
ENDLESS = (
    "select count(*) from nation a, nation b, nation c, nation d, nation e, nation f, nation g "
    "where a.n_name || b.n_name || c.n_name || d.n_name || e.n_name || f.n_name < g.n_name"
)
# The same without a table that has to be there.
ENDLESS_NUMBERS = (
    "select count(*) from range(300000) a, range(300000) b, range(300000) c where a.range + b.range < c.range"
)


def call_bytes(resource: str, token: str, sql: str, era: Era = MODERN, **arguments: Any) -> bytes:
    """The whole HTTP request of a query."""
    body, headers = message(era, 1, "tools/call", {"name": "run_sql", "arguments": {"sql": sql, **arguments}})
    content = json.dumps(body).encode()
    headers |= {
        "Host": urlsplit(resource).netloc,
        "Authorization": f"Bearer {token}",
        "Content-Length": str(len(content)),
    }
    head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return f"POST /mcp HTTP/1.1\r\n{head}\r\n".encode() + content


def send_call(resource: str, token: str, sql: str, era: Era = MODERN, **arguments: Any) -> socket.socket:
    """A connection on which a query has been sent."""
    connection = socket.create_connection(("127.0.0.1", urlsplit(resource).port or 80))
    connection.sendall(call_bytes(resource, token, sql, era, **arguments))
    return connection
