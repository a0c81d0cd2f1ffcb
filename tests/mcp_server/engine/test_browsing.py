"""Schemas, tables and columns, as the browsing tools ask for them."""

import pytest

from mcp_server.domain.failures import Failure, FailureCode
from mcp_server.domain.failures.tables import UnknownTable
from tests.mcp_server.engine.conftest import ANN, EVE, Service

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module", autouse=True)
async def tables(service: Service) -> None:
    for name in ("brw_orders", "Zed"):
        await service.create(name, [{"pk": {"S": "a"}, "v": {"N": "1.5"}}])


async def test_schemas_of_a_tenant(service: Service) -> None:
    assert [schema.name for schema in service.browsing().list_schemas(ANN)] == ["shop", "narrow", "asleep"]
    assert [schema.name for schema in service.browsing().list_schemas(EVE)] == ["rival"]
    default = service.browsing().default_schema(ANN)
    assert default is not None
    assert default.name == "shop"


async def test_tables_of_a_schema(service: Service) -> None:
    listing = await service.browsing().list_tables(ANN, refresh="force")
    names = [table.name for table in listing.tables]
    assert {"brw_orders", "Zed"} <= set(names)
    assert names == sorted(names)
    assert (listing.schema_name, listing.truncated, listing.refreshed) == ("shop", False, True)
    assert listing.refreshed_at == service.clock.time
    again = await service.browsing().list_tables(ANN)
    assert not again.refreshed
    assert listing.stale_after_seconds == 300


async def test_an_allow_list_is_all_there_is(service: Service) -> None:
    listing = await service.browsing().list_tables(ANN, schema_name="narrow")
    assert [table.name for table in listing.tables if not table.name.startswith("eng_")] == ["brw_orders"]
    assert listing.tables[0].columns[0].name == "pk"


async def test_long_lists_are_cut(service: Service) -> None:
    listing = await service.browsing(listed_tables=1).list_tables(ANN)
    assert (len(listing.tables), listing.truncated) == (1, True)


async def test_a_table_with_its_columns(service: Service) -> None:
    described = await service.browsing().describe_table(ANN, table_name="brw_orders")
    assert [(column.name, column.type.sql) for column in described.table.columns] == [
        ("pk", "VARCHAR"),
        ("v", "DECIMAL(38,1)"),
    ]
    assert (await service.browsing().describe_table(ANN, table_name="zed")).table.name == "Zed"


@pytest.mark.parametrize(
    ("table", "schema", "code"),
    [
        ("nosuch", None, FailureCode.UNKNOWN_TABLE),
        ("Zed", "narrow", FailureCode.UNKNOWN_TABLE),
        ("eng_rival", "rival", FailureCode.UNKNOWN_SCHEMA),
        ("brw_orders", "asleep", FailureCode.UNKNOWN_SCHEMA),
    ],
)
async def test_what_is_not_there_for_the_principal(
    service: Service, table: str, schema: str | None, code: FailureCode
) -> None:
    with pytest.raises(Failure) as caught:
        await service.browsing().describe_table(ANN, table_name=table, schema_name=schema)
    assert caught.value.code is code


async def test_near_names_are_offered(service: Service) -> None:
    with pytest.raises(Failure) as caught:
        await service.browsing().describe_table(ANN, table_name="brw_order")
    assert isinstance(caught.value.fact, UnknownTable)
    assert caught.value.fact.near[0] == "brw_orders"


@pytest.mark.parametrize("written", ["shop.brw_orders", 'SHOP."brw_orders"', '"shop"."BRW_orders"', '"brw_orders"'])
@pytest.mark.parametrize("schema", [None, "shop"])
async def test_a_table_may_be_named_as_sql_writes_it(service: Service, written: str, schema: str | None) -> None:
    described = await service.browsing().describe_table(ANN, table_name=written, schema_name=schema)
    assert described.table.name == "brw_orders"


@pytest.mark.parametrize(
    ("written", "schema"),
    [("narrow.Zed", None), ("shop.brw_orders", "narrow"), ("rival.eng_rival", None), ("asleep.brw_orders", None)],
)
async def test_another_schemas_table_is_not_found_by_its_written_name(
    service: Service, written: str, schema: str | None
) -> None:
    with pytest.raises(Failure) as caught:
        await service.browsing().describe_table(ANN, table_name=written, schema_name=schema)
    assert caught.value.code is FailureCode.UNKNOWN_TABLE


async def test_a_table_whose_own_name_has_a_dot_is_found(service: Service) -> None:
    await service.create("shop.dotted", [{"pk": {"S": "a"}}])
    assert (await service.browsing().describe_table(ANN, table_name="shop.dotted")).table.name == "shop.dotted"
    assert (await service.browsing().describe_table(ANN, table_name='shop."shop.dotted"')).table.name == "shop.dotted"


async def test_a_listing_can_hold_sampled_columns(service: Service) -> None:
    listing = await service.browsing(sampled_tables=1).list_tables(ANN, sampled=True, refresh="force")
    assert (len(listing.tables), listing.truncated) == (1, True)
    narrow = await service.browsing().list_tables(ANN, schema_name="narrow", sampled=True)
    [orders] = [table for table in narrow.tables if table.name == "brw_orders"]
    assert [column.name for column in orders.columns] == ["pk", "v"]
