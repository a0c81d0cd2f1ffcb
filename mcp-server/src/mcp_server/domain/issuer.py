"""Another issuer than auth-server whose access tokens are taken too, and what they must say."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


class TokenForm(StrEnum):
    """By what an access token of an issuer is told from its other tokens."""

    RFC9068 = "rfc9068"
    """The header's `typ` is `at+jwt`, and `aud` is there."""
    COGNITO = "cognito"
    """The claim `token_use` is `access`; Amazon Cognito leaves `aud` out unless a resource was asked for."""


@dataclass(frozen=True, slots=True)
class OtherIssuer:
    """An issuer that the operator trusts.

    Tokens of `client_ids` only are taken, signed with one of `algorithms`, whose `aud` is `audience` and which live for
    at most `most_seconds`. They are of `tenant`, or of what `tenants` says of the claim `tenant_claim`. `scope_prefix`
    stands before each scope that is meant for us. `name` goes before each subject, so that no two issuers can name the
    same one.
    """

    name: str
    issuer: str
    jwks_url: str
    form: TokenForm
    algorithms: frozenset[str]
    client_ids: frozenset[str]
    audience: str
    tenant: str | None
    tenant_claim: str | None
    tenants: Mapping[str, str]
    scope_prefix: str
    most_seconds: int
