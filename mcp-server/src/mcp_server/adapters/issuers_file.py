"""Reads the issuers file: TOML that says whose access tokens are taken besides auth-server's."""

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
    model_validator,
)
from pydantic_core import PydanticCustomError

from mcp_server.adapters.toml_file import UnreadableFile, read_toml
from mcp_server.domain.issuer import OtherIssuer, TokenForm
from shared_kernel import resource
from shared_kernel.settings import is_loopback

_KEYS_PATH = "/.well-known/jwks.json"
_PROBLEMS = {"extra_forbidden": "is not known", "model_type": "must be a table of keys", "missing": "must be set"}
"""What is wrong, where pydantic's own words speak of its classes."""


class BadIssuersFile(Exception):
    """The file cannot be used. The text is one line: the file, the place in it, and the remedy."""


def _url(text: str) -> str:
    try:
        resource.canonical(text)
    except resource.MalformedResource:
        raise PydanticCustomError("url", "must be an absolute URL") from None
    if not text.startswith("https:") and not is_loopback(text):
        raise PydanticCustomError("url", "must use https: whoever is on the way could put in keys of their own")
    return text


_Text = Annotated[str, StringConstraints(pattern=r"\S")]
_Name = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9-]{0,31}$")]
_Url = Annotated[str, AfterValidator(_url)]


class IssuerEntry(BaseModel):
    """`[[issuer]]`: an issuer that stands beside auth-server."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    name: _Name = Field(
        description="What logs call it; stands before each of its subjects, so that nobody is taken for another's."
    )
    issuer: _Url = Field(description="The `iss` of its tokens, byte for byte.")
    jwks_url: _Url | None = Field(
        default=None, description="Where it publishes its keys, if not at `/.well-known/jwks.json` below `issuer`."
    )
    form: Literal["rfc9068", "cognito"] = Field(
        default="rfc9068",
        description='How access tokens differ from its other tokens: "rfc9068" by `typ` and `aud`, "cognito" by '
        "`token_use`, and by `aud` where there is one.",
    )
    algorithms: list[Literal["RS256", "ES256"]] = Field(
        default=["RS256"], min_length=1, description="What it signs access tokens with."
    )
    client_ids: list[_Text] = Field(min_length=1, description="The only clients whose tokens are taken.")
    audience: _Text | None = Field(default=None, description="The `aud` of tokens for us, if not `MCP_RESOURCE`.")
    tenant: _Text | None = Field(default=None, description="Whose all of its tokens are; or else `tenant_claim`.")
    tenant_claim: _Text | None = Field(default=None, description="The claim that says whose a token is.")
    tenants: dict[str, _Text] = Field(
        default={}, description="The tenant for each value of `tenant_claim`; any other value is refused."
    )
    scope_prefix: str = Field(
        default="",
        description="What stands before `query` and `schemas:read` in its scopes, as `https://mcp.example.com/mcp/`.",
    )
    most_seconds: int = Field(
        default=3600, ge=60, le=86400, description="Longest lifetime of a token that is taken; none can be revoked."
    )

    @model_validator(mode="after")
    def _says_whose(self) -> "IssuerEntry":
        if (self.tenant is None) == (self.tenant_claim is None):
            raise PydanticCustomError("tenant", "must set tenant, or tenant_claim, and not both")
        if (self.tenant_claim is None) == bool(self.tenants):
            raise PydanticCustomError("tenants", "must set tenants where tenant_claim is set, and only there")
        return self

    def trusted(self, resource_url: str) -> OtherIssuer:
        """The issuer that the entry declares, for the MCP endpoint at that URL."""
        return OtherIssuer(
            name=self.name,
            issuer=self.issuer,
            jwks_url=self.jwks_url or f"{self.issuer.rstrip('/')}{_KEYS_PATH}",
            form=TokenForm(self.form),
            algorithms=frozenset(self.algorithms),
            client_ids=frozenset(self.client_ids),
            audience=self.audience or resource_url,
            tenant=self.tenant,
            tenant_claim=self.tenant_claim,
            tenants=self.tenants,
            scope_prefix=self.scope_prefix,
            most_seconds=self.most_seconds,
        )


class _Document(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    entries: list[IssuerEntry] = Field(alias="issuer", min_length=1)


def read(path: Path, *, own_issuer: str, resource_url: str) -> tuple[OtherIssuer, ...]:
    """The issuers in a file, for the endpoint at `resource_url`. Raises BadIssuersFile."""
    try:
        document = read_toml(path)
    except UnreadableFile as problem:
        raise BadIssuersFile(str(problem)) from problem
    try:
        entries = _Document.model_validate(document).entries
    except ValidationError as error:
        message = f"{path}: {_told(error)}"
        raise BadIssuersFile(message) from None
    for taken, what in (
        ([own_issuer, *(entry.issuer for entry in entries)], "issuer"),
        ([entry.name for entry in entries], "name"),
    ):
        twice = next((value for value in taken if taken.count(value) > 1), None)
        if twice is not None:
            message = f'{path}: the {what} "{twice}" is there twice, or is that of MCP_ISSUER'
            raise BadIssuersFile(message)
    return tuple(entry.trusted(resource_url) for entry in entries)


def _told(error: ValidationError) -> str:
    """One line: the place in the file, and what is wrong there."""
    first: Any = error.errors()[0]
    problem = _PROBLEMS.get(first["type"], first["msg"])
    match first["loc"]:
        case ("issuer", int(number), *keys):
            place = ".".join([f"issuer {number + 1}", *map(str, keys)])
        case ("issuer",):
            place, problem = "the file", "must hold at least one [[issuer]]"
        case keys:
            place = ".".join(map(str, keys))
    return f"{place}: {problem[0].lower()}{problem[1:]}"
