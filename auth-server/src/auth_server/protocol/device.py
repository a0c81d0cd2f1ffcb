"""Judging what a device asks for, and what it is answered (RFC 8628 §3.1, §3.2)."""

from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from auth_server.domain import device_codes
from auth_server.domain.client import Client, GrantType
from auth_server.domain.deployment import Deployment
from auth_server.domain.device import DEVICE_CODE_LIFETIME, POLL_INTERVAL
from auth_server.domain.failures import Reason, Refused
from auth_server.protocol import narrowing, resource_indicator
from auth_server.protocol.parameters import Parameters


@dataclass(frozen=True, slots=True)
class DeviceRequest:
    """A good request: its scopes after narrowing, its canonical resource."""

    scopes: frozenset[str]
    resource: str


def judge(given: Parameters, client: Client, deployment: Deployment) -> DeviceRequest:
    """Judges the request of an authenticated client at once, before anybody types a code.

    Raises Refused: GRANT_TYPE_NOT_ALLOWED, SCOPE_NOT_ALLOWED, UNKNOWN_RESOURCE.
    """
    if GrantType.DEVICE_CODE not in client.grant_types:
        raise Refused(Reason.GRANT_TYPE_NOT_ALLOWED)
    scopes = narrowing.allowed(given.get("scope"), client)
    return DeviceRequest(scopes, resource_indicator.resolve(given.resources, deployment))


def answer(deployment: Deployment, device_code: str, user_code: str) -> dict[str, Any]:
    """The body of the response (RFC 8628 §3.2)."""
    shown, page = device_codes.shown(user_code), f"{deployment.issuer}/device"
    return {
        "device_code": device_code,
        "user_code": shown,
        "verification_uri": page,
        "verification_uri_complete": f"{page}?{urlencode({'user_code': shown})}",
        "expires_in": DEVICE_CODE_LIFETIME,
        "interval": POLL_INTERVAL,
    }
