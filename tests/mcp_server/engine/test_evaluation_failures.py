"""What a computation with texts that are numbers, days or times is answered with, and what takes those for texts."""

from typing import Any

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


def line(number: int) -> dict[str, Any]:
    """An item with numbers within a map and a list, and a text that names no number."""
    amount = {"N": str(number)}
    place = {"zip": amount, "city": {"S": "Oslo"}, "at": {"M": {"floor": {"N": "2"}}}}
    tags = {"M": {f"k{number}_{place}": {"N": "3"} for place in range(70)}}
    lines = [
        {"M": {"qty": amount, "name": {"S": "tea"}, "packs": {"L": [{"M": {"of": amount}}, {"M": {"of": amount}}]}}}
    ]
    sizes = [amount, {"N": "1"}]
    return {
        "pk": {"S": f"p{number}"},
        "m": {"M": place},
        "lines": {"L": lines},
        "tags": tags,
        "sizes": {"L": sizes},
        "rooms": {"M": {"wide": {"L": sizes}}},
    }


@pytest.fixture(scope="module")
async def parts_of_late_items(service: Service) -> None:
    """One late text in its place makes a text of a part for all items."""
    await service.create("evf_parts", [line(number) for number in range(10)])
    assert await service.rows("SELECT sum(m.zip) FROM evf_parts") == [[45]]
    late = {"zip": {"S": "n/a"}, "at": {"M": {"floor": {"S": "attic"}}}}
    many = {"S": "many"}
    lines = [{"M": {"qty": many, "packs": {"L": [{"M": {"of": many}}]}}}]
    lists = {"lines": {"L": lines}, "sizes": {"L": [many]}, "rooms": {"M": {"wide": {"L": [many]}}}}
    await service.put("evf_parts", [{"pk": {"S": "late"}, "m": {"M": late}, **lists}])


@pytest.mark.usefixtures("parts_of_late_items")
@pytest.mark.parametrize(
    ("written", "meant", "parts", "total"),
    [
        ("sum(m.zip)", "sum(TRY_CAST(m.zip AS DOUBLE))", ("m.zip",), 45),
        ("sum(T.M.ZIP)", "sum(TRY_CAST(T.M.ZIP AS DOUBLE))", ("T.M.ZIP",), 45),
        ("avg( m [ 'zip' ] )", "avg( TRY_CAST(m [ 'zip' ] AS DOUBLE) )", ("m [ 'zip' ]",), 4.5),
        (
            'sum(2 * m.zip + m."at".floor)',
            'sum(2 * TRY_CAST(m.zip AS DOUBLE) + TRY_CAST(m."at".floor AS DOUBLE))',
            ("m.zip", 'm."at".floor'),
            110,
        ),
        ("sum(lines[1].qty)", "sum(TRY_CAST(lines[1].qty AS DOUBLE))", ("lines[1].qty",), 45),
        ("sum(abs(( m.zip )))", "sum(abs(( TRY_CAST(m.zip AS DOUBLE) )))", ("m.zip",), 45),
        ("sum(m.zip::INT)", "sum(TRY_CAST(m.zip AS DOUBLE)::INT)", ("m.zip",), 45),
        ("sum(m.zip) FILTER (m.zip > 3)", "sum(TRY_CAST(m.zip AS DOUBLE)) FILTER (m.zip > 3)", ("m.zip",), 39),
        ("sum(t.tags.k1_0)", "sum(TRY_CAST(t.tags.k1_0 AS DOUBLE))", ("t.tags.k1_0",), 3),
        ("sum(m.city)", None, (), None),
        ("sum(pk)", None, (), None),
    ],
)
async def test_numbers_among_texts_within_maps_and_lists_are_cast(
    service: Service, written: str, meant: str | None, parts: tuple[str, ...], total: float | None
) -> None:
    with pytest.raises(Failure) as failed:
        await service.run(f"SELECT {written} FROM evf_parts t")

    assert (failed.value.meant is None) == (meant is None)
    if failed.value.meant is not None:
        assert isinstance(failed.value.fact, NotEvaluated)
        assert failed.value.fact.parts == parts
        assert failed.value.meant.statement == f"SELECT {meant} FROM evf_parts t"
        assert await service.rows(failed.value.meant.statement) == [[total]]


@pytest.mark.usefixtures("parts_of_late_items")
@pytest.mark.parametrize(
    ("written", "meant", "parts", "total"),
    [
        ("sum(l.qty) FROM evf_parts t, unnest(t.lines) AS u(l)", "sum(TRY_CAST(l.qty AS DOUBLE))", "l.qty", 45),
        (
            "sum( U.L.QTY ) FROM evf_parts CROSS JOIN unnest(lines) WITH ORDINALITY AS u(l, place)",
            "sum( TRY_CAST(U.L.QTY AS DOUBLE) )",
            "U.L.QTY",
            45,
        ),
        ("avg(unnest.qty) FROM evf_parts t, unnest(t.lines)", "avg(TRY_CAST(unnest.qty AS DOUBLE))", "unnest.qty", 4.5),
        ("sum(u['qty']) FROM evf_parts t, unnest(t.lines) u", "sum(TRY_CAST(u['qty'] AS DOUBLE))", "u['qty']", 45),
        (
            "sum(2 * v.p.of) FROM evf_parts t, unnest(t.lines) AS u(l), unnest(u.l.packs) AS v(p)",
            "sum(2 * TRY_CAST(v.p.of AS DOUBLE))",
            "v.p.of",
            180,
        ),
        ("sum(s) FROM evf_parts t, unnest(t.sizes) AS u(s)", "sum(TRY_CAST(s AS DOUBLE))", "s", 55),
        ("sum(u.s) FROM evf_parts t, unnest(t.rooms.wide) AS u(s)", "sum(TRY_CAST(u.s AS DOUBLE))", "u.s", 55),
        (
            "sum(q.l.qty) FROM (SELECT unnest(lines) AS l FROM evf_parts) q",
            "sum(TRY_CAST(q.l.qty AS DOUBLE))",
            "q.l.qty",
            45,
        ),
        ("sum(l.name) FROM evf_parts t, unnest(t.lines) AS u(l)", None, "", None),
        ("sum(l) FROM evf_parts t, unnest(t.lines) AS u(l)", None, "", None),
        ("sum(pk) FROM evf_parts t, unnest(t.lines) AS u(l)", None, "", None),
    ],
)
async def test_numbers_among_texts_of_elements_that_became_rows_are_cast(
    service: Service, written: str, meant: str | None, parts: str, total: float | None
) -> None:
    with pytest.raises(Failure) as failed:
        await service.run(f"SELECT {written}")

    assert (failed.value.meant is None) == (meant is None)
    if failed.value.meant is not None:
        assert isinstance(failed.value.fact, NotEvaluated)
        assert failed.value.fact.parts == (parts,)
        assert failed.value.meant.statement == f"SELECT {meant}{written[written.index(' FROM') :]}"
        assert await service.rows(failed.value.meant.statement) == [[total]]
