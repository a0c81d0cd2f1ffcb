"""What a computation with texts that are days or times is answered with, and what takes days and numbers for texts."""

import pytest

from mcp_server.domain.failures import Failure
from mcp_server.domain.failures.values import NotEvaluated
from tests.mcp_server.engine.conftest import Service

pytestmark = pytest.mark.anyio


async def test_days_and_times_in_texts_are_cast(service: Service) -> None:
    """A key stays text whatever it holds, and so do times."""
    days = [(f"2024-0{month}-01", f"2024-0{month}-01T10:00:00Z") for month in range(1, 6)]
    await service.create("evf_days", [{"pk": {"S": day}, "at": {"S": at}, "other": {"S": "x"}} for day, at in days])
    for written, meant, types in (
        ("year(pk) = 2024", "year(CAST(pk AS DATE)) = 2024", (("pk", "DATE"),)),
        ("extract(month FROM ( d.PK )) < 3", "extract(month FROM ( CAST(d.PK AS DATE) )) < 3", (("pk", "DATE"),)),
        (
            "month(pk) = 1 AND month(at) = 1",
            "month(CAST(pk AS DATE)) = 1 AND month(CAST(at AS TIMESTAMPTZ)) = 1",
            (("pk", "DATE"),),
        ),
        ("pk > DATE '2024-01-02'", "CAST(pk AS DATE) > DATE '2024-01-02'", (("pk", "DATE"),)),
        ("year(pk) > $1", "year(CAST(pk AS DATE)) > $1", (("pk", "DATE"),)),
        ("dayname(at) = 'Monday'", "dayname(CAST(at AS TIMESTAMPTZ)) = 'Monday'", (("at", "TIMESTAMPTZ"),)),
    ):
        values = [2023] if "$1" in written else None
        with pytest.raises(Failure) as failed:
            await service.run(f"SELECT pk FROM evf_days d WHERE {written}", parameters=values)
        fact = failed.value.fact
        assert isinstance(fact, NotEvaluated)
        assert fact.moments == types
        assert failed.value.meant is not None
        assert failed.value.meant.statement == f"SELECT pk FROM evf_days d WHERE {meant}"
        assert (await service.run(failed.value.meant.statement, parameters=values)).rows
    for written in ("year(other) = 2024", "pk LIKE '2024%' AND sum(1)", "CAST(pk AS BIGINT) = 7"):
        with pytest.raises(Failure) as failed:
            await service.run(f"SELECT pk FROM evf_days WHERE {written}")
        assert failed.value.meant is None


async def test_days_and_numbers_that_are_taken_for_texts_are_cast(service: Service) -> None:
    item = {"pk": {"S": "a"}, "day": {"S": "2024-03-05"}, "n": {"N": "71"}, "tags": {"L": [{"S": "x"}]}}
    await service.create("evf_texts", [item])
    for written, meant in (
        ("day LIKE '2024-03%'", "CAST(day AS VARCHAR) LIKE '2024-03%'"),
        ("left(t.day, 7) = '2024-03'", "left(CAST(t.day AS VARCHAR), 7) = '2024-03'"),
        ("n ILIKE '7%' AND starts_with((day), '2024')",
         "CAST(n AS VARCHAR) ILIKE '7%' AND starts_with((CAST(day AS VARCHAR)), '2024')"),
        ("len(tags) = 1 AND NOT n LIKE '9%'", "len(tags) = 1 AND NOT CAST(n AS VARCHAR) LIKE '9%'"),
    ):  # fmt: skip
        with pytest.raises(Failure) as failed:
            await service.run(f"SELECT pk FROM evf_texts t WHERE {written}")
        assert failed.value.meant is not None
        assert failed.value.meant.statement == f"SELECT pk FROM evf_texts t WHERE {meant}"
        assert (await service.run(failed.value.meant.statement)).rows == [["a"]]
    for written in ("upper(tags) = 'X'", "pk LIKE 7"):
        with pytest.raises(Failure) as failed:
            await service.run(f"SELECT pk FROM evf_texts WHERE {written}")
        assert failed.value.meant is None
