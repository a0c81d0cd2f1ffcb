"""Between people, their workspaces, sessions and consents, and the fields of their hashes."""

import json

from auth_server.adapters.redis_store.database import Argument
from auth_server.adapters.redis_store.fields import Fields, text
from auth_server.domain.consent import ConsentKey, RememberedConsent
from auth_server.domain.user import Session, User
from auth_server.domain.workspace import Membership, Role, Workspace
from shared_kernel import scope

_ROLE = "role:"
"""What the names of a person's fields begin with that hold their role in a workspace."""


def workspace_fields(workspace: Workspace) -> dict[str, Argument]:
    """The fields of a workspace."""
    return {"name": workspace.name, "title": workspace.title, "created_at": workspace.created_at}


def workspace_from(found: Fields) -> Workspace:
    """The workspace of these fields."""
    return Workspace(text(found, "name"), text(found, "title"), float(found["created_at"]))


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
        user_id=text(found, "user_id"),
        email=text(found, "email"),
        password_hash=text(found, "password_hash"),
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
        digest=text(found, "digest"),
        user_id=text(found, "user_id"),
        authenticated_at=float(found["authenticated_at"]),
        expires_at=float(found["expires_at"]),
    )
