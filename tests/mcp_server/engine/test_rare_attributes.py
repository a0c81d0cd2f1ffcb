"""Attributes that are too rare for a sample: a statement that names one finds it, and `*` says that they are there.

We chose this.
"""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import anyio
import pytest

from mcp_server.adapters.catalog import ITEMS_PER_SEGMENT, ITEMS_PER_SEGMENT_PROBED
from mcp_server.adapters.sampling import SEGMENTS
from mcp_server.domain.failures import Failure, FailureCode, Position
from mcp_server.domain.failures.columns import UnknownColumn, UnknownField
from mcp_server.domain.principal import Principal
from mcp_server.domain.schema import Schema
from tests.mcp_server.doubles.catalog import unpaid
from tests.mcp_server.engine.conftest import ANN, Service, only_doubles, only_real

pytestmark = pytest.mark.anyio

STAFF = Principal("acme", "usr_sue", "cli", ANN.scopes, "gid", frozenset({"admin"}))


async def filled(service: Service, name: str, *rare: dict[str, Any]) -> None:
    """A table whose sample was taken before the rare items came."""
    await service.create(name, [{"pk": {"S": "a"}, "n": {"N": "0"}, "x": {"S": "usual"}}], range_key="n")
    await service.rows(f"SELECT n FROM {name}")
    await service.put(name, [{"pk": {"S": "a"}, "n": {"N": str(n)}, **item} for n, item in enumerate(rare, start=1)])


@pytest.mark.complaint(1)
async def test_a_column_that_no_sample_shows_is_found_when_it_is_named(service: Service) -> None:
    await filled(service, "rar_named", {"gift": {"BOOL": True}}, {"Gift": {"S": "no"}, "weight": {"N": "2.5"}})

    assert await service.rows("SELECT n FROM rar_named WHERE gift") == [[1]]
    assert await service.rows("SELECT n, weight + 1, r.gift FROM rar_named r ORDER BY n DESC LIMIT 1") == [
        [2, "3.5", None]
    ]
    result = await service.run("SELECT gift FROM rar_named WHERE pk = 'a' AND n = 1")
    assert [(column.name, column.type) for column in result.columns] == [("gift", "BOOLEAN")]


async def test_a_field_of_a_map_that_no_sample_shows_is_found_when_it_is_named(service: Service) -> None:
    await service.create(
        "rar_fields", [{"pk": {"S": "a"}, "m": {"M": {"usual": {"S": "x"}, "in": {"M": {"a": {"N": "1"}}}}}}]
    )
    await service.rows("SELECT pk FROM rar_fields")
    late = {"rare": {"N": "7"}, "in": {"M": {"deep": {"BOOL": True}}}}
    await service.put("rar_fields", [{"pk": {"S": "b"}, "m": {"M": late}}])

    assert await service.rows("SELECT pk, m.rare FROM rar_fields ORDER BY pk") == [["a", None], ["b", 7]]
    assert await service.rows("SELECT pk FROM rar_fields WHERE m['in'].deep") == [["b"]]
    assert await service.rows('SELECT m.usual FROM rar_fields WHERE m."in".a = 1') == [["x"]]
    found = await service.rows("SELECT r.q.rare FROM (SELECT m AS q FROM rar_fields) AS r WHERE r.q.rare IS NOT NULL")
    assert found == [[7]]


