"""Between the domain's values and the fields of a hash."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict

from auth_server.adapters.redis_store.database import Argument
from auth_server.domain.authorization import AuthorizationCode, AuthorizationRequest, PushedRequest, Transaction
from auth_server.domain.client import AuthenticationMethod, Client, ClientSecret, GrantType, Registration
from auth_server.domain.consent import ConsentKey, RememberedConsent
from auth_server.domain.device import DeviceAuthorization
from auth_server.domain.grant import Grant, RefreshToken
from auth_server.domain.signing_key import KeyStage, SealedKey
from auth_server.domain.user import Session, User
from auth_server.domain.workspace import Membership, Role, Workspace
from shared_kernel import scope

Fields = Mapping[str, bytes]
"""What a hash holds."""
_ROLE = "role:"
"""What the names of a person's fields begin with that hold their role in a workspace."""


def fields(reply: Sequence[bytes]) -> Fields:
    """The fields of HGETALL's reply, which names them in turn with their values."""
    return {name.decode(): value for name, value in zip(reply[::2], reply[1::2], strict=True)}


def pairs(values: Mapping[str, Argument]) -> list[Argument]:
    """Names and values in turn, as scripts take them."""
    return [part for pair in values.items() for part in pair]


def document_fields(client: Client) -> dict[str, Argument]:
    """The fields of a client that its metadata document changes."""
    return {
        "name": client.name,
        "redirect_uris": json.dumps(client.redirect_uris),
        "grant_types": json.dumps(sorted(client.grant_types)),
        "scopes": scope.join(client.scopes),
        "confidential": client.confidential,
        "jwks": client.jwks,
        "jwks_uri": client.jwks_uri,
    }


def changeable_fields(client: Client) -> dict[str, Argument]:
    """The fields of a client that the operator, or the client itself, changes."""
    return {
        **document_fields(client),
        "authentication_method": client.authentication_method,
        "registration_token": client.registration_token,
    }


def client_fields(client: Client) -> dict[str, Argument]:
    """The fields of a new client."""
    return {
        "client_id": client.client_id,
        "registration": client.registration.value,
        **changeable_fields(client),
        "document_expires_at": client.document_expires_at,
        "resource_server": client.resource_server,
        "tenant": client.tenant,
        "created_at": client.created_at,
        **_secret_fields(client),
    }


def _secret_fields(client: Client) -> dict[str, Argument]:
    found: dict[str, Argument] = {}
    for secret in client.secrets:
        if secret.expires_at is None:
            found["secret"] = secret_text(secret)
        else:
            found["previous_secret"] = f"{secret_text(secret)} {secret.expires_at!r}"
    return found


def secret_text(secret: ClientSecret) -> str:
    """A secret that nothing has replaced."""
    return f"{secret.digest} {secret.created_at!r}"


def client_from(found: Fields) -> Client:
    """The client of these fields."""
    expires_at = _text(found, "document_expires_at")
    method = _some_text(found, "authentication_method")
    registration = Registration(_text(found, "registration"))
    return Client(
        client_id=_text(found, "client_id"),
        name=_text(found, "name"),
        registration=registration,
        redirect_uris=tuple(json.loads(found["redirect_uris"])),
        grant_types=frozenset(map(GrantType, json.loads(found["grant_types"]))),
        scopes=scope.parse(_text(found, "scopes")),
        tenant=_text(found, "tenant") or None if registration is Registration.OPERATOR else None,
        created_at=float(found["created_at"]),
        confidential=found["confidential"] == b"1",
        secrets=tuple(_secret(found[name]) for name in ("previous_secret", "secret") if name in found),
        document_expires_at=float(expires_at) if expires_at else None,
        jwks=_some_text(found, "jwks"),
        jwks_uri=_some_text(found, "jwks_uri"),
        authentication_method=AuthenticationMethod(method) if method else None,
        registration_token=_some_text(found, "registration_token"),
        resource_server=_some_text(found, "resource_server"),
    )


def _secret(value: bytes) -> ClientSecret:
    digest, created_at, *expires_at = value.decode().split(" ")
    return ClientSecret(digest, float(created_at), float(expires_at[0]) if expires_at else None)


def workspace_fields(workspace: Workspace) -> dict[str, Argument]:
    """The fields of a workspace."""
    return {"name": workspace.name, "title": workspace.title, "created_at": workspace.created_at}


def workspace_from(found: Fields) -> Workspace:
    """The workspace of these fields."""
    return Workspace(_text(found, "name"), _text(found, "title"), float(found["created_at"]))


def user_fields(user: User) -> dict[str, Argument]:
    """The fields of a user who may sign in."""
    return {
        "user_id": user.user_id,
        "email": user.email,
        "password_hash": user.password_hash,
        "created_at": user.created_at,
        **{f"{_ROLE}{each.workspace}": each.role.value for each in user.memberships},
    }


