"""What an operator sets: read once from the environment, checked, and passed down as values.

Every field's description stands in docs/settings.md; every message names the variable and the remedy.
"""

import ipaddress
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import BeforeValidator, Field, ValidationError, field_validator
from pydantic_core import ErrorDetails
from pydantic_settings import NoDecode, SettingsConfigDict

from shared_kernel import resource
from shared_kernel.settings import ServiceSettings

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
LogLevel = Literal["DEBUG", "INFO", "WARNING", "ERROR"]

_LOOPBACK_HOSTS = frozenset({"localhost", "127.0.0.1", "::1"})


class BadSettings(Exception):
    """The environment does not describe a service that can start. The text is one line: variables and remedies."""


def _split(value: Any) -> Any:
    """The items of a comma-separated variable."""
    return [item.strip() for item in value.split(",") if item.strip()] if isinstance(value, str) else value


def _upper(value: Any) -> Any:
    return value.upper() if isinstance(value, str) else value


class Settings(ServiceSettings):
    """The settings of auth-server."""

    model_config = SettingsConfigDict(env_prefix="AUTH_")

    issuer: str = Field(
        description="Public URL of this server, the `iss` of every token: https, or http on localhost only; "
        "no trailing slash, query or fragment.",
        examples=["https://auth.example.com"],
    )
    resources: Annotated[tuple[str, ...], NoDecode, BeforeValidator(_split)] = Field(
        description="Comma-separated URLs of the MCP servers that tokens are minted for. "
        "The first is meant when a client names none.",
        examples=["https://mcp.example.com/mcp"],
    )
    store_url: str = Field(
        description="Where users, clients, grants and sealed keys are kept: "
        "`sqlite://` and the absolute path of a file.",
        examples=["sqlite:///var/lib/auth/auth.db"],
    )
    master_key_file: Path = Field(
        description="File (mode 0600) with the 32-byte key, base64url, that seals the signing keys in the store.",
        examples=["/etc/auth/master.key"],
    )
    host: str = Field(default="127.0.0.1", description="Address to listen on.")
    port: int = Field(default=9000, ge=1, le=65535, description="Port to listen on.")
    trusted_proxies: Annotated[tuple[Network, ...], NoDecode] = Field(
        default=(),
        description="Comma-separated networks (CIDR) of reverse proxies whose `X-Forwarded-For` is believed; "
        "decides which address rate limits and logs see.",
    )
    log_level: Annotated[LogLevel, BeforeValidator(_upper)] = Field(
        default="INFO", description="Least severe level that is logged: DEBUG, INFO, WARNING or ERROR."
    )
    brand_name: str = Field(
        default="DynamoSQL",
        min_length=1,
        max_length=40,
        validation_alias="BRAND_NAME",
        description="Product name that people read on the sign-in and consent pages.",
    )

    @field_validator("issuer")
    @classmethod
    def _check_issuer(cls, value: str) -> str:
        # RFC 8414 §2: "a URL that uses the "https" scheme and has no query or fragment components"
        try:
            canonical = resource.canonical(value)
        except resource.MalformedResource:
            raise ValueError("is not a URL; for example https://auth.example.com") from None
        if "?" in value or "#" in value:
            raise ValueError("must have no query and no fragment")
        # Clients compare issuers byte for byte, so there is one spelling.
        if value != canonical:
            raise ValueError(f"must be written {canonical} (lower-case host, no default port, no trailing slash)")
        parts = urlsplit(value)
        if any(segment in {"", ".", ".."} for segment in parts.path.split("/")[1:]) or "%" in parts.path:
            raise ValueError("must have a plain path, without empty, dot or percent-encoded segments")
        # Over plain http, cookies and codes could be read on the way; on loopback there is no way.
        if parts.scheme == "http" and parts.hostname not in _LOOPBACK_HOSTS:
            raise ValueError("must use https (http is accepted on localhost, 127.0.0.1 and [::1] only)")
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

    @field_validator("trusted_proxies", mode="before")
    @classmethod
    def _networks(cls, value: Any) -> tuple[Network, ...]:
        try:
            return tuple(ipaddress.ip_network(item) for item in _split(value))
        except ValueError:
            raise ValueError("must hold networks separated by commas, for example 10.0.0.0/8,fd00::/8") from None

    @field_validator("store_url")
    @classmethod
    def _check_store_url(cls, value: str) -> str:
        if not value.startswith("sqlite:///") or not value.removeprefix("sqlite:///").strip("/") or value.endswith("/"):
            raise ValueError("must be sqlite:// and the absolute path of a file: sqlite:///var/lib/auth/auth.db")
        return value

    @property
    def sqlite_path(self) -> Path:
        """The file that `store_url` names."""
        return Path("/", self.store_url.removeprefix("sqlite:///").lstrip("/"))

    @property
    def served_over_tls(self) -> bool:
        """Whether browsers reach this server through https, so that cookies can be `__Host-` and Secure."""
        return self.issuer.startswith("https://")


def load() -> Settings:
    """The settings in the environment. Raises BadSettings."""
    try:
        return Settings.model_validate({})
    except ValidationError as error:
        problems = [f"{_variable(str(item['loc'][0]))} {_problem(item)}" for item in error.errors(include_input=False)]
        raise BadSettings("; ".join(dict.fromkeys(problems))) from None


def _variable(field: str) -> str:
    """The environment variable of a field; a field with an alias already appears under it."""
    return f"AUTH_{field}".upper() if field in Settings.model_fields else field.upper()


def _problem(item: ErrorDetails) -> str:
    if item["type"] == "missing":
        examples = Settings.model_fields[str(item["loc"][0])].examples or []
        return f"is not set, for example {examples[0]}" if examples else "is not set"
    message = item["msg"].removeprefix("Value error, ")
    return message[0].lower() + message[1:]
