"""Settings: read once from the environment when a service starts, then passed down as values.

A secret never stands in a variable of its own; the variable `…_FILE` names a file that holds it.
"""

import ipaddress
import re
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, ValidationError
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from shared_kernel import resource

_HOST_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?")
LOOPBACK_HOSTS = ("localhost", "127.0.0.1", "[::1]")


class BadSettings(Exception):
    """The environment does not describe a service that can start. The text is one line: variables and remedies."""


def _split(value: Any) -> Any:
    return [item.strip() for item in value.split(",") if item.strip()] if isinstance(value, str) else value


def _networks(value: Any) -> Any:
    try:
        return tuple(ipaddress.ip_network(item) for item in _split(value))
    except ValueError:
        raise ValueError("must hold networks separated by commas, for example 10.0.0.0/8,fd00::/8") from None


def _upper(value: Any) -> Any:
    return value.upper() if isinstance(value, str) else value


def _host_names(value: tuple[str, ...]) -> tuple[str, ...]:
    if any(not _HOST_NAME.fullmatch(item) for item in value):
        raise ValueError("must hold host names separated by commas, without scheme or port")
    return tuple(item.lower() for item in value)


def _http_url(value: str) -> str:
    try:
        resource.canonical(value)
    except resource.MalformedResource:
        raise ValueError("is not an absolute http(s) URL") from None
    return value


def _public_url(value: str) -> str:
    try:
        canonical = resource.canonical(value)
    except resource.MalformedResource:
        raise ValueError("is not an absolute http(s) URL") from None
    # Clients and tokens compare it byte for byte, so there is one spelling.
    if value != canonical:
        raise ValueError(f"must be written {canonical} (lower-case host, no default port, no trailing slash)")
    # RFC 8414 §2: "a URL that uses the "https" scheme and has no query or fragment components"
    if "?" in value:
        raise ValueError("must have no query")
    # Over plain http an attacker on the way could read tokens and cookies, and replace keys; loopback has no way.
    if value.startswith("http:") and not is_loopback(value):
        raise ValueError("must use https (http is accepted on localhost, 127.0.0.1 and [::1] only)")
    return value


Network = ipaddress.IPv4Network | ipaddress.IPv6Network
CommaSeparated = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_split)]
Networks = Annotated[tuple[Network, ...], NoDecode, BeforeValidator(_networks)]
HttpUrl = Annotated[str, AfterValidator(_http_url)]
PublicUrl = Annotated[str, AfterValidator(_public_url)]
LogLevel = Annotated[
    Literal["DEBUG", "INFO", "WARNING", "ERROR"],
    BeforeValidator(_upper),
    Field(description="Least severe level that is logged: DEBUG, INFO, WARNING or ERROR."),
]
MetricsTokenFile = Annotated[
    Path | None,
    Field(
        description="File (mode 0600) with the token that reads `/metrics`, 20 characters or more on one line; without "
        "it nothing is counted, and the path is not there.",
    ),
]
TracesUrl = Annotated[
    HttpUrl | None,
    Field(
        description="Where an OpenTelemetry collector takes traces by OTLP over HTTP; without it no request is traced.",
        examples=["http://collector:4318/v1/traces"],
    ),
]
TracesRatio = Annotated[
    float, Field(ge=0, le=1, description="Share of the requests that is traced, where any is: from 0 to 1.")
]
AllowedHosts = Annotated[
    CommaSeparated,
    AfterValidator(_host_names),
    Field(
        description="Comma-separated host names, besides those of the public URLs and of loopback, by which this "
        "server may be addressed; other names are answered 421."
    ),
]
MaxConcurrentRequests = Annotated[
    int,
    Field(
        ge=1,
        description="Most requests that are worked on at a time; one more is answered 503 with `Retry-After` at once. "
        "Probes are not counted, nor is a request that waits for its client.",
    ),
]
ShutdownDelaySeconds = Annotated[
    float,
    Field(
        ge=0,
        le=300,
        description="Seconds for which the service goes on serving after SIGTERM, with `/readyz` at 503 and "
        "`Connection: close`, so that load balancers turn to others before it stops listening.",
    ),
]


class ServiceSettings(BaseSettings):
    """Base of both services' settings: frozen, from the environment only, empty variables count as absent."""

    model_config = SettingsConfigDict(frozen=True, env_ignore_empty=True, extra="ignore", hide_input_in_errors=True)

    @classmethod
    def load(cls) -> Self:
        """The settings in the environment. Raises BadSettings."""
        try:
            return cls.model_validate({})
        except ValidationError as error:
            problems = (cls._problem(item) for item in error.errors(include_input=False))
            raise BadSettings("; ".join(dict.fromkeys(problems))) from None

    @classmethod
    def _problem(cls, item: ErrorDetails) -> str:
        message = item["msg"].removeprefix("Value error, ")
        if not item["loc"]:  # of the settings as a whole: names its variable itself
            return message
        field = str(item["loc"][0])
        known = cls.model_fields.get(field)
        # A field with an alias appears under it.
        variable = f"{cls.model_config['env_prefix']}{field}".upper() if known else field.upper()
        if item["type"] == "missing":
            example = f", for example {known.examples[0]}" if known and known.examples else ""
            return f"{variable} is not set{example}"
        return f"{variable} {message[0].lower()}{message[1:]}"


def is_loopback(url: str) -> bool:
    """Whether a URL's host is a name of this machine's loopback interface."""
    host = urlsplit(url).hostname or ""
    return (f"[{host}]" if ":" in host else host) in LOOPBACK_HOSTS