def user_from(found: Fields) -> User:
    """The user of these fields."""
    return User(
        user_id=_text(found, "user_id"),
        email=_text(found, "email"),
        password_hash=_text(found, "password_hash"),
        created_at=float(found["created_at"]),
        disabled_at=float(found["disabled_at"]) if "disabled_at" in found else None,
        memberships=tuple(
            Membership(name.removeprefix(_ROLE), Role(found[name].decode()))
            for name in sorted(found)
            if name.startswith(_ROLE)
        ),
    )


def consent_field(key: ConsentKey) -> str:
    """What a person's consent is about, as the name of a field."""
    return json.dumps(key.parts)


def consent_text(consent: RememberedConsent) -> str:
    """What a consent says, as the value of that field."""
    said = {
        "scopes": scope.join(consent.scopes),
        "document": consent.document,
        "given_at": consent.given_at,
        "expires_at": consent.expires_at,
    }
    return json.dumps(said)


def consent_from(user_id: str, field: str, text: bytes) -> RememberedConsent:
    """The consent in a field of that person's."""
    said = json.loads(text)
    key = ConsentKey(user_id, *json.loads(field))
    return RememberedConsent(key, scope.parse(said["scopes"]), said["document"], said["given_at"], said["expires_at"])


def session_fields(session: Session) -> dict[str, Argument]:
    """The fields of a session."""
    return {
        "digest": session.digest,
        "user_id": session.user_id,
        "authenticated_at": session.authenticated_at,
        "expires_at": session.expires_at,
    }


def session_from(found: Fields) -> Session:
    """The session of these fields."""
    return Session(
        digest=_text(found, "digest"),
        user_id=_text(found, "user_id"),
        authenticated_at=float(found["authenticated_at"]),
        expires_at=float(found["expires_at"]),
    )


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
        digest=_text(found, "digest"),
        browser_digest=_text(found, "browser_digest"),
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
        digest=_text(found, "digest"),
        grant_id=_text(found, "grant_id"),
        redirect_uri=_text(found, "redirect_uri"),
        code_challenge=_text(found, "code_challenge"),
        expires_at=float(found["expires_at"]),
        nonce=_some_text(found, "nonce"),
        key_thumbprint=_some_text(found, "key_thumbprint"),
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
        device_id=_text(found, "device_id"),
        digest=_text(found, "digest"),
        family=_text(found, "family"),
        client_id=_text(found, "client_id"),
        scopes=scope.parse(_text(found, "scopes")),
        resource=_text(found, "resource"),
        address=_text(found, "address"),
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


def grant_fields(grant: Grant) -> dict[str, Argument]:
    """The fields of a grant without refresh tokens."""
    return {
        "grant_id": grant.grant_id,
        "handle": grant.handle,
        "client_id": grant.client_id,
        "user_id": grant.user_id,
        "tenant": grant.tenant,
        "scopes": scope.join(grant.scopes),
        "resource": grant.resource,
        "refreshable": grant.refreshable,
        "created_at": grant.created_at,
        "expires_at": grant.expires_at,
        "authenticated_at": grant.authenticated_at,
        "key_thumbprint": grant.key_thumbprint,
        **({"role": grant.role.value} if grant.role else {}),
    }


def grant_from(found: Fields) -> Grant:
    """The grant of these fields."""
    authenticated_at = _some_text(found, "authenticated_at")
    return Grant(
        grant_id=_text(found, "grant_id"),
        handle=_text(found, "handle"),
        client_id=_text(found, "client_id"),
        user_id=_text(found, "user_id"),
        tenant=_text(found, "tenant"),
        scopes=scope.parse(_text(found, "scopes")),
        resource=_text(found, "resource"),
        refreshable=found["refreshable"] == b"1",
        created_at=float(found["created_at"]),
        expires_at=float(found["expires_at"]),
        authenticated_at=float(authenticated_at) if authenticated_at else None,
        key_thumbprint=_some_text(found, "key_thumbprint"),
        role=Role(_text(found, "role")) if "role" in found else None,
    )


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
        digest=_text(found, "digest"),
        client_id=_text(found, "client_id"),
        parameters=tuple((name, value) for name, value in json.loads(found["parameters"])),
        expires_at=float(found["expires_at"]),
    )


def key_fields(key: SealedKey) -> dict[str, Argument]:
    """The fields of a signing key."""
    return {
        "key_id": key.key_id,
        "stage": key.stage.value,
        "public_jwk": key.public_jwk,
        "sealed": key.sealed,
        "changed_at": key.changed_at,
        "promotable_at": key.promotable_at,
    }


def key_from(found: Fields) -> SealedKey:
    """The signing key of these fields."""
    return SealedKey(
        key_id=_text(found, "key_id"),
        stage=KeyStage(_text(found, "stage")),
        public_jwk=_text(found, "public_jwk"),
        sealed=found["sealed"],
        changed_at=float(found["changed_at"]),
        promotable_at=float(found["promotable_at"]),
    )


def _text(found: Fields, name: str) -> str:
    return found[name].decode("utf-8", "surrogatepass")


def _some_text(found: Fields, name: str) -> str | None:
    """The text of a field that may be empty, or missing in what an earlier release wrote."""
    return _text(found, name) or None if name in found else None
