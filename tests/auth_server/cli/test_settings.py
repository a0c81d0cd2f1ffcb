"""Settings: every mistake named with its variable and remedy, in one line."""

from pathlib import Path

import pytest

from auth_server.adapters.sqlite_store.store import path_in
from auth_server.domain.deployment import AssertionIssuer
from auth_server.settings import Settings
from shared_kernel.settings import BadSettings

GOOD = {
    "AUTH_ISSUER": "https://auth.example.com",
    "AUTH_RESOURCES": "https://mcp.example.com/mcp",
    "AUTH_STORE_URL": "sqlite:///var/lib/auth/auth.db",
    "AUTH_MASTER_KEY_FILE": "/etc/auth/master.key",
}


@pytest.fixture
def load(monkeypatch: pytest.MonkeyPatch) -> "Loader":
    """Loads settings from the variables given and no other."""
    return Loader(monkeypatch)


class Loader:
    def __init__(self, environment: pytest.MonkeyPatch) -> None:
        self._environment = environment

    def __call__(self, **changed: str) -> Settings:
        for name in ("BRAND_NAME", *(f"AUTH_{field.upper()}" for field in Settings.model_fields)):
            self._environment.delenv(name, raising=False)
        for name, value in (GOOD | changed).items():
            self._environment.setenv(name, value)
        return Settings.load()


def test_four_variables_are_enough(load: Loader) -> None:
    loaded = load()
    assert loaded.issuer == "https://auth.example.com"
    assert loaded.resources == ("https://mcp.example.com/mcp",)
    assert loaded.store_url == "sqlite:///var/lib/auth/auth.db"
    assert (loaded.host, loaded.port, loaded.log_level, loaded.brand_name) == ("127.0.0.1", 9000, "INFO", "DynamoSQL")
    assert loaded.trusted_proxies == ()


def test_aliases_lead_to_resources_in_canonical_form(load: Loader) -> None:
    loaded = load(
        AUTH_RESOURCE_ALIASES="https://OLD.example.com/mcp/ https://mcp.example.com/mcp, https://a.example "
        "https://MCP.example.com/mcp/"
    )
    meant = "https://mcp.example.com/mcp"
    assert loaded.resource_aliases == {"https://old.example.com/mcp": meant, "https://a.example": meant}


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        ("https://old.example.com/mcp", "must hold pairs"),
        (
            "https://a.example https://mcp.example.com/mcp, https://a.example https://mcp.example.com/mcp",
            "must hold pairs",
        ),
        ("https://a.example https://elsewhere.example/mcp", "https://elsewhere.example/mcp, which is none of AUTH_RES"),
        ("https://mcp.example.com/mcp https://mcp.example.com/mcp", "another meaning, which is one of AUTH_RESOURCES"),
        ("old https://mcp.example.com/mcp", "must hold absolute http"),
    ],
)
def test_aliases_that_lead_nowhere_are_named(load: Loader, value: str, problem: str) -> None:
    with pytest.raises(BadSettings, match=r"^AUTH_RESOURCE_ALIASES ") as raised:
        load(AUTH_RESOURCE_ALIASES=value)
    assert problem in str(raised.value)


