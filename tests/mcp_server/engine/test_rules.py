"""What a rule keeps back is in no row, error, description or plan, and what a query takes does not tell of it."""

import json
from dataclasses import asdict, replace
from typing import Any

import pytest
from structlog.testing import capture_logs

from mcp_server.access.policy import Deny
from mcp_server.domain.failures import Failure, FailureCode
from mcp_server.domain.failures.cursors import SeenOtherwise
from mcp_server.domain.restriction import Mask, Rule
from mcp_server.engine.results import QueryResult
from mcp_server.engine.schemas import Schemas
from mcp_server.surface.wording.failures import worded
from mcp_server.surface.wording.scans import verdict
from tests.mcp_server.engine.conftest import ANN, Service

pytestmark = pytest.mark.anyio

ADMIN = replace(ANN, subject="usr_boss", roles=frozenset({"admin"}))
MEMBER = replace(ANN, roles=frozenset({"member"}))

PEOPLE: list[dict[str, Any]] = [
    {
        "pk": {"S": f"p{number}"},
        "owner": {"S": owner},
        "level": level,
        "email": {"S": f"kept{number}@example.com"},
        "phone": {"S": f"kept-555-{number}"},
        "salary": {"N": str(770000 + number)},
        "card": {"S": f"kept-card-{number}"},
        "name": {"S": f"Name {number}"},
    }
    for number, (owner, level) in enumerate(
        [
            ("usr_ann", {"N": "1"}),
            ("usr_ann", {"N": "2.0"}),
            ("everybody", {"S": "2"}),
            ("usr_ann", {"N": "3"}),
            ("usr_bob", {"N": "1"}),
            *[("usr_bob", {"N": "2"})] * 20,
        ]
    )
]
SEEN = ["p0", "p1", "p2"]
KEPT = ("kept", "770", "usr_bob", "Name 4", "card")
"""What no output for a member may hold; of an e-mail address only the last four characters are shown."""


@pytest.fixture(scope="module", autouse=True)
async def tables(service: Service) -> None:
    await service.create("rul_people", PEOPLE)
    await service.create("rul_keyed", [{"pk": {"S": "kept"}}])
    await service.create("rul_closed", [{"pk": {"S": "kept"}}])
    await service.tables.create("rul_own", (("pk", "S"), ("sk", "S")))
    own = [("usr_ann", "1"), ("usr_ann", "2"), ("usr_bob", "1"), ("usr_ann#ORDER", "1"), ("$subject", "1")]
    keys = [("$all", "1"), *((f"USER#{subject}", sk) for subject, sk in own)]
    await service.put("rul_own", [{"pk": {"S": pk}, "sk": {"S": sk}} for pk, sk in keys])
    await service.create("rul_parts", [{"pk": {"S": name}, "v": {"N": "1"}} for name in ("acme", "globex")])


async def test_a_member_sees_the_rows_and_columns_that_are_left(service: Service) -> None:
    result = await service.run("SELECT * FROM rul_people ORDER BY pk", MEMBER)
    assert [column.name for column in result.columns] == ["pk", "email", "level", "name", "owner", "phone", "salary"]
    assert result.rows[0] == ["p0", "***.com", "1", "Name 0", "usr_ann", None, "***"]
    assert [row[0] for row in result.rows] == SEEN


