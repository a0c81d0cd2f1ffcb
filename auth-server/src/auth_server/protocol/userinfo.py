"""What `/userinfo` tells of a person (OpenID Connect Core §5.3, §5.4)."""

from typing import Any

from auth_server.domain.user import User
from shared_kernel import scope


def claims(user: User, scopes: frozenset[str]) -> dict[str, Any]:
    """The claims that the scopes of a token allow, of what there is: an address to sign in with, and no name."""
    told: dict[str, Any] = {"sub": user.user_id}
    if scope.PROFILE in scopes:
        # Nothing of what is told here ever changes.
        told["updated_at"] = int(user.created_at)
    if scope.EMAIL in scopes:
        # Nobody has looked whether mail to it arrives: an operator entered it.
        told |= {"email": user.email, "email_verified": False}
    if {scope.PROFILE, scope.EMAIL} <= scopes:
        told["preferred_username"] = user.email
    return told