def test_each_identity_provider_speaks_for_one_workspace(load: Loader) -> None:
    acme, globex = "https://login.acme.example", "https://id.globex.example/tenant/1"
    loaded = load(
        AUTH_ASSERTION_ISSUERS=f"acme {acme} {acme}/jwks.json, globex  {globex} https://id.globex.example:8443/k"
    )
    assert loaded.assertion_issuers == (
        AssertionIssuer("acme", acme, f"{acme}/jwks.json"),
        AssertionIssuer("globex", globex, "https://id.globex.example:8443/k"),
    )
    assert load().assertion_issuers == ()


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        ("https://login.acme.example https://login.acme.example/keys", "must hold identity providers"),
        ("Acme! https://login.acme.example https://login.acme.example/keys", "'Acme!' is not the name of a workspace"),
        ("acme login.acme.example https://login.acme.example/keys", "is not an https URL"),
        ("acme https://login.acme.example http://login.acme.example/keys", "is not an https URL"),
        ("acme https://login.acme.example https://10.0.0.7/keys", "is not an https URL"),
        ("a https://i.example https://i.example/k, b https://i.example https://i.example/k", "names one issuer twice"),
    ],
)
def test_identity_providers_that_are_not_clear_are_named(load: Loader, value: str, problem: str) -> None:
    with pytest.raises(BadSettings, match=r"^AUTH_ASSERTION_ISSUERS ") as raised:
        load(AUTH_ASSERTION_ISSUERS=value)
    assert problem in str(raised.value)


def test_named_origins_are_read_as_places(load: Loader) -> None:
    """Each with its port, connected where it is or where it is said to be."""
    loaded = load(
        AUTH_CLIENT_DOCUMENT_ORIGINS="https://a.example, https://b.example:8443=10.0.0.7:443,https://c.x=[::1]:9"
    )
    assert loaded.client_document_origins == {
        ("a.example", 443): ("a.example", 443),
        ("b.example", 8443): ("10.0.0.7", 443),
        ("c.x", 443): ("::1", 9),
    }


@pytest.mark.parametrize(
    "value",
    ["http://a.example", "a.example", "https://a.example/path", "https://A.example", "https://a.example=10.0.0.7",
     "https://a.example=:1", "https://a.example:99999", "https://a.example=b:99999", "https://u@a.example", "*"],
)  # fmt: skip
def test_what_is_no_origin_is_named(load: Loader, value: str) -> None:
    with pytest.raises(BadSettings, match="AUTH_CLIENT_DOCUMENT_ORIGINS must hold https origins"):
        load(AUTH_CLIENT_DOCUMENT_ORIGINS=value)


def test_values_are_read_as_meant(load: Loader) -> None:
    loaded = load(
        AUTH_ISSUER="http://localhost:9000/tenants/one",
        AUTH_RESOURCES=" HTTPS://MCP.example.com:443/mcp/ , https://b.example.com",
        AUTH_TRUSTED_PROXIES="10.0.0.0/8, ::1",
        AUTH_LOG_LEVEL="debug",
        AUTH_STORE_URL="sqlite:////var/lib/auth.db",
        BRAND_NAME="Acme SQL",
    )
    assert loaded.resources == ("https://mcp.example.com/mcp", "https://b.example.com")
    assert [str(network) for network in loaded.trusted_proxies] == ["10.0.0.0/8", "::1/128"]
    assert (loaded.log_level, loaded.brand_name) == ("DEBUG", "Acme SQL")
    assert path_in(loaded.store_url) == Path("/var/lib/auth.db")


@pytest.mark.parametrize(
    "issuer",
    [
        "http://localhost:9000",
        "http://127.0.0.1",
        "http://[::1]:9000",
        "https://auth.example.com",
        "https://a.example/x/y",
    ],
)
def test_issuers_that_are_accepted(load: Loader, issuer: str) -> None:
    assert load(AUTH_ISSUER=issuer).issuer == issuer