async def test_a_role_exempts(service: Service) -> None:
    result = await service.run("SELECT card, email, phone, salary FROM rul_people WHERE pk = 'p4'", ADMIN)
    assert result.rows == [["kept-card-4", "kept4@example.com", "kept-555-4", 770004]]
    # The rule without exceptions holds for everybody.
    assert (await service.run("SELECT count(*) FROM rul_people", ADMIN)).rows == [[24]]


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT * FROM rul_people",
        "SELECT _doc FROM rul_people",
        "SELECT pk FROM rul_people WHERE pk IN ('p0', 'p3', 'p4')",
        "SELECT min(email), max(salary), min(name), max(name) FROM rul_people",
        "SELECT email, count(*) FROM rul_people GROUP BY ALL",
        "SELECT a.email, b.salary FROM rul_people a JOIN rul_people b ON a.pk = b.pk",
        "SELECT CAST(email AS INT) FROM rul_people",
        "SELECT CAST(salary AS INT) FROM rul_people",
        "SELECT error(email || salary || name) FROM rul_people",
        "SELECT CAST(_doc AS INT) FROM rul_people",
        "SELECT CAST(_doc->>'card' AS INT), _doc->>'email' FROM rul_people",
        "SELECT string_agg(pk || email || coalesce(phone, '') || salary || owner || name, '') FROM rul_people",
        "SELECT card FROM rul_people",
        "SELECT rul_people FROM rul_people",
        "SELECT pk FROM rul_people WHERE email LIKE 'kept%' OR salary > '5'",
        "SELECT pk, name FROM rul_people WHERE owner = 'usr_bob'",
        "SELECT pk, owner, name FROM rul_people LIMIT 30",
        "SELECT pk, owner, name FROM rul_people ORDER BY pk DESC LIMIT 1",
        "SELECT (SELECT max(owner) FROM rul_people), exists(SELECT 1 FROM rul_people WHERE pk = 'p9')",
        "SELECT count(*), count(DISTINCT owner), count(card) FROM rul_people",
        "SELECT crad FROM rul_people",
    ],
)
async def test_no_statement_gets_at_what_is_kept_back(service: Service, sql: str) -> None:
    told = "\n".join([await ran(service, sql), await explained(service, sql)])
    for secret in KEPT:
        if secret not in sql:
            assert secret not in told


def said_of(failure: Failure) -> str:
    words = worded(failure)
    return f"{words.message} {words.next_action}"


async def ran(service: Service, sql: str) -> str:
    """All that run_sql says to a member."""
    try:
        return json.dumps(asdict(await service.run(sql, MEMBER)), default=str)
    except Failure as failure:
        return said_of(failure)


async def explained(service: Service, sql: str) -> str:
    """All that explain_sql says to a member."""
    try:
        explanation = await service.queries().explain_sql(MEMBER, sql=sql)
    except Failure as failure:
        return said_of(failure)
    said = verdict(explanation)
    return f"{explanation.plan}\n{explanation.normalized_sql}\n{said}"


async def test_a_condition_on_a_masked_column_sees_the_mask(service: Service) -> None:
    matching = await service.run("SELECT pk FROM rul_people WHERE email = 'kept0@example.com'", MEMBER)
    other = await service.run("SELECT pk FROM rul_people WHERE email = 'nobody@example.com'", MEMBER)
    assert matching.rows == other.rows == []
    # Else what it takes would tell which of the two is there.
    assert taken(matching) == taken(other)
    assert (await service.run("SELECT pk FROM rul_people WHERE email = '***.com' ORDER BY 1", MEMBER)).rows == [
        [pk] for pk in SEEN
    ]


def taken(result: QueryResult) -> tuple[int, int, float]:
    """What a query took."""
    statistics = result.statistics
    return statistics.items_read, statistics.pages_read, statistics.read_units


async def test_rows_by_key_are_read_by_key(service: Service) -> None:
    result = await service.run("SELECT pk, v FROM rul_parts", MEMBER)
    assert result.rows == [["acme", 1]]
    assert result.statistics.items_read == 1
    plan = await service.queries().explain_sql(MEMBER, sql="SELECT * FROM rul_parts WHERE pk = 'globex'")
    assert [read.access for read in plan.reads] == ["None"]


async def test_rows_of_a_single_table_are_told_by_a_text_with_the_caller_in_it(service: Service) -> None:
    """And are read by key, as no others are there."""
    for subject, seen in (
        ("usr_ann", ["$all", "USER#usr_ann", "USER#usr_ann"]),
        ("usr_bob", ["$all", "USER#usr_bob"]),
        ("usr_ann#ORDER", ["$all"]),
        ("usr_nobody", ["$all"]),
    ):
        result = await service.run("SELECT pk FROM rul_own ORDER BY pk", replace(MEMBER, subject=subject))
        assert [pk for (pk,) in result.rows] == seen
        assert result.statistics.items_read == len(seen)
    assert (await service.run("SELECT count(*) FROM rul_own", ADMIN)).rows == [[6]]
    plan = await service.queries().explain_sql(MEMBER, sql="SELECT * FROM rul_own WHERE pk = 'USER#usr_bob'")
    assert [read.access for read in plan.reads] == ["None"]


