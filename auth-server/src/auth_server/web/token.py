"""`/token`."""

from collections.abc import Callable

from starlette.requests import Request

from auth_server.flows.token import Token
from auth_server.ports.limits import AttemptLimiter
from auth_server.web.api import client_request
from auth_server.web.endpoint import Handler


def token(flow: Token, limiter: AttemptLimiter, address_of: Callable[[Request], str]) -> Handler:
    """Takes token requests (RFC 6749 §3.2)."""
    return client_request(flow.exchange, limiter, address_of)
