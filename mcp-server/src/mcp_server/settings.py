"""What an operator sets: read once from the environment, checked, and passed down as values.

Every field's description stands in docs/settings.md; every message names the variable and the remedy.
"""

import re
from pathlib import Path

from pydantic import Field, field_validator
from pydantic_settings import SettingsConfigDict

from shared_kernel import resource
from shared_kernel.settings import (
    AllowedHosts,
    CommaSeparated,
    HttpUrl,
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

_KEYS_PATH = "/.well-known/jwks.json"


class Settings(ServiceSettings):
    """The settings of mcp-server."""

    model_config = SettingsConfigDict(env_prefix="MCP_")

    resource: PublicUrl = Field(
        description="Public URL of the MCP endpoint, the `aud` of every token it takes; no trailing slash or fragment.",
        examples=["https://mcp.example.com/mcp"],
    )
    issuer: PublicUrl = Field(
        description="The authorization server's `AUTH_ISSUER`, spelled the same.",
        examples=["https://auth.example.com"],
    )
    jwks_url: HttpUrl | None = Field(
        default=None,
        description="Where the issuer's keys are fetched, if the issuer's public URL cannot be reached from here; "
        "otherwise `/.well-known/jwks.json` of the issuer.",
    )
    issuers_file: Path | None = Field(
        default=None,
        description="TOML file with other issuers whose access tokens are taken too.",
        examples=["/etc/mcp/issuers.toml"],
    )
    revocations_url: HttpUrl | None = Field(
        default=None,
        description="Where the issuer's revocations are followed, if not at its `/revocations`; the host is that of "
        "`MCP_JWKS_URL` where that is set.",
    )
    revocation_strict: bool = Field(
        default=False,
        description="Whether every request is answered 503 while the issuer's revocations have not been heard of for "
        "30 seconds. Otherwise tokens go on being taken until they expire, with an alarm in the log.",
    )
    dpop_required: bool = Field(
        default=False,
        description="Whether only tokens that are bound to a key are taken, with a DPoP proof (RFC 9449). "
        "Few MCP clients can do that today.",
    )
    dpop_nonce_required: bool = Field(
        default=False,
        description="Whether a DPoP proof must hold a nonce of this server, which comes with the answer to the first; "
        "otherwise it may.",
    )
    schemas_file: Path = Field(
        description="TOML file with the schemas: which DynamoDB tables there are, and whose.",
        examples=["/etc/mcp/schemas.toml"],
    )
    cursor_key_file: Path = Field(
        description="File (mode 0600) with the 32-byte key, base64url, that seals cursors and makes nonces for DPoP; "
        "replicas share it.",
        examples=["/etc/mcp/cursor.key"],
    )
    store_url: str = Field(
        default="memory:",
        description="Where results wait for their next page, and what may be used once, what was read and how many "
        "queries run is noted: `memory:`, or `redis://host:port/database`, `rediss://` for TLS, so that every replica "
        "has every page and knows every use. In memory a result may take 64 MiB to be kept, in Redis 16 MiB, "
        "compressed; of a larger one there is only the first page.",
        examples=["redis://redis:6379/1"],
    )
    host: str = Field(default="127.0.0.1", description="Address to listen on.")
    port: int = Field(default=8000, ge=1, le=65535, description="Port to listen on.")
    allowed_origins: CommaSeparated = Field(
        default=(),
        description="Comma-separated origins of web pages that may call the MCP endpoint from a browser, besides "
        "the endpoint's own.",
        examples=["https://inspector.example.com"],
    )
    allowed_hosts: AllowedHosts = Field(default=(), examples=["mcp-server"])
    trusted_proxies: Networks = Field(
        default=(),
        description="Comma-separated networks (CIDR) of reverse proxies whose `X-Forwarded-For` is believed; "
        "decides which address logs show.",
    )
    deadline_seconds: float = Field(
        default=30, gt=0, le=300, description="Longest time that one query may take before it is stopped."
    )
    queue_seconds: float = Field(
        default=5,
        ge=0,
        le=5,
        description="Longest time that a query waits for its turn before it is refused as `busy`.",
    )
    cursor_seconds: int = Field(
        default=900, ge=1, le=900, description="How long the cursor of a further page stays valid."
    )
    read_units: float = Field(
        default=50_000, gt=0, le=10_000_000, description="Most read units that one query may consume."
    )
    confirm_read_units: float = Field(
        default=10_000,
        ge=0,
        le=10_000_000,
        description="Most read units that one query may be expected to take before a person has to confirm it; 0: no "
        "query has to be confirmed for what it costs.",
    )
    read_units_per_hour: float = Field(
        default=1_000_000,
        gt=0,
        description="Most read units that the queries of one principal, and the samples of tables that their calls "
        "need, may consume in an hour, on all replicas that share a Redis (`MCP_STORE_URL`), otherwise on each "
        "process.",
    )
    read_price_usd: float | None = Field(
        default=None,
        ge=0,
        description="US dollars that a million read units cost here. Otherwise costs are told by list prices, on "
        "demand and provisioned, where these are known.",
        examples=["0.1"],
    )
    query_processes: int = Field(
        default=6,
        ge=1,
        le=64,
        description="DuckDB processes, each of which runs one query at a time and may take 2 GiB of address space.",
    )
    queries_per_tenant: int = Field(
        default=4,
        ge=1,
        le=10_000,
        description="Most queries of one tenant that run at a time, on all replicas that share a Redis "
        "(`MCP_STORE_URL`), otherwise on each process.",
    )
    queries_per_principal: int = Field(
        default=2, ge=1, le=10_000, description="The same for one principal of a tenant."
    )
    shutdown_seconds: int = Field(
        default=30,
        ge=1,
        le=600,
        description="How long calls that are under way may go on after SIGTERM; as long as `MCP_DEADLINE_SECONDS` for "
        "none to be cut.",
    )
    max_concurrent_requests: MaxConcurrentRequests = 256
    shutdown_delay_seconds: ShutdownDelaySeconds = 5.0
    metrics_token_file: MetricsTokenFile = None
    traces_url: TracesUrl = None
    traces_ratio: TracesRatio = 1.0
    log_level: LogLevel = "INFO"
    brand_name: str = Field(
        default="DynamoSQL",
        min_length=1,
        max_length=40,
        validation_alias="BRAND_NAME",
        description="Product name that clients show to people.",
    )

    @field_validator("store_url")
    @classmethod
    def _check_store(cls, value: str) -> str:
        if value != "memory:" and not re.fullmatch(r"rediss?://\S+", value):
            raise ValueError("must be memory:, or a URL that begins with redis:// or rediss://")
        return value

    @field_validator("allowed_origins")
    @classmethod
    def _check_origins(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for item in value:
            try:
                exact = item == resource.origin(item)
            except resource.MalformedResource:
                exact = False
            if not exact:
                raise ValueError("must hold origins separated by commas, for example https://inspector.example.com")
        return value

    @property
    def feed_url(self) -> str:
        """Where the issuer's revocations are followed."""
        base = self.keys_url.removesuffix(_KEYS_PATH) if self.keys_url.endswith(_KEYS_PATH) else self.issuer
        return self.revocations_url or f"{base}/revocations"

    @property
    def keys_url(self) -> str:
        """Where the issuer's key set is."""
        return self.jwks_url or f"{self.issuer}{_KEYS_PATH}"