@pytest.mark.parametrize(
    "star", ["m.*", "m.* EXCLUDE (zip)", "m.* REPLACE (1 AS zip)", "unnest(m)", "m", "*", "* EXCLUDE (pk)"]
)
async def test_the_star_of_a_map_shows_fields_that_no_sample_shows(service: Service, star: str) -> None:
    """Unlike attributes, of which only a warning tells: a map that is read shows all that it holds."""
    await service.create("rar_stars", [{"pk": {"S": "a"}, "m": {"M": {"city": {"S": "x"}, "zip": {"N": "1"}}}}])
    await service.rows(f"SELECT {star} FROM rar_stars")
    await service.put("rar_stars", [{"pk": {"S": "b"}, "n": {"N": "1"}, "m": {"M": {"late": {"S": "y"}}}}])
    for _ in range(2):
        result = await service.run(f"SELECT {star} FROM rar_stars WHERE pk = 'b'")
        (row,) = result.rows
        shown = dict(zip([column.name for column in result.columns], row, strict=True))
        assert shown.get("m", shown)["late"] == "y"
    await service.tables.drop("rar_stars")
    await service.catalog.describe(service.schemas.by_name["shop"], "rar_stars", "force")


async def test_a_field_that_nothing_has_is_told_like_an_unknown_column(service: Service) -> None:
    address = {"M": {"city": {"S": "Oslo"}, "street": {"S": "1st"}}}
    lines = {"L": [{"M": {"sku": {"S": "tea"}}}]}
    await service.create("rar_misspelt", [{"pk": {"S": "a"}, "address": address, "lines": lines}])
    for named, column, meant in (
        ("address.cty", 10, "address.city"),
        ("f.Address.Cty", 12, "f.Address.city"),
        ("address['cty']", 2, None),
        ("upper(address.cty)", 16, "upper(address.city)"),
        ("lines[1].sqk", 11, "lines[1].sku"),
        ("unnest(lines).sqk", 16, "unnest(lines).sku"),
        ("address.zzz", 10, None),
    ):
        with pytest.raises(Failure) as failed:
            await service.rows(f"SELECT\n {named} FROM rar_misspelt f")
        failure = failed.value
        assert isinstance(failure.fact, UnknownField)
        assert failure.code is FailureCode.UNKNOWN_COLUMN
        assert failure.fact.table == "shop.rar_misspelt"
        assert failure.position == Position(2, column), named
        told = failure.meant.statement if failure.meant is not None else None
        assert told == (f"SELECT\n {meant} FROM rar_misspelt f" if meant is not None else None)


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

    assert not await catalog.probe(shop, "rar_again", "gift", unpaid)
    await service.put("rar_again", [{"pk": {"S": "b"}, "n": {"N": "1"}, "gift": {"S": "late"}}])
    assert not await catalog.probe(shop, "rar_again", "gift", unpaid)
    service.clock.time += catalog.stale_after_seconds
    assert await catalog.probe(shop, "rar_again", "gift", unpaid)
    for number in range(25):
        assert not await catalog.probe(shop, "rar_again", f"none{number}", unpaid)
    await service.put("rar_again", [{"pk": {"S": "b"}, "n": {"N": "2"}, "last": {"S": "late"}}])
    assert not await catalog.probe(shop, "rar_again", "last", unpaid)


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


async def test_whoever_names_a_column_pays_for_the_search(service: Service) -> None:
    await filled(service, "rar_paid", {"gift": {"S": "x"}})
    queries = service.queries()
    account = queries.spending.account(ANN)

    async def recorded() -> float:
        today = datetime.fromtimestamp(service.clock.now(), UTC).date()
        read = await service.usage.of_person("acme", "usr_ann", [today])
        return sum(one.total.read_units for one in read if one.table == "rar_paid")

    before = await recorded()
    with pytest.raises(Failure):
        await queries.explain_sql(ANN, sql="SELECT gitf FROM rar_paid")
    searched = account.spent
    assert searched > 0
    result = await queries.run_sql(ANN, sql="SELECT gift FROM rar_paid WHERE pk = 'a' AND n = 1")
    assert result.rows == [["x"]]
    assert account.spent == pytest.approx(2 * searched + 0.5)
    assert result.statistics.read_units == pytest.approx(searched + 0.5)
    assert await recorded() - before == pytest.approx(account.spent)


