"""`/revoke`."""

from collections.abc import Callable

from starlette.requests import Request

from auth_server.flows.revoke import Revoke
from auth_server.ports.limits import AttemptLimiter
from auth_server.web.api import client_request
from auth_server.web.endpoint import Handler


def revoke(flow: Revoke, limiter: AttemptLimiter, address_of: Callable[[Request], str]) -> Handler:
    """Takes revocation requests (RFC 7009)."""
    return client_request(flow.revoke, limiter, address_of)
