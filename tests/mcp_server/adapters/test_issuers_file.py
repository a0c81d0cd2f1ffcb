"""The issuers file is read as docs/settings.md says, and a mistake is one line that says where."""

from pathlib import Path

import pytest

from mcp_server.adapters.issuers_file import BadIssuersFile, read
from mcp_server.domain.issuer import OtherIssuer, TokenForm

OWN, RESOURCE = "https://auth.example.com", "https://mcp.example.com/mcp"
POOL = "https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_Pool"
LEAST = f"""
[[issuer]]
name = "pool"
issuer = "{POOL}"
client_ids = ["one"]
tenant = "acme"
"""


def issuers(tmp_path: Path, text: str | bytes) -> tuple[OtherIssuer, ...]:
    """What a file says."""
    file = tmp_path / "issuers.toml"
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    return read(file, own_issuer=OWN, resource_url=RESOURCE)


def test_the_least_that_an_issuer_needs(tmp_path: Path) -> None:
    assert issuers(tmp_path, LEAST) == (
        OtherIssuer(
            name="pool",
            issuer=POOL,
            jwks_url=f"{POOL}/.well-known/jwks.json",
            form=TokenForm.RFC9068,
            algorithms=frozenset({"RS256"}),
            client_ids=frozenset({"one"}),
            audience=RESOURCE,
            tenant="acme",
            tenant_claim=None,
            tenants={},
            scope_prefix="",
            most_seconds=3600,
        ),
    )


def test_everything_that_can_be_said(tmp_path: Path) -> None:
    (found,) = issuers(
        tmp_path,
        f"""
        [[issuer]]
        name = "pool"
        issuer = "{POOL}/"
        jwks_url = "http://127.0.0.1:9/keys"
        form = "cognito"
        algorithms = ["ES256", "RS256"]
        client_ids = ["one", "two"]
        audience = "https://api.example.com"
        tenant_claim = "custom:company"
        scope_prefix = "https://api.example.com/"
        most_seconds = 86400
        tenants = {{ "globex-inc" = "globex" }}
        """,
    )
    assert found == OtherIssuer(
        name="pool",
        issuer=f"{POOL}/",
        jwks_url="http://127.0.0.1:9/keys",
        form=TokenForm.COGNITO,
        algorithms=frozenset({"ES256", "RS256"}),
        client_ids=frozenset({"one", "two"}),
        audience="https://api.example.com",
        tenant=None,
        tenant_claim="custom:company",
        tenants={"globex-inc": "globex"},
        scope_prefix="https://api.example.com/",
        most_seconds=86400,
    )


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "the file: must hold at least one [[issuer]]"),
        ("issuer = []", "the file: must hold at least one [[issuer]]"),
        ("[[issuer]]", "issuer 1.name: must be set"),
        ("issuer", "not TOML"),
        (b"\xff", "not TOML"),
        (LEAST + 'colour = "red"', "issuer 1.colour: is not known"),
        (LEAST.replace('"pool"', '"The Pool"'), "issuer 1.name: "),
        (LEAST.replace("https:", "http:"), "issuer 1.issuer: must use https"),
        (LEAST.replace(POOL, "cognito"), "issuer 1.issuer: must be an absolute URL"),
        (LEAST.replace('["one"]', "[]"), "issuer 1.client_ids: "),
        (LEAST.replace('["one"]', '[" "]'), "issuer 1.client_ids.0: "),
        (LEAST + 'algorithms = ["HS256"]', "issuer 1.algorithms.0: "),
        (LEAST + "algorithms = []", "issuer 1.algorithms: "),
        (LEAST + "most_seconds = 1000000", "issuer 1.most_seconds: "),
        (LEAST.replace('tenant = "acme"', ""), "issuer 1: must set tenant, or tenant_claim, and not both"),
        (LEAST + 'tenant_claim = "x"', "issuer 1: must set tenant, or tenant_claim, and not both"),
        (LEAST.replace("tenant =", "tenant_claim ="), "issuer 1: must set tenants where tenant_claim is set"),
        (LEAST + "tenants = { a = 'b' }", "issuer 1: must set tenants where tenant_claim is set"),
        (LEAST + LEAST, f'the issuer "{POOL}" is there twice'),
        (LEAST + LEAST.replace("_Pool", "_Other"), 'the name "pool" is there twice'),
        (LEAST.replace(POOL, OWN), f'the issuer "{OWN}" is there twice, or is that of MCP_ISSUER'),
    ],
)
def test_a_mistake_is_one_line_that_says_where(text: str | bytes, problem: str, tmp_path: Path) -> None:
    with pytest.raises(BadIssuersFile) as raised:
        issuers(tmp_path, text)
    assert str(raised.value).startswith(f"{tmp_path / 'issuers.toml'}: {problem}")
    assert "\n" not in str(raised.value)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(BadIssuersFile, match="No such file"):
        read(tmp_path / "none.toml", own_issuer=OWN, resource_url=RESOURCE)