async def test_who_has_nothing_left_to_read_with_hears_of_the_name_only(service: Service) -> None:
    await filled(service, "rar_poor", {"gift": {"S": "x"}})
    queries = service.queries(read_units_per_hour=1.0)
    queries.spending.account(ANN).spend(2.0)

    with pytest.raises(Failure) as failed:
        await queries.explain_sql(ANN, sql="SELECT gift FROM rar_poor")

    assert failed.value.code is FailureCode.UNKNOWN_COLUMN
    assert queries.spending.account(ANN).spent == 2.0
    assert await service.rows("SELECT gift FROM rar_poor WHERE n = 1") == [["x"]]


@only_doubles
async def test_a_search_that_takes_too_long_ends_before_the_call_does(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    await filled(service, "rar_slow", {"gift": {"S": "x"}})
    monkeypatch.setattr("mcp_server.engine.probing.PROBING_SECONDS", 0.01)
    ended: list[str] = []

    async def endless(_schema: Schema, _name: str, attribute: str, *_: Any, **_more: Any) -> bool:
        try:
            await anyio.sleep_forever()
        finally:
            ended.append(attribute)
        raise AssertionError

    monkeypatch.setattr(service.catalog, "probe", endless)
    with anyio.fail_after(10), pytest.raises(Failure) as failed:
        await service.rows("SELECT gift FROM rar_slow")

    assert (failed.value.code, ended) == (FailureCode.UNKNOWN_COLUMN, ["gift"])


async def test_later_samples_keep_what_was_found(service: Service) -> None:
    await filled(service, "rar_kept", {"gift": {"S": "x"}})
    assert await service.rows("SELECT count(gift) FROM rar_kept") == [[1]]
    await service.put("rar_kept", [{"pk": {"S": "a"}, "n": {"N": "1"}}])

    service.clock.time += service.ports.catalog.stale_after_seconds

    assert await service.rows("SELECT count(gift) FROM rar_kept") == [[0]]


async def test_what_is_hidden_is_looked_for_in_vain_and_as_long_as_what_is_not_there(service: Service) -> None:
    """Neither the answer nor what it takes may tell of it, be it known to others or not."""
    people = [{"pk": {"S": f"p{number}"}, "owner": {"S": "everybody"}, "level": {"N": "1"}} for number in range(3)]
    await service.create("rul_secrets", people)
    await service.rows("SELECT pk FROM rul_secrets")
    await service.put("rul_secrets", [{**people[0], "card": {"S": "1"}, "cash": {"S": "2"}}])
    assert await service.rows("SELECT count(card) FROM rul_secrets", principal=STAFF) == [[1]]

    queries, told = service.queries(), set[tuple[UnknownColumn, float, int]]()
    account = queries.spending.account(ANN)
    for name in ("card", "cash", "carp"):
        before = account.spent
        with pytest.raises(Failure) as failed:
            await queries.run_sql(ANN, sql=f"SELECT {name} FROM rul_secrets")
        today = datetime.fromtimestamp(service.clock.now(), UTC).date()
        read = await service.usage.of_person("acme", "usr_ann", [today])
        items = sum(one.total.items for one in read if one.table == "rul_secrets")
        fact = failed.value.fact
        assert isinstance(fact, UnknownColumn)
        told.add((replace(fact, name=""), account.spent - before, items))
        assert account.spent > before
    assert len(told) == 1


NOTE = 'Items of "{}" have attributes that * does not show, as no sample had them: {}. Name them to read them.'


@pytest.mark.complaint(1)
@pytest.mark.parametrize(
    "sql",
    [
        "SELECT * FROM rar_star",
        "SELECT s.* FROM rar_star s WHERE pk = 'a' ORDER BY n",
        "SELECT * FROM rar_star WHERE pk = 'a' AND n IN (1, 2)",
        "SELECT * FROM rar_star a JOIN rar_star b USING (pk, n)",
        "SELECT * EXCLUDE (x) FROM rar_star ORDER BY n LIMIT 3",
        "SELECT s.*, count(*) OVER () FROM rar_star s",
        "SELECT * FROM (SELECT * FROM rar_star)",
        "SELECT q.* FROM (SELECT s.* FROM rar_star AS s WHERE n < 9) AS q JOIN (SELECT 1 AS one) ON true",
        "WITH q AS (SELECT * FROM rar_star) SELECT * FROM q ORDER BY n",
        "WITH q AS (SELECT * FROM rar_star), r AS (SELECT * EXCLUDE (x) FROM q) (SELECT r.* FROM r)",
        "SELECT * FROM rar_star UNION ALL SELECT * FROM rar_star",
        "SELECT * FROM (SELECT * FROM rar_star WHERE n = 1 UNION SELECT * FROM rar_star) WHERE pk = 'a'",
        "SELECT * FROM rar_star EXCEPT SELECT pk, 9, x FROM rar_star",
    ],
)
async def test_a_star_says_what_it_does_not_show(service: Service, sql: str) -> None:
    if await service.ports.catalog.describe(service.schemas.by_name["shop"], "rar_star", "skip") is None:
        await filled(service, "rar_star", {"gift": {"BOOL": True}}, {"a b": {"M": {}}, "_doc": {"S": "no"}})

    result = await service.run(sql)

    assert {"gift", "a b"}.isdisjoint(column.name for column in result.columns)
    assert result.warnings == (NOTE.format("rar_star", '"a b", "gift"'),)


async def test_what_was_named_is_shown_from_then_on(service: Service) -> None:
    await filled(service, "rar_then", {"gift": {"BOOL": True}})
    await service.rows("SELECT gift FROM rar_then")

    result = await service.run("SELECT * FROM rar_then WHERE pk = 'a' ORDER BY n")

    assert [column.name for column in result.columns] == ["pk", "n", "x", "gift"]
    assert (result.rows[1], result.warnings) == (["a", 1, None, True], ())


async def test_columns_that_are_named_are_read_alone_and_in_silence(service: Service) -> None:
    await filled(service, "rar_alone", {"gift": {"BOOL": True}})

    for sql in (
        "SELECT pk, n, x FROM rar_alone",
        "SELECT count(*) FROM (SELECT * FROM rar_alone WHERE n < 9)",
        "SELECT pk FROM (SELECT * FROM rar_alone)",
        "SELECT * FROM (SELECT pk, x FROM rar_alone)",
        "SELECT 'a' AS pk, 7 AS n, 'x' AS x EXCEPT SELECT * FROM rar_alone",
    ):
        assert (await service.run(sql)).warnings == ()


async def test_many_attributes_are_named_in_part(service: Service) -> None:
    await filled(service, "rar_many", {f"a{number:02}": {"S": "x"} for number in range(40)})

    result = await service.run("SELECT * FROM rar_many")

    names = ", ".join(f'"a{number:02}"' for number in range(10))
    assert result.warnings == (NOTE.format("rar_many", names + " and 30 more"),)


@only_doubles
async def test_a_star_says_nothing_of_what_is_hidden_or_in_rows_that_are(service: Service) -> None:
    await service.create("rul_parts", [{"pk": {"S": "acme"}}])
    await service.rows("SELECT pk FROM rul_parts")
    await service.put("rul_parts", [{"pk": {"S": "globex"}, "secret": {"S": "x"}}, {"pk": {"S": "acme"}}])
    person = {"pk": {"S": "c"}, "owner": {"S": "everybody"}, "level": {"N": "1"}}
    if "rul_people" not in service.ports.tables.held:  # type: ignore[attr-defined]  # of the double
        await service.create("rul_people", [person])
    await service.rows("SELECT pk FROM rul_people")
    await service.put("rul_people", [{**person, "absent": {"S": "hidden"}, "seen": {"S": "x"}}])

    assert (await service.run("SELECT * FROM rul_parts")).warnings == ()
    warnings = (await service.run("SELECT * FROM rul_people")).warnings
    assert [one for one in warnings if "does not show" in one] == [NOTE.format("rul_people", '"seen"')]
