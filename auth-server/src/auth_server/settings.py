"""What an operator sets: read once from the environment, checked, and passed down as values.

Every field's description stands in docs/settings.md; every message names the variable and the remedy.
"""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Self
from urllib.parse import urlsplit

from pydantic import BeforeValidator, Field, ValidationInfo, field_validator, model_validator
from pydantic_settings import NoDecode, SettingsConfigDict

from auth_server.domain.deployment import AssertionIssuer, DocumentPolicy, RegistrationPolicy
from auth_server.domain.failures import Refused
from auth_server.domain.signing_key import LONGEST_OUTAGE
from auth_server.domain.workspace import is_workspace_name
from auth_server.protocol import document_url, redirect_uri
from shared_kernel import resource
from shared_kernel.key_file import UnusableKeyFile, read_private_file
from shared_kernel.settings import (
    AllowedHosts,
    CommaSeparated,
    LogLevel,
    MaxConcurrentRequests,
    MetricsTokenFile,
    Networks,
    PublicUrl,
    ServiceSettings,
    ShutdownDelaySeconds,
    TracesRatio,
    TracesUrl,
)

MAX_PORT = 65535
_STORE_URL = re.compile(r"[a-z]+://\S")
_ORIGIN = re.compile(
    r"https://(?P<host>[a-z0-9.-]+)(?::(?P<port>[0-9]{1,5}))?(?:=(?P<place>[^=:]+|\[[^]]+\]):(?P<at>[0-9]{1,5}))?"
)