@pytest.mark.parametrize("table", ["rul_keyed", "rul_closed"])
async def test_a_rule_that_hides_the_key_or_says_so_closes_the_table(service: Service, table: str) -> None:
    for sql in (f"SELECT count(*) FROM {table}", f"SELECT * FROM {table}"):
        with pytest.raises(Failure) as refused:
            await service.run(sql, MEMBER)
        assert refused.value.code is FailureCode.UNKNOWN_TABLE
    browsing = service.browsing()
    with pytest.raises(Failure):
        await browsing.describe_table(MEMBER, table_name=table)
    assert table not in await browsing.table_names(MEMBER)
    assert (await service.run(f"SELECT * FROM {table}", ADMIN)).rows == [["kept"]]
    assert table in await browsing.table_names(ADMIN)


@pytest.mark.parametrize("table", ["rul_keyed", "rul_closed"])
async def test_a_table_that_rules_close_is_spoken_of_like_one_that_nobody_has(service: Service, table: str) -> None:
    said = []
    for name in (table, "rul_nosuch", table.upper(), table[:-1], table.replace("e", "x")):
        for ask in (
            service.run(f'SELECT 1 FROM "{name}"', MEMBER),
            service.browsing().describe_table(MEMBER, table_name=name),
        ):
            with pytest.raises(Failure) as refused:
                await ask
            words = worded(refused.value)
            said.append((refused.value.code, words.message.replace(name, "?"), table in words.next_action))
    assert set(said) == {(FailureCode.UNKNOWN_TABLE, 'There is no table "?" in schema "shop".', False)}


async def test_only_a_rule_that_closes_a_table_by_its_key_is_logged_and_only_once(service: Service) -> None:
    schemas = Schemas((service.schemas.by_name["shop"],))
    with capture_logs() as logged:
        for table in ("rul_keyed", "rul_closed", "rul_keyed"):
            shop = schemas.by_name["shop"]
            found = await service.ports.catalog.describe(shop, table, "force")
            assert found is not None
            assert isinstance(schemas.views.of(MEMBER, shop, found.table), Deny)
    assert [(line["event"], line["table"]) for line in logged] == [("rule_hides_key", "rul_keyed")]


async def test_a_listing_takes_nothing_to_leave_out_what_is_closed(service: Service) -> None:
    names = (await service.catalog.list_tables(service.schemas.by_name["shop"], "force")).names
    assert "rul_closed" in names[:-1]
    listing = await service.browsing(listed_tables=len(names) - 1).list_tables(MEMBER)
    assert not listing.truncated
    assert "rul_closed" not in {*(table.name for table in listing.tables), *(one.name for one in listing.undescribed)}


SEEN_ITEM = {"pk": {"S": "s"}, "owner": {"S": "usr_ann"}, "v": {"N": "1"}, "m": {"M": {"town": {"S": "Rome"}}}}
KEPT_ITEM = {
    "pk": {"S": "kept"},
    "owner": {"S": "usr_bob"},
    "v": {"S": "text"},
    "m": {"M": {"kept_field": {"S": "x"}}},
    "kept_column": {"S": "x"},
}


@pytest.fixture(scope="module")
async def columns(service: Service, tables: None) -> None:
    """A table of which a member sees one item, and two of which it sees none, but for their structure."""
    await service.create("rul_columns", [SEEN_ITEM, KEPT_ITEM])


@pytest.mark.usefixtures("columns")
async def test_columns_and_their_types_are_those_of_the_rows_that_are_left(service: Service) -> None:
    """Names of attributes and of fields, and types, are data of the items that have them."""
    everything = (await service.browsing().describe_table(ADMIN, table_name="rul_columns")).table
    assert {"kept_column", "pk", "owner", "v", "m"} == {column.name for column in everything.columns}
    described = (await service.browsing().describe_table(MEMBER, table_name="rul_columns")).table
    shown = {column.name: (column.type.sql, column.notes) for column in described.columns}
    plain: tuple[str, ...] = ()
    assert shown == {
        "pk": ("VARCHAR", plain),
        "m": ("STRUCT(town VARCHAR)", plain),
        "owner": ("VARCHAR", plain),
        "v": ("BIGINT", plain),
    }
    result = await service.run("SELECT * FROM rul_columns", MEMBER)
    assert [column.name for column in result.columns] == ["pk", "m", "owner", "v"]
    assert result.rows == [["s", {"town": "Rome"}, "usr_ann", 1]]
    assert result.warnings == ()
    assert (await service.rows("SELECT count(*) FROM rul_columns WHERE v = 'text'", principal=ADMIN)) == [[1]]


