"""Workspaces: whose data people and clients work with, such as a company's; and who belongs to one."""

import re
from dataclasses import dataclass
from enum import StrEnum

NAME_LENGTH = 40
MAX_MEMBERSHIPS = 50
"""Most workspaces that one person belongs to: consent lists them all."""
_NAME = re.compile(r"[a-z0-9](?:[a-z0-9-]*[a-z0-9])?")


class Role(StrEnum):
    """What a person is in a workspace; carried in access tokens as `roles` (RFC 9068 §2.2.3.1)."""

    OWNER = "owner"
    ADMIN = "admin"
    MEMBER = "member"


@dataclass(frozen=True, slots=True)
class Workspace:
    """A workspace. `name` is short and fit for URLs, and becomes a token's `tenant`; `title` is what people read."""

    name: str
    title: str
    created_at: float


@dataclass(frozen=True, slots=True)
class Membership:
    """That a person belongs to a workspace."""

    workspace: str
    role: Role


DEFAULT_WORKSPACE = Workspace("default", "Default", 0.0)
"""Is always there: no store holds it, and nobody can remove it."""


def is_workspace_name(text: str) -> bool:
    """Whether a workspace may have that name."""
    return len(text) <= NAME_LENGTH and _NAME.fullmatch(text) is not None