def _origins(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    places = {}
    for item in filter(None, map(str.strip, value.split(","))):
        found = _ORIGIN.fullmatch(item)
        if found is None or max(int(found["port"] or 0), int(found["at"] or 0)) > MAX_PORT:
            raise ValueError("must hold https origins separated by commas, each with =host:port or without")
        key = (found["host"], int(found["port"] or 443))
        places[key] = (found["place"].strip("[]"), int(found["at"])) if found["place"] else key
    return places


def _pairs(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    pairs = [item.split() for item in value.split(",") if item.strip()]
    if any(len(pair) != 2 for pair in pairs) or len({pair[0] for pair in pairs}) != len(pairs):
        raise ValueError("must hold pairs separated by commas, each an alias, a space, and the resource that it means")
    return dict(pairs)


def _assertion_issuers(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    triples = [item.split() for item in value.split(",") if item.strip()]
    if any(len(triple) != 3 for triple in triples):
        raise ValueError(
            "must hold identity providers separated by commas, each a workspace, an issuer and the URL of its key set, "
            "with spaces between"
        )
    return tuple(AssertionIssuer(*triple) for triple in triples)


AssertionIssuers = Annotated[tuple[AssertionIssuer, ...], NoDecode, BeforeValidator(_assertion_issuers)]
Aliases = Annotated[Mapping[str, str], NoDecode, BeforeValidator(_pairs)]
Place = tuple[str, int]
Origins = Annotated[Mapping[Place, Place], NoDecode, BeforeValidator(_origins)]


class Settings(ServiceSettings):
    """The settings of auth-server."""

    model_config = SettingsConfigDict(env_prefix="AUTH_")

    issuer: PublicUrl = Field(
        description="Public URL of this server, the `iss` of every token: https, or http on localhost only; "
        "no trailing slash, query or fragment.",
        examples=["https://auth.example.com"],
    )
    resources: CommaSeparated = Field(
        description="Comma-separated URLs of the MCP servers that tokens are minted for. "
        "The first is meant when a client names none.",
        examples=["https://mcp.example.com/mcp"],
    )
    resource_aliases: Aliases = Field(
        default_factory=dict,
        description="Other URLs by which clients may name a resource: comma-separated pairs of alias and resource, "
        "with a space between. Case of the host, default port, trailing slash, and the bare origin of an only resource "
        "need no alias.",
        examples=["https://old.example.com/mcp https://mcp.example.com/mcp"],
    )
    store_url: str = Field(
        description="Where users, clients, grants and sealed keys are kept: `sqlite://` and the absolute path of a "
        "file, `redis://host:port/database`, `rediss://` for TLS, or `dynamodb://table?region=eu-central-1`.",
        examples=["sqlite:///var/lib/auth/auth.db"],
    )
    store_url_file: Path | None = Field(
        default=None,
        description="File (mode 0600) that holds `AUTH_STORE_URL` on one line, for a URL with a password in it; "
        "instead of that variable.",
        examples=["/etc/auth/store-url"],
    )
    outage_seconds: float = Field(
        default=float(LONGEST_OUTAGE),
        ge=0,
        le=LONGEST_OUTAGE,
        description="Seconds, at most 600, for which `client_credentials` is answered while the store is away, "
        "counted from when the client, and the signing keys, were last read from it; 0 for never.",
    )
    master_key_file: Path = Field(
        description="File (mode 0600) with the 32-byte key, base64url, that seals the signing keys in the store.",
        examples=["/etc/auth/master.key"],
    )
    host: str = Field(default="127.0.0.1", description="Address to listen on.")
    port: int = Field(default=9000, ge=1, le=65535, description="Port to listen on.")
    allowed_hosts: AllowedHosts = Field(default=(), examples=["auth-server"])
    trusted_proxies: Networks = Field(
        default=(),
        description="Comma-separated networks (CIDR) of reverse proxies whose `X-Forwarded-For` is believed; "
        "decides which address rate limits and logs see.",
    )
    registration: RegistrationPolicy = Field(
        default=RegistrationPolicy.OPEN,
        description="Whether clients register themselves (`open`), with an initial access token of "
        "`auth-server initial-token create` (`token`), or only the operator registers them (`off`); "
        "client documents are a matter of their own.",
    )
    client_documents: DocumentPolicy = Field(
        default=DocumentPolicy.PUBLIC,
        description="Whose Client ID Metadata Documents make a client: those of every host of the public Internet "
        "and of the named origins (`public`), of the named origins only (`named`), or nobody's (`off`).",
    )
    client_document_origins: Origins = Field(
        default_factory=dict,
        description="Comma-separated origins whose client documents are fetched even from private addresses; "
        "with `=host:port`, from there. The certificate must be that of the origin.",
        examples=["https://clients.corp.example,https://app.example=10.0.0.7:8443"],
    )
    par_required: bool = Field(
        default=False,
        description="Whether every authorization request must be pushed to `/par` first (RFC 9126). "
        "Few MCP clients do that today.",
    )
    dpop_nonce_required: bool = Field(
        default=False,
        description="Whether a DPoP proof must hold a nonce of this server (RFC 9449 §8), which comes with the answer "
        "to the first; otherwise it may.",
    )
    assertion_issuers: AssertionIssuers = Field(
        default=(),
        description="Identity providers whose assertions (ID-JAG) give clients tokens for people of one workspace "
        "each: comma-separated triples of workspace, issuer and URL of the provider's key set, with spaces between. A "
        "key set in a private network needs its origin in `AUTH_CLIENT_DOCUMENT_ORIGINS`.",
        examples=["acme https://login.acme.example https://login.acme.example/jwks.json"],
    )
    upstream_issuer: str | None = Field(
        default=None,
        description="Another OpenID Connect provider at which people can sign in, by its https issuer URL: whoever has "
        "a verified e-mail address there is the person with that address here. Its discovery document, token endpoint "
        "and keys must be on the public Internet, or on an origin of `AUTH_CLIENT_DOCUMENT_ORIGINS`.",
        examples=["https://login.example.com"],
    )
    upstream_client_id: str | None = Field(
        default=None,
        description="This server's client id at that provider; its redirect URI is `AUTH_ISSUER` + `/login/callback`.",
    )
    upstream_client_secret_file: Path | None = Field(
        default=None,
        description="File (mode 0600) with that client's secret, on one line.",
        examples=["/etc/auth/upstream"],
    )
    key_rotation_days: float = Field(
        default=90,
        ge=0,
        le=3650,
        description="After how many days another key signs, without anybody's doing; 0 leaves that to "
        "`auth-server key rotate`.",
    )
    audit_days: float = Field(
        default=30.0,
        ge=0,
        le=3650,
        description="For how many days the audit trail is kept; 0 keeps none, and leaves only the log.",
    )
    max_concurrent_requests: MaxConcurrentRequests = 256
    shutdown_delay_seconds: ShutdownDelaySeconds = 5.0
    redirect_schemes: CommaSeparated = Field(
        default=("claude", "cursor", "vscode", "vscode-insiders", "vscodium", "windsurf"),
        description="Comma-separated private-use URI schemes of known apps. A client that registers itself may be "
        "redirected to one of these, to a scheme with a dot (RFC 8252 §7.1), to https, or to loopback.",
    )
    metrics_token_file: MetricsTokenFile = None
    traces_url: TracesUrl = None
    traces_ratio: TracesRatio = 1.0
    admin_keys_file: Path | None = Field(
        default=None,
        description="File (mode 0600) that says whose keys are good for the operator's verbs over HTTP, with one line "
        "of `auth-server admin new-key` for each; `auth-server admin serve` needs it.",
        examples=["/etc/auth/admin.keys"],
    )
    admin_port: int = Field(
        default=9001,
        ge=1,
        le=65535,
        description="Port of the loopback address on which `auth-server admin serve` listens, and nothing else.",
    )
    log_level: LogLevel = "INFO"
    brand_name: str = Field(
        default="DynamoSQL",
        min_length=1,
        max_length=40,
        validation_alias="BRAND_NAME",
        description="Product name that people read on the sign-in and consent pages.",
    )

    @model_validator(mode="before")
    @classmethod
    def _read_store_url(cls, given: dict[str, Any]) -> dict[str, Any]:
        file = given.get("store_url_file")
        if not file:
            return given
        if given.get("store_url"):
            raise ValueError("AUTH_STORE_URL and AUTH_STORE_URL_FILE are both set; one must go")
        try:
            return {**given, "store_url": read_private_file(Path(file))}
        except UnusableKeyFile as error:
            message = f"AUTH_STORE_URL_FILE: {error}"
            raise ValueError(message) from error

    @field_validator("issuer")
    @classmethod
    def _check_issuer_path(cls, value: str) -> str:
        path = urlsplit(value).path
        if any(segment in {"", ".", ".."} for segment in path.split("/")[1:]) or "%" in path:
            raise ValueError("must have a plain path, without empty, dot or percent-encoded segments")
        return value

    @field_validator("resources")
    @classmethod
    def _canonical_resources(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if not value:
            raise ValueError("names no resource; for example https://mcp.example.com/mcp")
        try:
            canonical = tuple(resource.canonical(item) for item in value)
        except resource.MalformedResource:
            raise ValueError("must hold absolute http(s) URLs without fragment, separated by commas") from None
        if len(set(canonical)) != len(canonical):
            raise ValueError("names one resource twice")
        return canonical

    @field_validator("resource_aliases")
    @classmethod
    def _canonical_aliases(cls, value: Mapping[str, str], info: ValidationInfo) -> Mapping[str, str]:
        resources = info.data.get("resources", ())  # absent if they are wrong themselves, which is told anyway
        try:
            canonical = {resource.canonical(alias): resource.canonical(meant) for alias, meant in value.items()}
        except resource.MalformedResource:
            raise ValueError("must hold absolute http(s) URLs without fragment") from None
        for alias, meant in canonical.items():
            if alias in resources:
                raise ValueError(f"gives {alias} another meaning, which is one of AUTH_RESOURCES")
            if meant not in resources:
                raise ValueError(f"leads to {meant}, which is none of AUTH_RESOURCES")
        return canonical

    @field_validator("assertion_issuers")
    @classmethod
    def _check_assertion_issuers(cls, value: tuple[AssertionIssuer, ...]) -> tuple[AssertionIssuer, ...]:
        for each in value:
            if not is_workspace_name(each.workspace):
                raise ValueError(f"{each.workspace!r} is not the name of a workspace")
            if not each.issuer.startswith("https://"):
                raise ValueError(f"the issuer {each.issuer!r} is not an https URL")
            try:
                document_url.origin(each.jwks_uri)
            except Refused:
                raise ValueError(f"{each.jwks_uri!r} is not an https URL with a lower-case host and a path") from None
        # One provider that spoke for two companies could speak of one's people to the other.
        if len({each.issuer for each in value}) != len(value):
            raise ValueError("names one issuer twice; each speaks for one workspace")
        return value

    @model_validator(mode="after")
    def _check_upstream(self) -> Self:
        if not self.upstream_issuer:
            return self
        if not self.upstream_client_id or self.upstream_client_secret_file is None:
            raise ValueError(
                "AUTH_UPSTREAM_ISSUER also needs AUTH_UPSTREAM_CLIENT_ID and AUTH_UPSTREAM_CLIENT_SECRET_FILE"
            )
        try:
            document_url.origin(f"{self.upstream_issuer}/.well-known/openid-configuration")
        except Refused:
            raise ValueError(
                "AUTH_UPSTREAM_ISSUER must be an https URL with a lower-case host, without a slash at the end"
            ) from None
        return self

    @field_validator("redirect_schemes")
    @classmethod
    def _check_redirect_schemes(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for scheme in value:
            if not redirect_uri.is_private_scheme(scheme):
                raise ValueError(f"{scheme!r} is not a private-use URI scheme in lower case, without a colon")
        return value

    @field_validator("store_url")
    @classmethod
    def _check_store_url(cls, value: str) -> str:
        if not _STORE_URL.match(value):
            raise ValueError("must be a URL: sqlite:///var/lib/auth/auth.db")
        path = value.removeprefix("sqlite:")
        if path != value and (not path.startswith("///") or not path.strip("/") or path.endswith("/")):
            raise ValueError("must be sqlite:// and the absolute path of a file: sqlite:///var/lib/auth/auth.db")
        return value