@pytest.mark.parametrize(
    ("issuer", "remedy"),
    [
        ("http://auth.example.com", "must use https"),
        ("http://localhost.example.com", "must use https"),
        ("http://127.0.0.2", "must use https"),
        ("http://0.0.0.0:9000", "must use https"),
        ("https://auth.example.com/", "must be written https://auth.example.com "),
        ("https://Auth.Example.com", "must be written https://auth.example.com "),
        ("https://auth.example.com:443", "must be written https://auth.example.com "),
        ("https://auth.example.com?x", "no query"),
        ("https://auth.example.com#x", "is not an absolute http"),
        ("https://user@auth.example.com", "is not an absolute http"),
        ("https://auth.example.com/a//b", "plain path"),
        ("https://auth.example.com/../b", "plain path"),
        ("https://auth.example.com/%2e", "plain path"),
        ("auth.example.com", "is not an absolute http"),
        ("ftp://auth.example.com", "is not an absolute http"),
        ("https://", "is not an absolute http"),
    ],
)
def test_issuers_that_are_refused(load: Loader, issuer: str, remedy: str) -> None:
    with pytest.raises(BadSettings) as refused:
        load(AUTH_ISSUER=issuer)
    assert str(refused.value).startswith("AUTH_ISSUER ")
    assert remedy in str(refused.value)


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("AUTH_RESOURCES", ","),
        ("AUTH_RESOURCES", "mcp.example.com"),
        ("AUTH_RESOURCES", "https://mcp.example.com/#x"),
        ("AUTH_RESOURCES", "https://mcp.example.com,https://MCP.example.com/"),
        ("AUTH_STORE_URL", "redis:localhost"),
        ("AUTH_STORE_URL", "sqlite:/var/lib/auth.db"),
        ("AUTH_STORE_URL", "sqlite:///"),
        ("AUTH_STORE_URL", "sqlite:///var/lib/"),
        ("AUTH_STORE_URL", "/var/lib/auth.db"),
        ("AUTH_PORT", "0"),
        ("AUTH_PORT", "65536"),
        ("AUTH_PORT", "http"),
        ("AUTH_TRUSTED_PROXIES", "10.0.0.1/8"),
        ("AUTH_TRUSTED_PROXIES", "proxy.example.com"),
        ("AUTH_LOG_LEVEL", "LOUD"),
        ("BRAND_NAME", "x" * 41),
    ],
)
def test_every_other_mistake_names_its_variable(load: Loader, variable: str, value: str) -> None:
    with pytest.raises(BadSettings) as refused:
        load(**{variable: value})
    assert str(refused.value).startswith(f"{variable} ")
    assert "\n" not in str(refused.value)


def test_the_url_of_the_store_can_be_kept_in_a_file(load: Loader, tmp_path: Path) -> None:
    """Only its owner may read it, since it may hold a password, which no message shows."""
    file = tmp_path / "store-url"
    file.write_text("redis://:hunter2@redis.internal/0\n")
    file.chmod(0o600)
    given = {"AUTH_STORE_URL": "", "AUTH_STORE_URL_FILE": str(file)}
    assert load(**given).store_url == "redis://:hunter2@redis.internal/0"
    with pytest.raises(BadSettings, match=r"^AUTH_STORE_URL and AUTH_STORE_URL_FILE are both set"):
        load(**given | {"AUTH_STORE_URL": "sqlite:///auth.db"})
    file.chmod(0o640)
    with pytest.raises(BadSettings, match=f"^AUTH_STORE_URL_FILE: .*chmod 600 {file}"):
        load(**given)
    file.chmod(0o600)
    file.write_text("hunter2")
    with pytest.raises(BadSettings, match=r"^AUTH_STORE_URL must be a URL: sqlite:///var/lib/auth/auth.db$"):
        load(**given)


@pytest.mark.parametrize("variable", list(GOOD))
def test_a_missing_variable_is_named_with_an_example(load: Loader, variable: str) -> None:
    with pytest.raises(BadSettings, match=f"^{variable} is not set, for example "):
        load(**{variable: ""})


def test_all_mistakes_are_told_at_once(load: Loader) -> None:
    with pytest.raises(BadSettings) as refused:
        load(AUTH_ISSUER="x", AUTH_PORT="x", BRAND_NAME="x" * 50)
    assert [part.split(" ")[0] for part in str(refused.value).split("; ") if part[0].isupper()][:2] == [
        "AUTH_ISSUER",
        "AUTH_PORT",
    ]


def test_every_setting_is_described() -> None:
    assert all(field.description for field in Settings.model_fields.values())
