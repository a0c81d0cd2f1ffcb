"""The conditions in the tables "Times" and "What is cheap" of docs/sql.md run, and are narrowed as the tables say."""

import re
from collections.abc import Sequence
from typing import Any

import pytest

from mcp_server.planning.plan import Read
from tests.mcp_server.doubles.tables import HeldIndex
from tests.mcp_server.engine.conftest import ANN, Service, only_doubles
from tests.support.processes import REPOSITORY

pytestmark = pytest.mark.anyio

TEXT = (REPOSITORY / "docs" / "sql.md").read_text("utf-8")
MARCH = 1_772_359_200
"""2026-03-01T10:00:00Z in seconds."""
DAY = 86_400


def _rows(heading: str) -> list[list[str]]:
    """The cells of a table's rows, those of its head left out."""
    section = re.split(r"^#+ ", TEXT.partition(f" {heading}\n")[2], maxsplit=1, flags=re.MULTILINE)[0]
    lines = [line for line in section.splitlines() if line.startswith("|")]
    return [line.strip("|").split(" | ") for line in lines[2:]]


def _times() -> list[tuple[str, str, str]]:
    """Each condition with the kind of its table, and what the document says of it."""
    found: list[tuple[str, str, str]] = []
    before: list[str] = []
    for attribute, write, narrowed in _rows("Times"):
        declared = "unit" if "with `unit" in attribute else "iso"
        kind = declared if attribute.strip().startswith("declared") else "undeclared"
        written = [code for code in re.findall(r"`([^`]+)`", write) if re.search("placed_at|created|expires", code)]
        if write.strip().startswith("the same"):
            calls = written  # the same, of that call in place of the one before
            written = before
            for call in calls:
                written = [one.replace("epoch_ms(created)", call) for one in before if "epoch_ms(created)" in one]
        before = written
        found += [(kind, one, narrowed.strip()) for one in written]
    return found


def _statement(code: str) -> str | None:
    """An example as a statement over `t`; None of what is no condition, `=` and the like."""
    written = code.replace("…", "FROM links")
    if code == "a.x = b.pk":
        return f"SELECT b.sk FROM links a JOIN t b ON {code}"
    if code.startswith(("JOIN ", "WHERE ")):
        return f"SELECT sk FROM t {written}"
    return f"SELECT sk FROM t WHERE {written}" if re.search(r"\b(pk|x)\b", code) else None


def _column(condition: str) -> str:
    found = re.search("placed_at|created|expires", condition)
    assert found is not None
    return found[0]


TIMES = _times()
CHEAP = [
    (code, access.strip())
    for condition, access in _rows("What is cheap")
    for code in re.findall("`([^`]+)`", condition)
]


@pytest.fixture(scope="module")
async def times(service: Service) -> Service:
    """A table of each kind for each column, whose sort key that is."""
    for kind, column in sorted({(kind, _column(condition)) for kind, condition, _ in TIMES}):
        texts = kind == "iso"
        items: list[dict[str, Any]] = []
        for number in range(60):
            day = f"2026-{3 + number // 30:02}-{1 + number % 30:02}T10:00:00Z"
            seconds = MARCH + number * DAY
            items.append(
                {
                    "pk": {"S": "a" if number % 2 else "b"},
                    "placed_at": {"S": day},
                    "created": {"S": day} if texts else {"N": str(seconds * 1000)},
                    "expires": {"S": day} if texts else {"N": str(seconds)},
                }
            )
        key = (("pk", "S"), (column, "S" if texts or column == "placed_at" else "N"))
        await service.tables.create(f"{kind}_by_{column}", key)
        await service.put(f"{kind}_by_{column}", items)
    return service


@pytest.fixture(scope="module")
async def cheap(service: Service) -> Service:
    """`t`, large enough that reading all of it is dear, and `links`, which names a few of its keys."""
    await service.tables.create("t", (("pk", "S"), ("sk", "N")), [HeldIndex("by_customer", (("customer", "N"),))])
    await service.put(
        "t",
        [
            {
                "pk": {"S": f"{letter}{number or ''}"},
                "sk": {"N": str(sk)},
                "x": {"S": "x" * 2000},
                "customer": {"N": str(number)},
            }
            for letter in "ab"
            for number in range(20)
            for sk in (1, 2)
        ],
    )
    links = [{"pk": {"S": name}, "x": {"S": name}, "y": {"N": "1"}} for name in ("a", "b")]
    await service.create("links", links)
    return service


def test_the_tables_hold_what_is_looked_for() -> None:
    assert len(TIMES) >= 25, TIMES
    assert {kind for kind, _, _ in TIMES} == {"undeclared", "unit", "iso"}
    assert len([one for one in CHEAP if _statement(one[0])]) >= 12


@only_doubles
@pytest.mark.parametrize(("kind", "condition", "narrowed"), TIMES)
async def test_conditions_on_times(times: Service, kind: str, condition: str, narrowed: str) -> None:
    """Without the partition key DynamoDB filters by the range, with it a Query has the range of its key."""
    column = _column(condition)
    table = f"{kind}_by_{column}"
    if narrowed.startswith("nothing"):
        condition = f"{condition} >= TIMESTAMPTZ '2026-03-20 00:00:00Z'"

    (scan,) = await _reads(times, f"SELECT pk FROM {table} WHERE {condition}")
    (query,) = await _reads(times, f"SELECT pk FROM {table} WHERE pk = 'a' AND {condition}")

    everywhere = await times.rows(f"SELECT pk FROM {table} WHERE {condition}")
    assert await times.rows(f"SELECT pk FROM {table} WHERE pk = 'a' AND {condition}") == [
        row for row in everywhere if row == ["a"]
    ]
    assert any(column in one for one in scan.pushed_filters) == narrowed.startswith("a range")
    assert (column in (query.key_condition or "")) == narrowed.endswith("of a key too")


@only_doubles
@pytest.mark.parametrize(("code", "access"), [one for one in CHEAP if _statement(one[0])])
async def test_what_is_cheap(cheap: Service, code: str, access: str) -> None:
    statement = _statement(code)
    assert statement is not None
    reads = await _reads(cheap, statement)
    read = next(one for one in reads if one.relation.table.name == "t")

    await cheap.run(statement)
    if access.startswith("the other tables first"):
        assert read.stage is not None
    elif access == "nothing is read":
        assert read.access == "None"
    else:
        assert read.access in access.split(" or "), read.access


async def _reads(service: Service, statement: str) -> Sequence[Read]:
    return (await service.queries().explain_sql(ANN, sql=statement)).reads
