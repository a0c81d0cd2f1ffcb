"""A statement that names no table or no schema comes back with the one that is meant."""

import pytest

from mcp_server.domain.failures import Failure
from mcp_server.domain.failures.schemas import IndexAsTable
from tests.mcp_server.doubles.tables import HeldIndex
from tests.mcp_server.engine.conftest import ANN, Service

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module")
async def tables(service: Service) -> None:
    item = {"pk": {"S": "a"}, "by": {"S": "x"}}
    await service.tables.create("msp_orders", (("pk", "S"),), [HeldIndex("msp_by", (("by", "S"),))])
    await service.put("msp_orders", [item])
    for name in ("msp_lone-wolf", "msp_2025", "msp_2026"):
        await service.create(name, [item])


@pytest.mark.parametrize(
    ("sql", "meant"),
    [
        ("SELECT * FROM msp_ordres", "SELECT * FROM msp_orders"),
        (
            "SELECT msp_ordres.pk FROM shop.msp_ordres -- msp_ordres",
            "SELECT msp_orders.pk FROM shop.msp_orders -- msp_ordres",
        ),
        (
            "SELECT a.pk FROM msp_ordres a JOIN msp_ordres b ON a.pk = b.pk",
            "SELECT a.pk FROM msp_orders a JOIN msp_orders b ON a.pk = b.pk",
        ),
        ('SELECT 1 FROM "msp_lonewolf"', 'SELECT 1 FROM "msp_lone-wolf"'),
        (
            "SELECT pk FROM shopp.msp_orders WHERE shopp.msp_orders.by = 'x'",
            "SELECT pk FROM shop.msp_orders WHERE shop.msp_orders.by = 'x'",
        ),
        ('SELECT pk FROM "msp_orders"."msp_by" WHERE by = \'x\'', "SELECT pk FROM msp_orders WHERE by = 'x'"),
        ("SELECT pk FROM msp_orders.msp_other", None),
        ("SELECT pk FROM rivall.msp_orders", None),
        ("SELECT pk FROM zzzzzz", None),
        ("SELECT pk FROM msp_2024", None),
    ],
)
async def test_the_failure_holds_the_statement_that_is_meant(
    service: Service, tables: None, sql: str, meant: str | None
) -> None:
    with pytest.raises(Failure) as caught:
        await service.run(sql)

    assert (caught.value.meant.statement if caught.value.meant is not None else None) == meant
    if meant is not None:
        await service.queries().explain_sql(ANN, sql=meant)


async def test_an_index_in_the_place_of_a_table_is_told(service: Service, tables: None) -> None:
    with pytest.raises(Failure) as caught:
        await service.run("SELECT pk FROM msp_orders.msp_by")
    assert caught.value.fact == IndexAsTable("msp_orders", "msp_by")
