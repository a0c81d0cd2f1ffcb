"""Failures that only a run shows have their place in the statement that was sent."""

import pytest

from mcp_server.domain.failures import Failure, Position
from mcp_server.domain.failures.schemas import UnknownSchema
from tests.mcp_server.engine.conftest import Service

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize(
    ("sql", "column"),
    [
        ("SELECT 'absent' FROM absent", 22),
        ("SELECT p.pk FROM plc_things p JOIN shop.Absent USING (pk)", 36),
        ("WITH absent AS (SELECT 1) SELECT 1 FROM absent, shop.absent", 49),
        ("SELECT 1 FROM plc_things, narrow.plc_things", 27),
        ("SELECT 1 FROM plc_things, shop2.plc_things", 27),
        ("SELECT 1 FROM Asleep.plc_things", 15),
        ("SELECT pk FROM plc_things GROUP BY 5", 36),
        ("SELECT pk FROM plc_things UNION SELECT pk, pk FROM plc_things", 27),
        ("SELECT count(*) OVER w FROM plc_things", 22),
        ("SELECT pk FROM plc_things WHERE pk = $1", 38),
    ],
)
async def test_a_failure_has_a_place(service: Service, sql: str, column: int) -> None:
    if await service.ports.catalog.describe(service.schemas.by_name["shop"], "plc_things", "skip") is None:
        await service.create("plc_things", [{"pk": {"S": "a"}}])
    for _ in range(2):  # the second time the statement is known to pass the gate
        with pytest.raises(Failure) as failed:
            await service.run(sql)
        assert failed.value.position == Position(1, column)


async def test_a_disabled_schema_is_not_proposed(service: Service) -> None:
    with pytest.raises(Failure) as failed:
        await service.run("SELECT 1 FROM shop2.t")
    assert isinstance(failed.value.fact, UnknownSchema)
    assert failed.value.fact.names == ("shop", "narrow")