@pytest.mark.usefixtures("columns")
@pytest.mark.parametrize("column", ["kept_column", "kept_colum", "nothing", "m.kept_field", "m.nothing"])
async def test_a_column_of_other_rows_is_spoken_of_like_one_that_nobody_has(service: Service, column: str) -> None:
    await service.run("SELECT kept_column, m.kept_field FROM rul_columns", ADMIN)  # what it finds is for admins
    with pytest.raises(Failure) as refused:
        await service.run(f"SELECT {column} FROM rul_columns", MEMBER)
    told = said_of(refused.value)
    assert "kept" not in told.replace(column, "").replace(column.rpartition(".")[2], "")


@pytest.mark.usefixtures("columns")
async def test_an_attribute_of_a_row_that_is_there_is_found_by_its_name(service: Service) -> None:
    await service.put("rul_columns", [{**SEEN_ITEM, "pk": {"S": "late"}, "late": {"S": "here"}}])
    try:
        result = await service.run("SELECT * FROM rul_columns", MEMBER)
        [warning] = result.warnings
        assert '"late"' in warning
        assert "kept" not in warning
        assert (await service.rows("SELECT late FROM rul_columns WHERE pk = 'late'", principal=MEMBER)) == [["here"]]
    finally:
        await service.tables.delete("rul_columns", {"pk": {"S": "late"}})


@pytest.mark.parametrize("key", ["p4", "p5"])
@pytest.mark.parametrize(
    "sql",
    [
        "SELECT * FROM rul_people WHERE pk = '{key}'",
        "SELECT count(*) FROM rul_people WHERE pk IN ('p0', '{key}')",
        "SELECT name FROM rul_people WHERE pk = '{key}' AND name = 'Name 4'",
        "SELECT name FROM rul_people WHERE name = '{key}' OR name = 'Name 4'",
        "SELECT a.name FROM rul_people a JOIN rul_people b ON a.pk = b.pk WHERE b.pk = '{key}'",
    ],
)
async def test_what_a_query_takes_does_not_tell_whether_there_is_another_row(
    service: Service, sql: str, key: str
) -> None:
    there = await service.run(sql.format(key=key), MEMBER)
    nowhere = await service.run(sql.format(key="no"), MEMBER)
    assert there.rows == nowhere.rows
    assert taken(there) == taken(nowhere)


async def test_browsing_shows_what_is_left(service: Service) -> None:
    described = await service.browsing().describe_table(MEMBER, table_name="rul_people")
    columns = {column.name: column for column in described.table.columns}
    assert set(columns) == {"email", "level", "name", "owner", "phone", "pk", "salary"}
    assert columns["salary"].type.sql == "VARCHAR"
    assert columns["salary"].notes == ("masked",)
    everything = await service.browsing().describe_table(ADMIN, table_name="rul_people")
    assert "card" in {column.name for column in everything.table.columns}
    names = [table.name for table in (await service.browsing(listed_tables=5000).list_tables(MEMBER)).tables]
    assert "rul_people" in names
    assert not {"rul_keyed", "rul_closed"} & set(names)


async def test_what_a_restricted_read_learns_is_learnt_of_the_whole_table(service: Service) -> None:
    await service.put(
        "rul_people", [{"pk": {"S": "late"}, "owner": {"S": "usr_ann"}, "level": {"N": "1"}, "name": {"N": "5"}}]
    )
    try:
        rows = (await service.run("SELECT name, card FROM rul_people WHERE pk = 'late'", ADMIN)).rows
        assert rows == [["5", None]]
        named = await service.run("SELECT name FROM rul_people WHERE pk = 'late'", MEMBER)
        assert named.rows == [["5"]]
    finally:
        await service.tables.delete("rul_people", {"pk": {"S": "late"}})


