"""Why an operator's request cannot be done."""

from enum import StrEnum


class Problem(StrEnum):
    """A closed set; the value is the sentence to print, the name is what programs read."""

    MALFORMED_EMAIL = "the e-mail address is malformed"
    EMAIL_TAKEN = "a user with this e-mail address exists"
    NO_SUCH_USER = "there is no such user"
    UNUSABLE_PASSWORD = "the password must have 8 to 1024 characters"
    UNKNOWN_SCOPE = "a scope is unknown; known are: schemas:read query offline_access openid profile email"
    UNKNOWN_RESOURCE = "the resource is not among AUTH_RESOURCES"
    RESOURCE_SERVER = "a resource server gets no tokens: it has neither redirect URIs nor scopes"
    UNUSABLE_NAME = "the name is empty"
    UNUSABLE_REDIRECT_URI = "a redirect URI is not acceptable: https, http on loopback, or a private-use scheme"
    REDIRECT_URI_REQUIRED = "a public client needs at least one redirect URI, or the grant device-code"
    CONFIDENTIAL_GRANT = "only a confidential client can have this grant"
    NO_SUCH_CLIENT = "there is no such client"
    KEYS_ARE_CONFIDENTIAL = "a client with keys cannot be public"
    UNUSABLE_KEYS = "the keys are not usable: a JWK set of at most 20 public keys for ES256, RS256, PS256 or EdDSA"
    UNUSABLE_KEYS_URL = "the URL of the keys is not usable: https, a host name in lower case, and a path"
    KEYS_TWICE = "the keys are in a file or at a URL, not both"
    HAS_KEYS = "the client proves who it is by a key and has no secret"
    NOT_CONFIDENTIAL = "the client is public and has no secret"
    NOT_OPERATORS = "the client registered itself: it changes its own registration, where it can, or registers anew"
    TOO_MANY_USES = "a token is good for 1 to 10000 registrations"
    TOO_MANY_DAYS = "a token is good for more than 0 and at most 366 days"
    NO_SUCH_TOKEN = "there is no such initial access token"
    NO_SUCH_GRANT = "there is no such grant"
    NO_SUCH_SESSION = "there is no such session"
    NO_SUCH_KEY = "there is no such signing key"
    UNUSABLE_WORKSPACE_NAME = "a workspace's name must be 1 to 40 of a-z, 0-9 and -, with no - at either end"
    WORKSPACE_EXISTS = "a workspace of this name exists"
    NO_SUCH_WORKSPACE = "there is no such workspace"
    WORKSPACE_IN_USE = "the workspace has members or clients; remove or delete them first"
    WORKSPACE_IS_PERMANENT = "the default workspace cannot be removed"
    WORKSPACE_KEEPS_TITLE = "the default workspace keeps its title"
    NOT_A_MEMBER = "the user does not belong to this workspace"
    TOO_MANY_MEMBERSHIPS = "the user belongs to 50 workspaces already"
    NOT_IN_THE_TRAIL = (
        "the audit trail knows nothing under this id; it may be older than AUTH_AUDIT_DAYS, or than --since"
    )
    STORE_NOT_EMPTY = "the store is not empty; a copy or a restored backup needs one that is"
    NOTHING_TO_COPY = "there is nothing to copy: the store is empty"
    KEY_TOO_NEW = "the next key is too new for every cache to know it"


class CannotDo(Exception):
    """The request cannot be done; `problem` says why. `retry_after` is set if it can be done later, in seconds."""

    def __init__(self, problem: Problem, retry_after: int | None = None) -> None:
        super().__init__(problem.value if retry_after is None else f"{problem.value}; try again in {retry_after} s")
        self.problem, self.retry_after = problem, retry_after
