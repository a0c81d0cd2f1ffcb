"""The registry of resources: what a client's word for one means, and what it is told that it should have said."""

import pytest

from auth_server.domain.deployment import Deployment
from auth_server.domain.failures import Reason, Refused
from auth_server.protocol import resource_indicator

SALES, STOCK, ALONE = "https://mcp.example.com/sales", "https://mcp.example.com/stock", "https://alone.example/mcp"
DEPLOYMENT = Deployment(
    "https://auth.example.com",
    (SALES, STOCK, ALONE),
    frozenset(),
    resource_aliases={"https://old.example/sales": SALES, "https://mcp.example.com": STOCK},
)


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        (SALES, SALES),
        (f"{SALES}/", SALES),
        ("HTTPS://MCP.Example.com:443/stock", STOCK),
        ("https://alone.example", ALONE),
        ("https://alone.example:443/", ALONE),
        ("https://OLD.example/sales/", SALES),
        ("https://mcp.example.com/", STOCK),  # the operator's word for an origin that two share
    ],
)
def test_every_name_of_a_resource_means_its_canonical_uri(name: str, meant: str) -> None:
    assert resource_indicator.resolve([name], DEPLOYMENT) == meant
    assert resource_indicator.resolve([name, meant], DEPLOYMENT) == meant
    assert resource_indicator.resolve([name], DEPLOYMENT, bound=meant) == meant


@pytest.mark.parametrize(
    ("name", "bound", "right"),
    [
        ("https://mcp.example.com/mcp", None, (SALES, STOCK)),
        ("https://alone.example/", SALES, (SALES,)),
        ("https://alone.example/sse", None, (ALONE,)),
        ("https://elsewhere.example", None, (SALES, STOCK, ALONE)),
        ("http://alone.example/mcp", None, (SALES, STOCK, ALONE)),
        ("https://alone.example/mcp?x=1", None, (ALONE,)),
        ("mcp", None, (SALES, STOCK, ALONE)),
    ],
)
def test_the_refusal_names_the_resources_that_would_be_right(
    name: str, bound: str | None, right: tuple[str, ...]
) -> None:
    """Those on the same host if there are any; never one beyond the grant."""
    with pytest.raises(Refused) as refused:
        resource_indicator.resolve([name], DEPLOYMENT, bound)
    assert refused.value.reason is Reason.UNKNOWN_RESOURCE
    assert refused.value.facts.resources == right
    assert refused.value.wire.description == f"The resource must be one of: {' '.join(right)}"


def test_an_origin_that_two_resources_share_means_neither() -> None:
    ambiguous = Deployment("https://auth.example.com", (SALES, STOCK), frozenset())
    with pytest.raises(Refused) as refused:
        resource_indicator.resolve(["https://mcp.example.com"], ambiguous)
    assert refused.value.facts.resources == (SALES, STOCK)
