"""Between authorizations on their way to a code, or to a device, and the fields of their hashes."""

import json
from dataclasses import asdict

from auth_server.adapters.redis_store.database import Argument
from auth_server.adapters.redis_store.fields import Fields, optional_text, text
from auth_server.domain.authorization import AuthorizationCode, AuthorizationRequest, PushedRequest, Transaction
from auth_server.domain.device import DeviceAuthorization
from auth_server.domain.grant import RefreshToken
from shared_kernel import scope


def transaction_fields(transaction: Transaction) -> dict[str, Argument]:
    """The fields of a transaction that is not decided."""
    text = {**asdict(transaction.request), "scopes": scope.join(transaction.request.scopes)}
    return {
        "digest": transaction.digest,
        "browser_digest": transaction.browser_digest,
        "request": json.dumps(text),
        "authenticated_since": transaction.authenticated_since,
        "expires_at": transaction.expires_at,
        "flow_id": transaction.flow_id,
    }


def transaction_from(found: Fields) -> Transaction:
    """The transaction of these fields."""
    request = json.loads(found["request"])
    return Transaction(
        digest=text(found, "digest"),
        browser_digest=text(found, "browser_digest"),
        request=AuthorizationRequest(**{**request, "scopes": scope.parse(request["scopes"])}),
        authenticated_since=float(found["authenticated_since"]),
        expires_at=float(found["expires_at"]),
        flow_id=found.get("flow_id", b"").decode(),
    )


def code_fields(code: AuthorizationCode) -> dict[str, Argument]:
    """The fields of an unused code."""
    return {
        "digest": code.digest,
        "grant_id": code.grant_id,
        "redirect_uri": code.redirect_uri,
        "code_challenge": code.code_challenge,
        "expires_at": code.expires_at,
        "nonce": code.nonce,
        "key_thumbprint": code.key_thumbprint,
        "wrong_verifiers": 0,
    }


def code_from(found: Fields) -> AuthorizationCode:
    """The code of these fields."""
    return AuthorizationCode(
        digest=text(found, "digest"),
        grant_id=text(found, "grant_id"),
        redirect_uri=text(found, "redirect_uri"),
        code_challenge=text(found, "code_challenge"),
        expires_at=float(found["expires_at"]),
        nonce=optional_text(found, "nonce"),
        key_thumbprint=optional_text(found, "key_thumbprint"),
    )


def device_fields(device: DeviceAuthorization) -> dict[str, Argument]:
    """The fields of a device authorization, but for what becomes of it."""
    return {
        "device_id": device.device_id,
        "digest": device.digest,
        "family": device.family,
        "client_id": device.client_id,
        "scopes": scope.join(device.scopes),
        "resource": device.resource,
        "address": device.address,
        "created_at": device.created_at,
        "expires_at": device.expires_at,
    }


def device_from(found: Fields) -> DeviceAuthorization:
    """The device authorization of these fields."""
    return DeviceAuthorization(
        device_id=text(found, "device_id"),
        digest=text(found, "digest"),
        family=text(found, "family"),
        client_id=text(found, "client_id"),
        scopes=scope.parse(text(found, "scopes")),
        resource=text(found, "resource"),
        address=text(found, "address"),
        created_at=float(found["created_at"]),
        expires_at=float(found["expires_at"]),
    )


def first_token_fields(token: RefreshToken) -> dict[str, Argument]:
    """The fields of the first token of a grant's family."""
    return {
        "refresh_digest": token.key.digest,
        "refresh_expires_at": token.expires_at,
        **({"family": token.key.family} if token.key.family else {}),
    }


def pushed_fields(request: PushedRequest) -> dict[str, Argument]:
    """The fields of a pushed request that has not been used."""
    return {
        "digest": request.digest,
        "client_id": request.client_id,
        "parameters": json.dumps(request.parameters),
        "expires_at": request.expires_at,
    }


def pushed_from(found: Fields) -> PushedRequest:
    """The pushed request of these fields."""
    return PushedRequest(
        digest=text(found, "digest"),
        client_id=text(found, "client_id"),
        parameters=tuple((name, value) for name, value in json.loads(found["parameters"])),
        expires_at=float(found["expires_at"]),
    )