@pytest.mark.parametrize("order", ["", " ORDER BY pk"], ids=["read on", "kept"])
@pytest.mark.parametrize("sql", ["SELECT email, card FROM rul_people", "SELECT pk FROM rul_people"])
async def test_a_cursor_is_for_who_still_sees_the_same(service: Service, sql: str, order: str) -> None:
    sql += order
    cursor = (await service.run(sql, ADMIN, max_rows=5)).next_cursor
    demoted, promoted = replace(ADMIN, roles=frozenset({"member"})), replace(ADMIN, roles=ADMIN.roles | {"owner"})
    with pytest.raises(Failure) as caught:
        await service.run(sql, demoted, max_rows=5, cursor=cursor)
    assert isinstance(caught.value.fact, SeenOtherwise)
    # A role that no rule of the table names changes nothing.
    assert len((await service.run(sql, promoted, max_rows=5, cursor=cursor)).rows) == 5


async def test_a_cursor_over_tables_without_rules_outlives_a_role(service: Service) -> None:
    await service.create("rul_free", [{"pk": {"S": f"f{number}"}} for number in range(9)])
    for sql in ("SELECT pk FROM rul_free", "SELECT pk FROM rul_free ORDER BY pk"):
        cursor = (await service.run(sql, ADMIN, max_rows=5)).next_cursor
        demoted = replace(ADMIN, roles=frozenset[str]())
        assert len((await service.run(sql, demoted, max_rows=5, cursor=cursor)).rows) == 4


@pytest.mark.parametrize("change", ["rule", "closed"])
@pytest.mark.parametrize("order", ["", " ORDER BY pk"], ids=["read on", "kept"])
async def test_a_cursor_ends_where_its_tables_are_shown_otherwise_since(
    service: Service, order: str, change: str
) -> None:
    """As when replicas start anew with another schemas file, and share the results that wait for their next page."""
    sql = f"SELECT pk, name FROM shop.rul_people{order}"
    cursor = (await service.run(sql, ADMIN, max_rows=5)).next_cursor
    (shop, *others), before = service.schemas.by_name.values(), service.schemas
    rules = {**shop.rules, "rul_people": (*shop.rules["rul_people"], Rule("rul_people", masks=(("name", Mask.NULL),)))}
    after = replace(shop, rules=rules) if change == "rule" else replace(shop, tables=frozenset({"rul_keyed"}))
    service.schemas = Schemas((after, *others))
    try:
        with pytest.raises(Failure) as caught:
            await service.run(sql, ADMIN, max_rows=5, cursor=cursor)
    finally:
        service.schemas = before
    expected = FailureCode.CURSOR_EXPIRED if change == "rule" else FailureCode.ACCESS_DENIED
    assert caught.value.code is expected


@pytest.mark.parametrize("max_rows", [1, 2])
async def test_pages_have_each_row_that_is_left_once(service: Service, max_rows: int) -> None:
    page = await service.run("SELECT pk FROM rul_people", MEMBER, max_rows=max_rows)
    rows = page.rows
    while page.next_cursor is not None:
        cursor = page.next_cursor
        page = await service.run("SELECT pk FROM rul_people", MEMBER, max_rows=max_rows, cursor=cursor)
        rows = rows + page.rows
    assert sorted(row[0] for row in rows) == SEEN


async def test_a_page_reads_no_more_than_it_needs_where_all_rows_are_there(service: Service) -> None:
    """Masks and hidden columns leave no item out."""
    people = [{"pk": {"S": f"p{number}"}, "nation": {"S": "Testland"}, "address": {"S": "1"}} for number in range(30)]
    await service.create("uns_masked", people)
    for principal, shown in ((MEMBER, [None, "***land"]), (ADMIN, ["1", "Testland"])):
        for sql, most in (("SELECT * FROM uns_masked", 10), ("SELECT * FROM uns_masked WHERE nation LIKE '%land'", 30)):
            page = await service.run(sql, principal, max_rows=9)
            rows = [dict(zip([column.name for column in page.columns], row, strict=True)) for row in page.rows]
            assert {(row.get("address"), row["nation"]) for row in rows} == {tuple(shown)}
            assert (len(rows), page.statistics.items_read) == (9, most)
            while page.next_cursor is not None:
                page = await service.run(sql, principal, max_rows=9, cursor=page.next_cursor)
                rows += [dict(zip([column.name for column in page.columns], row, strict=True)) for row in page.rows]
            assert sorted(row["pk"] for row in rows) == sorted(f"p{number}" for number in range(30))
