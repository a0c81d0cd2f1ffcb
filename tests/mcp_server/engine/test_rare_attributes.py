"""Attributes that are too rare for a sample: a statement that names one finds it, and `*` says that they are there.

We chose this; A2 1 of what people complain of is columns that a guessed schema lacks.
"""

from typing import Any

import pytest

from mcp_server.adapters.catalog import ITEMS_PER_SEGMENT, ITEMS_PER_SEGMENT_PROBED, SEGMENTS
from mcp_server.domain.failures import Failure, FailureCode
from mcp_server.domain.principal import Principal
from tests.mcp_server.engine.conftest import ANN, Service, only_doubles, only_real

pytestmark = pytest.mark.anyio

STAFF = Principal("acme", "usr_sue", "cli", ANN.scopes, "gid", frozenset({"admin"}))


async def filled(service: Service, name: str, *rare: dict[str, Any]) -> None:
    """A table whose sample was taken before the rare items came."""
    await service.create(name, [{"pk": {"S": "a"}, "n": {"N": "0"}, "x": {"S": "usual"}}], range_key="n")
    await service.rows(f"SELECT n FROM {name}")
    await service.put(name, [{"pk": {"S": "a"}, "n": {"N": str(n)}, **item} for n, item in enumerate(rare, start=1)])


async def test_a_column_that_no_sample_shows_is_found_when_it_is_named(service: Service) -> None:
    await filled(service, "rar_named", {"gift": {"BOOL": True}}, {"Gift": {"S": "no"}, "weight": {"N": "2.5"}})

    assert await service.rows("SELECT n FROM rar_named WHERE gift") == [[1]]
    assert await service.rows("SELECT n, weight + 1, r.gift FROM rar_named r ORDER BY n DESC LIMIT 1") == [
        [2, "3.5", None]
    ]
    result = await service.run("SELECT gift FROM rar_named WHERE pk = 'a' AND n = 1")
    assert [(column.name, column.type) for column in result.columns] == [("gift", "BOOLEAN")]


async def test_a_name_that_nothing_has_stays_unknown(service: Service) -> None:
    await filled(service, "rar_none", {"gift": {"S": "x"}})

    for _ in range(2):
        with pytest.raises(Failure) as failed:
            await service.rows("SELECT gitf FROM rar_none")
        assert failed.value.code is FailureCode.UNKNOWN_COLUMN
        assert failed.value.position is not None
    for name in ("", "x" * 300, "é" * 128):
        with pytest.raises(Failure) as failed:
            await service.rows(f'SELECT "{name}" FROM rar_none')
        assert failed.value.code in (FailureCode.UNKNOWN_COLUMN, FailureCode.SYNTAX_ERROR)


@only_real
async def test_what_was_not_found_is_not_looked_for_again_while_the_sample_is_fresh(service: Service) -> None:
    await filled(service, "rar_again")
    catalog, shop = service.ports.catalog, service.schemas.by_name["shop"]

    assert not await catalog.probe(shop, "rar_again", "gift")
    await service.put("rar_again", [{"pk": {"S": "b"}, "n": {"N": "1"}, "gift": {"S": "late"}}])
    assert not await catalog.probe(shop, "rar_again", "gift")
    service.clock.time += catalog.stale_after_seconds
    assert await catalog.probe(shop, "rar_again", "gift")
    for number in range(25):
        assert not await catalog.probe(shop, "rar_again", f"none{number}")
    await service.put("rar_again", [{"pk": {"S": "b"}, "n": {"N": "2"}, "last": {"S": "late"}}])
    assert not await catalog.probe(shop, "rar_again", "last")


@only_real
async def test_more_items_are_looked_at_than_sampled(service: Service) -> None:
    await service.create("rar_deep", [], range_key="n")
    deep = 3 * ITEMS_PER_SEGMENT * SEGMENTS
    assert deep < ITEMS_PER_SEGMENT_PROBED * SEGMENTS
    rare = {number: {"gift": {"S": f"g{number}"}} for number in range(0, deep, 60)}
    await service.put(
        "rar_deep",
        [{"pk": {"S": f"p{number}"}, "n": {"N": "0"}, **rare.get(number, {})} for number in range(deep)],
    )

    assert await service.rows("SELECT count(gift) FROM rar_deep") == [[len(rare)]]


async def test_later_samples_keep_what_was_found(service: Service) -> None:
    await filled(service, "rar_kept", {"gift": {"S": "x"}})
    assert await service.rows("SELECT count(gift) FROM rar_kept") == [[1]]
    await service.put("rar_kept", [{"pk": {"S": "a"}, "n": {"N": "1"}}])

    service.clock.time += service.ports.catalog.stale_after_seconds

    assert await service.rows("SELECT count(gift) FROM rar_kept") == [[0]]


@only_doubles
async def test_what_is_hidden_is_not_looked_for(service: Service) -> None:
    """Neither the answer nor its time may tell of it."""
    await service.create("rul_people", [{"pk": {"S": "a"}, "owner": {"S": "everybody"}, "level": {"N": "1"}}])
    await service.rows("SELECT pk FROM rul_people")
    await service.put("rul_people", [{"pk": {"S": "b"}, "owner": {"S": "x"}, "level": {"N": "1"}, "card": {"S": "1"}}])

    with pytest.raises(Failure) as failed:
        await service.rows("SELECT card FROM rul_people")

    assert failed.value.code is FailureCode.UNKNOWN_COLUMN
    catalog = service.ports.catalog
    assert ("rul_people", "card") not in getattr(catalog, "probes")  # noqa: B009 - of the double
