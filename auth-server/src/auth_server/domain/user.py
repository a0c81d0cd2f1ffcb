"""People who sign in, and their browser sessions."""

import re
import unicodedata
from dataclasses import dataclass

from auth_server.domain.workspace import Membership, Role

EMAIL_LENGTH = 254
MIN_PASSWORD_LENGTH = 8
MAX_PASSWORD_LENGTH = 1024
_EMAIL = re.compile(r"[^\s@]+@[^\s@]+")


class MalformedEmail(ValueError):
    """The text is not an e-mail address."""


class UnusablePassword(ValueError):
    """The password is too short, too long, or no text (a lone surrogate)."""


@dataclass(frozen=True, slots=True)
class User:
    """A person. `user_id` is `usr_…` and becomes `sub`; `email` is normalised; `password_hash` is argon2id's.

    `disabled_at` is None while they may sign in. `memberships` are the workspaces they belong to, by name.
    """

    user_id: str
    email: str
    password_hash: str
    created_at: float
    disabled_at: float | None = None
    memberships: tuple[Membership, ...] = ()

    def role_in(self, workspace: str) -> Role | None:
        """The person's role in a workspace; None if they do not belong to it."""
        return next((each.role for each in self.memberships if each.workspace == workspace), None)


@dataclass(frozen=True, slots=True)
class Session:
    """A signed-in browser, by the SHA-256 of its opaque cookie. Never a token, and no token is ever a session."""

    digest: str
    user_id: str
    authenticated_at: float
    expires_at: float


def normalise_email(text: str) -> str:
    """The one form under which an address is stored and looked up. Raises MalformedEmail."""
    email = unicodedata.normalize("NFKC", text).strip().lower()
    if len(email) > EMAIL_LENGTH or not email.isprintable() or not _EMAIL.fullmatch(email):
        raise MalformedEmail
    return email


def vouched_email(text: str) -> str:
    """As normalise_email(), of an address that somebody else vouches for: only its case may differ from its form here.

    What compatibility folds together, such as a full-width letter and a plain one, are two mailboxes elsewhere: whoever
    has the one must not be taken for whoever has the other. Raises MalformedEmail.
    """
    if text != unicodedata.normalize("NFKC", text).strip():
        raise MalformedEmail
    return normalise_email(text)


def prepare_password(text: str) -> str:
    """The password as it is hashed, so that two keyboards' spellings agree (NIST SP 800-63B §3.1.1.2: NFKC).

    Raises UnusablePassword.
    """
    password = unicodedata.normalize("NFKC", text)
    if not MIN_PASSWORD_LENGTH <= len(password) <= MAX_PASSWORD_LENGTH:
        raise UnusablePassword
    try:
        password.encode()
    except UnicodeEncodeError as error:
        raise UnusablePassword from error
    return password
