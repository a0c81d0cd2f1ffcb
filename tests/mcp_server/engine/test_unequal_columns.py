"""Whoever joins columns that share no sampled value is told so: the statement is right, and gives nothing."""

from typing import Any

import pytest

from tests.mcp_server.engine.conftest import Service

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module", autouse=True)
async def tables(service: Service) -> None:
    """Each order names its customer in several notations; only `right` is the customers' own."""
    customers = [
        {
            "pk": {"S": f"CUSTOMER#{number:04}"},
            "short": {"S": f"C{number}"},
            "email": {"S": f"ann.{number}@example.com"},
            "country": {"S": ("NO", "FR")[number % 2]},
            "seen": {"S": f"2026-01-{number % 28 + 1:02}T10:00:00Z"},
        }
        for number in range(60)
    ]
    orders = [
        {
            "pk": {"S": f"ORDER#{number:04}"},
            "right": {"S": f"CUSTOMER#{number % 60:04}"},
            "number": {"S": str(number % 60)},
            "other": {"S": f"{number % 60:04}"},
            "loud": {"S": f"ANN.{number % 60}@EXAMPLE.COM"},
            "state": {"S": ("no", "fr")[number % 2]},
            "land": {"S": ("FR", "PE")[number % 2]},
            "placed": {"S": f"2027-02-{number % 28 + 1:02}T11:11:11.5+01:00"},
            "ship": {"M": {"to": {"S": ("OSLO", "NO")[number % 2]}, "via": {"S": ("sea", "air")[number % 2]}}},
            "count": {"N": str(number % 60)},
        }
        for number in range(120)
    ]
    await service.create("ueq_customers", customers)
    await service.create("ueq_orders", orders)


ONE = 'No sampled "{}" of "ueq_orders" equals any "{}" of "ueq_customers": there is {} in one, {} in the other.'
OTHER = ONE.replace("ueq_orders", "x").replace("ueq_customers", "ueq_orders").replace("x", "ueq_customers")
JOINED = "FROM ueq_orders o JOIN ueq_customers c ON"
NUMBER = ONE.format("number", "pk", "'0'", "'CUSTOMER#0000'")


async def warned(service: Service, sql: str) -> list[str]:
    result = await service.run(sql)
    return [one for one in result.warnings if one.startswith("No sampled")]


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ("o.right = c.pk", None),
        ("o.number = c.pk", NUMBER),
        ("c.pk = o.number", OTHER.format("pk", "number", "'CUSTOMER#0000'", "'0'")),
        ("o.number = c.pk AND c.country = 'NO'", NUMBER),
        ("upper(o.number) = c.pk", None),  # of texts that are changed only few values are compared
        ("o.other = c.pk", ONE.format("other", "pk", "'0000'", "'CUSTOMER#0000'")),
        ("o.pk = c.pk", ONE.format("pk", "pk", "'ORDER#0000'", "'CUSTOMER#0000'")),
        ("o.loud = c.email", ONE.format("loud", "email", "'ANN.0@EXAMPLE.COM'", "'ann.0@example.com'")),
        ("lower(o.loud) = c.email", None),
        ("c.email = lower(o.loud)", None),
        ("o.state = c.country", ONE.format("state", "country", "'fr'", "'FR'")),
        ("o.land = c.country", None),
        ("o.ship.via = c.country", ONE.replace('"{}"', "{}", 1).format("ship.via", "country", "'air'", "'FR'")),
        ("o.ship.to = c.country", None),
        ("o.placed = c.seen", ONE.format("placed", "seen", "'2027-02-01T11:11:11.5+01:00'", "'2026-01-01T10:00:00Z'")),
        ("o.count = c.pk::VARCHAR[10:]::INTEGER", None),
        ("c.short <> o.number", None),
        ("o.number = coalesce(c.short, c.pk)", None),
    ],
)
async def test_columns_that_share_no_value(service: Service, condition: str, expected: str | None) -> None:
    found = await warned(service, f"SELECT o.pk, c.email {JOINED} {condition}")
    assert found == ([expected] if expected is not None else [])


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        (f"SELECT count(*) {JOINED} o.number = c.pk", True),
        ("SELECT o.pk FROM ueq_orders o LEFT JOIN ueq_customers c ON o.number = c.pk", True),
        ("SELECT o.pk FROM ueq_orders o, ueq_customers c WHERE o.number = c.pk", True),
        ("SELECT pk FROM ueq_orders WHERE number IN (SELECT pk FROM ueq_customers)", True),
        ("SELECT pk FROM ueq_orders WHERE number NOT IN (SELECT pk FROM ueq_customers WHERE country = 'NO')", True),
        ("SELECT pk FROM ueq_orders WHERE number = (SELECT max(pk) FROM ueq_customers)", True),
        ("SELECT pk FROM ueq_orders o WHERE EXISTS (SELECT 1 FROM ueq_customers c WHERE o.number = c.pk)", True),
        ("SELECT pk FROM ueq_orders o ANTI JOIN ueq_customers c ON o.number = c.pk", True),
        ("WITH c AS (SELECT pk FROM ueq_customers), o AS (SELECT number FROM ueq_orders)"
         " SELECT * FROM c JOIN o ON o.number = c.pk", True),
        ("SELECT * FROM (SELECT number AS pk FROM ueq_orders) o JOIN ueq_customers c USING (pk)", True),
        ("SELECT pk FROM ueq_orders WHERE right IN (SELECT pk FROM ueq_customers)", False),
        ("SELECT o.pk FROM ueq_orders o LEFT JOIN ueq_customers c ON o.right = c.pk", False),
        ("SELECT a.pk FROM ueq_orders a JOIN ueq_orders b ON a.number = b.number AND a.pk < b.pk", False),
        ("SELECT o.pk FROM ueq_orders o JOIN (SELECT pk FROM ueq_customers UNION ALL SELECT 'x') c"
         " ON o.number = c.pk", False),
    ],
)  # fmt: skip
async def test_wherever_they_are_held_equal(service: Service, sql: str, expected: bool) -> None:
    found = await warned(service, sql)
    assert len(found) == expected, found
    assert all('"number" of "ueq_orders"' in one and "'CUSTOMER#" in one for one in found)


async def test_rows_that_show_a_common_value_are_not_warned_of(service: Service) -> None:
    """What came after the sample was taken."""
    late: dict[str, Any] = {"pk": {"S": "ORDER#9999"}, "number": {"S": "CUSTOMER#0001"}}
    await service.put("ueq_orders", [late])
    assert await warned(service, f"SELECT o.pk {JOINED} o.number = c.pk") == []
    assert await warned(service, f"SELECT count(*) {JOINED} o.number = c.pk") == []
    await service.tables.delete("ueq_orders", {"pk": late["pk"]})
    assert await warned(service, f"SELECT o.pk {JOINED} o.number = c.pk") == [NUMBER]
