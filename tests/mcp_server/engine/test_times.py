"""Times stay what items hold, texts and numbers; the examples of docs/sql.md, Times, give the rows that they should."""

from typing import Any

import pytest

from tests.mcp_server.engine.conftest import Service

pytestmark = pytest.mark.anyio

MARCH = 1_772_359_200_000
"""2026-03-01T10:00:00Z in milliseconds."""
DAY = 86_400_000


@pytest.fixture(scope="module")
async def events(service: Service) -> Service:
    items: list[dict[str, Any]] = [
        {
            "pk": {"S": "a"},
            "ms": {"N": str(MARCH + number * DAY)},
            "expires": {"N": str(MARCH // 1000 + number * 86_400)},
            "placed_at": {"S": f"2026-03-{number + 1:02}T10:00:00Z"},
            "zoned": {"S": f"2026-03-{number + 1:02}T00:30:00+02:00"},
        }
        for number in range(31)
    ]
    items.append({"pk": {"S": "a"}, "ms": {"N": str(MARCH - 10 * DAY)}})
    await service.create("tim_events", items, range_key="ms")
    return service


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ("placed_at >= '2026-03-10' AND placed_at < '2026-03-12'", 2),
        ("left(placed_at, 7) = '2026-03'", 31),
        ("CAST(zoned AS TIMESTAMPTZ) < TIMESTAMPTZ '2026-03-01 00:00:00+00'", 1),
        ("CAST(zoned AS TIMESTAMP) < TIMESTAMP '2026-03-01 00:00:00'", 0),
        ("epoch_ms(ms) >= TIMESTAMP '2026-03-01 00:00:00'", 31),
        ("year(epoch_ms(ms)) = 2026", 32),
        ("pk = 'a' AND date_trunc('month', epoch_ms(ms)) = DATE '2026-02-01'", 1),
        ("pk = 'a' AND CAST(epoch_ms(ms) AS DATE) = DATE '2026-03-02'", 1),
        ("to_timestamp(expires) < TIMESTAMP '2026-03-03 00:00:00'", 2),
        ("date_trunc('day', to_timestamp(expires)) IN (DATE '2026-03-03', DATE '2026-03-04')", 2),
    ],
)
async def test_conditions_on_times(events: Service, condition: str, expected: int) -> None:
    assert await events.rows(f"SELECT count(*) FROM tim_events WHERE {condition}") == [[expected]]


async def test_moments_are_shown_beside_what_the_item_holds(events: Service) -> None:
    condition = "pk = 'a' AND CAST(epoch_ms(ms) AS DATE) = '2026-03-02'"

    result = await events.run(f"SELECT ms, epoch_ms(ms), placed_at FROM tim_events WHERE {condition}")

    assert result.rows == [[MARCH + DAY, "2026-03-02T10:00:00", "2026-03-02T10:00:00Z"]]


async def test_a_late_item_that_is_no_time_leaves_comparisons_with_texts_alone(service: Service) -> None:
    await service.create(
        "tim_late", [{"pk": {"S": "a"}, "n": {"N": "0"}, "at": {"S": "2026-03-01T10:00:00Z"}}], range_key="n"
    )
    assert await service.rows("SELECT n FROM tim_late WHERE at >= '2026-03'") == [[0]]
    await service.put("tim_late", [{"pk": {"S": "a"}, "n": {"N": "1"}, "at": {"S": "unknown"}}])

    assert await service.rows("SELECT n FROM tim_late WHERE at >= '2026-03' ORDER BY n") == [[0], [1]]
    assert await service.rows("SELECT n FROM tim_late WHERE TRY_CAST(at AS TIMESTAMPTZ) IS NULL") == [[1]]
