"""The catalogue over a real emulator."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing, asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest

from mcp_server.adapters import catalog
from mcp_server.adapters.catalog import DynamoDbCatalog
from mcp_server.adapters.dynamodb import given_up
from mcp_server.adapters.dynamodb.clients import DynamoDbClients
from mcp_server.adapters.dynamodb.pace import Pace, Paces
from mcp_server.adapters.metrics import MeteredTally
from mcp_server.adapters.sampling import SEGMENTS
from mcp_server.domain.failures import Failure, FailureCode
from mcp_server.domain.failures.budgets import HourSpent
from mcp_server.domain.restriction import AllowedValues
from mcp_server.domain.schema import Column, Override, Schema, Table, TypeKind
from mcp_server.ports.catalog import Described
from mcp_server.ports.items import Consumption, Observer
from mcp_server.ports.tally import UNTALLIED, Tally
from tests.mcp_server.adapters.endpoint import Answer, Body, Endpoint, endpoint, error
from tests.mcp_server.adapters.relations import N, S, of
from tests.mcp_server.doubles.catalog import unpaid
from tests.support.clock import SettableClock
from tests.support.emulator import CREDENTIALS, Emulator
from tests.support.metrics import lookups, tallied

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

KEYS = [("pk", "HASH"), ("sk", "RANGE")]


class Place:
    """A catalogue over the emulator with a clock of its own, and the emulator's own client to fill it."""

    def __init__(self, emulator: Emulator, clients: DynamoDbClients, schema: Schema) -> None:
        self.clock = SettableClock()
        self.tally = MeteredTally()
        self.catalog = DynamoDbCatalog(clients, self.clock, tally=self.tally)
        self.client = clients.of(schema)
        self.schema = schema

    async def create(self, name: str, *, items: list[dict[str, Any]] | None = None, **more: Any) -> None:
        """A table with pk and sk, both S."""
        attributes = [{"AttributeName": key, "AttributeType": "S"} for key, _ in KEYS]
        attributes += more.pop("attributes", [])
        await self.client.create_table(
            TableName=name,
            BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=attributes,
            KeySchema=[{"AttributeName": key, "KeyType": kind} for key, kind in KEYS],
            **more,
        )
        await self.put(name, items or [])

    async def put(self, name: str, items: list[dict[str, Any]]) -> None:
        """Puts items, their keys being counted when they have none."""
        for number, item in enumerate(items):
            key = {"pk": {"S": f"p{number}"}, "sk": {"S": "s"}}
            await self.client.put_item(TableName=name, Item=key | item)

    async def table(self, name: str, refresh: Any = "if_stale", schema: Schema | None = None) -> Table:
        described = await self.catalog.describe(schema or self.schema, name, refresh)
        assert described is not None
        return described.table


@pytest.fixture
async def place(emulator: Emulator) -> AsyncIterator[Place]:
    schema = Schema("demo", "default", emulator.region, endpoint_url=emulator.endpoint_url)
    async with DynamoDbClients((schema,)) as clients:
        made = Place(emulator, clients, schema)
        async with aclosing(made.catalog):
            yield made


def find(table: Table, name: str) -> Column:
    column = table.column(name)
    assert column is not None
    return column


async def test_lookups_are_counted(place: Place) -> None:
    await place.create("cat_counted")
    await asyncio.gather(place.table("cat_counted"), place.table("cat_counted"))
    assert lookups(place.tally, "tables") == (0, 2)  # the second waits for what the first has asked for
    await place.table("cat_counted")
    await place.table("cat_counted", refresh="force")  # asks for nothing that is kept
    assert lookups(place.tally, "tables") == (1, 2)
    place.clock.time += place.catalog.stale_after_seconds
    await place.table("cat_counted", refresh="skip")
    await place.table("cat_counted")
    assert lookups(place.tally, "tables") == (2, 3)


async def test_an_empty_table_has_its_keys_as_columns(place: Place) -> None:
    index = {
        "IndexName": "by_n",
        "KeySchema": [{"AttributeName": "n", "KeyType": "HASH"}, {"AttributeName": "b", "KeyType": "RANGE"}],
        "Projection": {"ProjectionType": "INCLUDE", "NonKeyAttributes": ["extra"]},
    }
    local = {
        "IndexName": "a_local",
        "KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "n", "KeyType": "RANGE"}],
        "Projection": {"ProjectionType": "ALL"},
    }
    await place.create(
        "cat_empty",
        attributes=[{"AttributeName": "n", "AttributeType": "N"}, {"AttributeName": "b", "AttributeType": "B"}],
        GlobalSecondaryIndexes=[index],
        LocalSecondaryIndexes=[local],
    )
    table = await place.table("cat_empty")
    assert [(one.name, one.type.sql, one.nullable) for one in table.columns] == [
        ("pk", "VARCHAR", False),
        ("sk", "VARCHAR", False),
        ("n", "BIGINT", True),
        ("b", "BLOB", True),
    ]
    assert [(one.name, one.kind, one.projected, one.active) for one in table.indexes] == [
        ("by_n", "GSI", frozenset({"pk", "sk", "n", "b", "extra"}), True),
        ("a_local", "LSI", None, True),
    ]


async def test_columns_are_found_typed_and_ordered(place: Place) -> None:
    items: list[dict[str, Any]] = [
        {"zebra": {"S": "x"}, "amount": {"N": f"{number}.5"}, "Day": {"S": "2024-01-01"}, "mixed": {"N": "1"}}
        for number in range(30)
    ]
    items[3]["mixed"] = {"S": "one"}
    items[5]["rare attribute!"] = {"M": {"a": {"S": "b"}}}
    await place.create("cat_columns", items=items)
    table = await place.table("cat_columns")
    assert [(one.name, one.type.sql) for one in table.columns] == [
        ("pk", "VARCHAR"),
        ("sk", "VARCHAR"),
        ("Day", "DATE"),
        ("amount", "DECIMAL(38,1)"),
        ("mixed", "VARCHAR"),
        ("rare attribute!", "STRUCT(a VARCHAR)"),
        ("zebra", "VARCHAR"),
    ]
    (note,) = find(table, "mixed").notes
    assert note.startswith("mostly N, also holds S in 3% of sampled values; read as text; compared with a number, ")
    assert note.endswith("TRY_CAST(mixed AS DOUBLE) has the numbers")
    assert find(table, "rare attribute!").presence == pytest.approx(1 / 30, abs=0.001)
    assert (table.item_count, find(table, "pk").presence) == (30, 1.0)
    assert 30 * 30 < table.size_bytes < 30 * 90  # the sample's billed sizes, not the emulator's guess


async def test_few_sampled_items_are_told_one_by_one_only_if_they_are_all(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    await place.create("cat_few", items=[{"note": {"S": f"note {number}"}} for number in range(40)])
    await place.create("cat_all", items=[{"note": {"S": f"note {number}"}} for number in range(5)])
    monkeypatch.setattr(catalog, "ITEMS_PER_SEGMENT", 2)
    few = find(await place.table("cat_few"), "note").examples
    assert few is not None
    assert few.values == ()
    monkeypatch.setattr(catalog, "ITEMS_PER_SEGMENT", 100)
    everything = find(await place.table("cat_all"), "note").examples
    assert everything is not None
    assert everything.values == tuple(f"note {number}" for number in range(5))


async def test_rows_that_lie_in_a_few_partitions_are_looked_at_there(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(catalog, "ITEMS_PER_SEGMENT_OF_MANY_KINDS", 1)  # a scan would miss one item of a hundred
    await place.create(
        "cat_rows",
        items=[
            {"g": {"S": f"g{number}"}, "n": {"S": f"n{number}"}, f"only{number}": {"S": "x"}} for number in range(100)
        ],
        attributes=[{"AttributeName": "g", "AttributeType": "S"}],
        GlobalSecondaryIndexes=[
            {
                "IndexName": "by_g",
                "KeySchema": [{"AttributeName": "g", "KeyType": "HASH"}],
                "Projection": {"ProjectionType": "ALL"},
            }
        ],
    )

    async def columns(*rules: AllowedValues) -> set[str]:
        described = await place.catalog.describe(place.schema, "cat_rows", "if_stale", rules)
        assert described is not None
        return {column.name for column in described.table.columns if column.name.startswith("only")}

    for attribute, value in (("pk", "p70"), ("g", "g71")):
        two = AllowedValues(attribute, frozenset({value, f"{value[0]}5"}))
        assert await columns(two) == {f"only{value[1:]}", "only5"}
        assert await columns(two, AllowedValues("n", frozenset({"n5"}))) == {"only5"}
        assert await place.catalog.probe(place.schema, "cat_rows", "only5", unpaid, (two,))
        assert not await place.catalog.probe(place.schema, "cat_rows", "only6", unpaid, (two,))
    many = frozenset(f"p{number}" for number in range(100))
    assert len(await columns(AllowedValues("pk", many))) <= SEGMENTS
    assert len(await columns(AllowedValues("n", frozenset({"n5"})))) <= 1


async def test_samples_of_rows_are_kept_up_to_a_bound(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """There may be one for each person."""
    monkeypatch.setattr(catalog, "MOST_SAMPLES_OF_ROWS", 2)
    await place.create("cat_bound", items=[{}] * 3)

    async def refreshed(person: str) -> bool:
        rows = (AllowedValues("pk", frozenset({person})),)
        described = await place.catalog.describe(place.schema, "cat_bound", "skip", rows)
        assert described is not None
        return described.refreshed

    assert [await refreshed(person) for person in ("p0", "p1", "p0", "p2", "p1", "p2", "p0")] == [
        *(True, True, False),
        *(True, False, False, True),
    ]


async def test_a_sample_is_shared_kept_and_refreshed(place: Place) -> None:
    await place.create("cat_stale", items=[{"a": {"N": "1"}}])
    both = await asyncio.gather(*(place.catalog.describe(place.schema, "cat_stale", "if_stale") for _ in range(5)))
    assert len({id(one.table) for one in both if one is not None}) == 1
    first = await place.table("cat_stale")
    await place.put("cat_stale", [{"a": {"N": "1.5"}}])
    assert await place.table("cat_stale") is first
    place.clock.time += 299
    assert await place.table("cat_stale") is first
    for jump in (30 * 86400, -60 * 86400):  # only the monotonic clock tells an age
        place.clock.wall += jump
        assert await place.table("cat_stale") is first
    assert await place.table("cat_stale", "skip") is first
    place.clock.time += 2
    assert await place.table("cat_stale", "skip") is first
    later = await place.table("cat_stale")
    assert find(later, "a").type == of(TypeKind.DECIMAL, 1)
    assert later.refreshed_at == place.clock.time
    forced = await place.catalog.describe(place.schema, "cat_stale", "force")
    assert forced is not None
    assert forced.refreshed
    assert forced.table.columns == later.columns


async def test_what_was_learnt_outlives_a_refresh_that_does_not_see_it(place: Place) -> None:
    await place.create("cat_learn", items=[{"a": {"N": "1"}}])
    table = await place.table("cat_learn")
    wider = replace(find(table, "a"), type=of(TypeKind.VARCHAR), attribute_types=frozenset({N, S}))
    await place.catalog.learn(replace(table, columns=tuple(wider if one.name == "a" else one for one in table.columns)))
    learnt = await place.table("cat_learn")
    assert find(learnt, "a").type == of(TypeKind.VARCHAR)
    assert learnt.columns != table.columns
    place.clock.time += 1000
    assert find(await place.table("cat_learn"), "a").type == of(TypeKind.VARCHAR)
    assert find(await place.table("cat_learn", "force"), "a").type == of(TypeKind.BIGINT)


async def test_declared_types_win(place: Place) -> None:
    await place.create("cat_declared", items=[{"a": {"S": "2024-01-01"}, "n": {"N": "1"}, "m": {"S": "x"}}])
    overrides = {
        "cat_declared": {
            "a": Override(type=of(TypeKind.VARCHAR)),
            "n": Override(type=of(TypeKind.DECIMAL, 2), not_null=True),
            "m": Override(not_null=True),
            "unseen": Override(type=of(TypeKind.DATE)),
            "unseen_document": Override(type=of(TypeKind.JSON)),
        }
    }
    table = await place.table("cat_declared", schema=replace(place.schema, name="declared", overrides=overrides))
    found = {one.name: (one.type.sql, one.nullable, sorted(one.attribute_types)) for one in table.columns}
    assert found == {
        "pk": ("VARCHAR", False, ["S"]),
        "sk": ("VARCHAR", False, ["S"]),
        "a": ("VARCHAR", True, ["S"]),
        "m": ("VARCHAR", False, ["S"]),
        "n": ("DECIMAL(38,2)", False, ["N"]),
        "unseen": ("DATE", True, ["S"]),
        "unseen_document": ("JSON", True, []),
    }


async def test_only_allowed_tables_can_be_seen(place: Place) -> None:
    await place.create("cat_allowed")
    await place.create("cat_hidden")
    narrow = replace(place.schema, name="narrow", tables=frozenset({"cat_allowed", "cat_missing"}))
    assert (await place.catalog.list_tables(narrow, "if_stale")).names == ("cat_allowed", "cat_missing")
    assert await place.catalog.describe(narrow, "cat_hidden", "force") is None
    assert await place.catalog.describe(narrow, "cat_missing", "force") is None
    shown = await place.catalog.summaries(narrow, ["cat_allowed", "cat_hidden", "cat_missing"], "if_stale")
    assert [one.name for one in shown.tables] == ["cat_allowed"]
    names = (await place.catalog.list_tables(place.schema, "force")).names
    assert {"cat_allowed", "cat_hidden"} <= set(names)


@pytest.mark.parametrize("name", ["cat_no_such_table", "x", "", "a" * 300, "../etc", "ü", "a b"])
async def test_names_of_nothing_are_unknown(place: Place, name: str) -> None:
    assert await place.catalog.describe(place.schema, name, "if_stale") is None


async def test_a_caller_who_gives_up_does_not_take_the_answer_from_others(place: Place) -> None:
    await place.create("cat_shared", items=[{"a": {"N": "1"}}])
    impatient = asyncio.create_task(place.catalog.describe(place.schema, "cat_shared", "if_stale"))
    patient = asyncio.create_task(place.catalog.describe(place.schema, "cat_shared", "if_stale"))
    await asyncio.sleep(0)
    impatient.cancel()
    described = await patient
    assert described is not None
    assert impatient.cancelled()


FACTS: dict[str, Any] = {
    "TableName": "things",
    "TableStatus": "ACTIVE",
    "KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}],
    "AttributeDefinitions": [{"AttributeName": "pk", "AttributeType": "S"}],
    "ItemCount": 1,
    "TableSizeBytes": 10,
}
ITEMS: dict[str, Any] = {"Items": [{"pk": {"S": "a"}}], "Count": 1, "ScannedCount": 1}
ANSWERS: dict[str, dict[str, Any]] = {
    "ListTables": {"TableNames": ["things"]},
    "DescribeTable": {"Table": FACTS},
    "Scan": ITEMS,
}
UNREADABLE: list[tuple[str, dict[str, Any]]] = [
    ("ListTables", {}),
    ("ListTables", {"TableNames": None}),
    ("ListTables", {"TableNames": [1]}),
    ("DescribeTable", {}),
    ("DescribeTable", {"Table": {}}),
    *(("DescribeTable", {"Table": {key: FACTS[key] for key in FACTS if key != left_out}}) for left_out in FACTS),
    ("DescribeTable", {"Table": FACTS | {"ItemCount": "many"}}),
    ("DescribeTable", {"Table": FACTS | {"TableName": "others"}}),
    ("Scan", {}),
    ("Scan", {"Items": [], "ScannedCount": 0}),
    ("Scan", ITEMS | {"Count": 0}),
    ("Scan", ITEMS | {"Items": []}),
    ("Scan", ITEMS | {"Items": [{"pk": {"N": "abc"}}]}),
]


@pytest.mark.parametrize(("operation", "answer"), UNREADABLE)
@pytest.mark.parametrize("lasting", [False, True])
async def test_an_unreadable_answer_is_asked_for_again_and_never_means_nothing(
    operation: str, answer: dict[str, Any], lasting: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    spoilt = False

    def script(asked: str, _request: dict[str, Any]) -> Answer:
        nonlocal spoilt
        if asked == operation.lower() and (lasting or not spoilt):
            spoilt = True
            return Answer(answer)
        return usual(asked)

    async with endpoint(script) as at:
        schema = Schema("demo", "default", "us-east-1", endpoint_url=at.url)
        async with (
            DynamoDbClients((schema,)) as clients,
            aclosing(DynamoDbCatalog(clients, SettableClock())) as catalog,
        ):
            if not lasting:
                assert (await catalog.list_tables(schema, "if_stale")).names == ("things",)
                described = await catalog.describe(schema, "things", "if_stale")
                assert described is not None
                assert [column.name for column in described.table.columns] == ["pk"]
                return
            with pytest.raises(Failure) as raised:
                await asyncio.gather(
                    catalog.list_tables(schema, "if_stale"), catalog.describe(schema, "things", "if_stale")
                )
            assert raised.value.code is FailureCode.SOURCE_UNAVAILABLE


async def test_a_load_that_hangs_ends_for_everybody_and_the_next_one_is_new(emulator: Emulator) -> None:
    """Nobody waits for an answer that was lost, once DynamoDB is well again."""
    answers: list[Answer | None] = [None]

    def script(operation: str, _request: Any) -> Answer | None:
        assert operation == "listtables"
        return answers[-1]

    async with endpoint(script) as scripted:
        schema = Schema("demo", "default", emulator.region, endpoint_url=scripted.url)
        async with DynamoDbClients((schema,)) as clients:
            catalog = DynamoDbCatalog(clients, SettableClock(), load_seconds=0.5)
            async with aclosing(catalog):
                waiting = [asyncio.create_task(catalog.list_tables(schema, "if_stale")) for _ in range(3)]
                outcomes = await asyncio.gather(*waiting, return_exceptions=True)
                assert [getattr(outcome, "code", None) for outcome in outcomes] == [FailureCode.SOURCE_UNAVAILABLE] * 3
                assert len(scripted.requests) == 1
                answers.append(Answer({"TableNames": ["t"]}))
                assert (await catalog.list_tables(schema, "if_stale")).names == ("t",)


def usual(operation: str, _request: Body | None = None) -> Answer:
    """What an endpoint with one table answers; it is told of operations in lower case."""
    return Answer(next(body for name, body in ANSWERS.items() if name.lower() == operation))


@asynccontextmanager
async def scripted(
    monkeypatch: pytest.MonkeyPatch, script: Callable[[str, Body], Answer | None], tally: Tally = UNTALLIED, **more: Any
) -> AsyncIterator[tuple[Endpoint, DynamoDbCatalog, Schema]]:
    """A catalogue over a scripted endpoint."""
    for name, value in CREDENTIALS.items():
        monkeypatch.setenv(name, value)
    async with endpoint(script) as at:
        schema = Schema("demo", "default", "eu-west-1", endpoint_url=at.url, **more)
        async with (
            DynamoDbClients((schema,)) as clients,
            aclosing(DynamoDbCatalog(clients, SettableClock(), tally=tally)) as made,
        ):
            yield at, made, schema


async def test_a_sample_that_nobody_waits_for_any_more_is_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """Our choice: a call that is cancelled stops its reads, the catalogue's among them."""

    def script(operation: str, _request: Body) -> Answer | None:
        return None if operation == "scan" else usual(operation)

    async with scripted(monkeypatch, script) as (at, made, schema):
        callers = [asyncio.create_task(made.describe(schema, "things", "if_stale")) for _ in range(2)]
        async with asyncio.timeout(30):
            await at.wait_until(lambda: len(at.requests) == 1 + SEGMENTS)
            callers[0].cancel()
            await asyncio.wait(callers[:1])
            assert at.dropped == 0
            callers[1].cancel()
            await at.wait_until(lambda: at.dropped == SEGMENTS)
        at.script = usual
        assert await made.describe(schema, "things", "if_stale") is not None


class Charged:
    """A Payer who may have a sample, or not, and keeps what each response took."""

    def __init__(self, refused: Failure | None = None) -> None:
        self.refused, self.took = refused, list[Consumption]()
        self.paid = asyncio.Event()
        """Set with the last response to a sample."""

    def check(self) -> None:
        if self.refused is not None:
            raise self.refused

    def observer(self, table: Table) -> Observer | None:
        return self._take if table.name == "things" else None

    def _take(self, taken: Consumption) -> None:
        self.took.append(taken)
        if len(self.took) == SEGMENTS:
            self.paid.set()


async def test_of_those_who_want_the_same_sample_the_first_pays(monkeypatch: pytest.MonkeyPatch) -> None:
    async with scripted(monkeypatch, usual) as (at, made, schema):
        payers = [Charged() for _ in range(3)]
        wanted = [made.describe(schema, "things", "if_stale", payer=payer) for payer in payers]
        assert all(await asyncio.gather(*wanted))
        assert [len(payer.took) for payer in payers] == [SEGMENTS, 0, 0]
        assert sum(one.read_units for one in payers[0].took) == SEGMENTS * 0.5
        assert len(at.requests) == 1 + SEGMENTS


async def test_who_may_have_no_sample_takes_none_from_others(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither where it is the first to want it, nor where somebody else pays for it."""
    refused = Failure(HourSpent(spent=2.0, expected=0.0, most=1.0))
    async with scripted(monkeypatch, usual) as (at, made, schema):
        poor, rich = Charged(refused), Charged()
        first, second, third = await asyncio.gather(
            *(made.describe(schema, "things", "if_stale", payer=payer) for payer in (poor, rich, poor)),
            return_exceptions=True,
        )
        assert first is refused
        assert isinstance(second, Described)
        assert isinstance(third, Described), "it waits with the other"
        sent = len(at.requests)
        with pytest.raises(Failure):
            await made.describe(schema, "things", "force", payer=poor)
        assert len(at.requests) == sent
        assert await made.describe(schema, "things", "skip", payer=poor) is not None
        assert (len(poor.took), len(rich.took)) == (0, SEGMENTS)


async def test_a_caller_who_leaves_pays_for_what_was_asked_for_by_then(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else one who asks for samples and goes away, time after time, would read on nobody's account."""
    answering = asyncio.Event()
    monkeypatch.setattr(given_up, "HEARD_OUT_SECONDS", 20.0)

    def script(operation: str, _request: Body) -> Answer:
        return Answer(ITEMS, held=answering) if operation == "scan" else usual(operation)

    async with scripted(monkeypatch, script) as (at, made, schema):
        payer = Charged()
        caller = asyncio.create_task(made.describe(schema, "things", "if_stale", payer=payer))
        async with asyncio.timeout(30):
            await at.wait_until(lambda: len(at.requests) == 1 + SEGMENTS)
            caller.cancel()
            await asyncio.wait([caller])
            assert payer.took == []
            answering.set()
            await payer.paid.wait()


async def test_the_caller_of_a_sample_of_rows_pays_for_that_of_the_whole_table_too(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rows = (AllowedValues("owner", frozenset({"ann"}), frozenset()),)
    async with scripted(monkeypatch, usual) as (_at, made, schema):
        payer = Charged()
        assert await made.describe(schema, "things", "if_stale", rows, payer=payer) is not None
        assert len(payer.took) == 2 * SEGMENTS


async def test_samples_are_counted_by_who_pays(monkeypatch: pytest.MonkeyPatch) -> None:
    tally = MeteredTally()
    async with scripted(monkeypatch, usual, tally) as (_at, made, schema):
        await made.describe(schema, "things", "if_stale", payer=Charged())
        for _ in range(2):
            await made.describe(schema, "things", "force")
    for payer, taken in (("caller", SEGMENTS), ("service", 2 * SEGMENTS)):
        assert tallied(tally, "mcp_sample_responses_total", payer=payer) == taken
        assert tallied(tally, "mcp_sample_items_total", payer=payer) == taken * ITEMS["Count"]
        assert tallied(tally, "mcp_sample_read_units_total", payer=payer) == taken * 0.5


async def test_samples_and_searches_are_read_at_the_pace_of_their_table(monkeypatch: pytest.MonkeyPatch) -> None:
    time, slept = [100.0], list[float]()

    async def sleep(seconds: float) -> None:
        slept.append(seconds)
        time[0] += seconds

    def script(operation: str, request: Body) -> Answer:
        found_none = {"Items": [], "Count": 0, "ScannedCount": 1}
        return Answer(found_none) if "FilterExpression" in request else usual(operation)

    async with scripted(monkeypatch, script, read_units_per_second=2.0) as (_at, made, schema):
        pace = Pace(schema.read_units_per_second, clock=lambda: time[0], sleep=sleep)
        monkeypatch.setattr(Paces, "of", lambda *_: pace)
        await made.describe(schema, "things", "if_stale")
        assert not slept  # eight places at once, for half a unit each
        await made.probe(schema, "things", "gift", unpaid)
        assert sum(slept) == pytest.approx(SEGMENTS * 0.5 / 2.0)
        await made.describe(schema, "things", "force")
        assert sum(slept) == pytest.approx(2 * SEGMENTS * 0.5 / 2.0)


async def test_a_search_pays_for_answers_that_cannot_be_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """DynamoDB has charged for them as for those that come in their place."""
    async with scripted(monkeypatch, usual) as (at, made, schema):
        await made.describe(schema, "things", "if_stale")
        damaged = iter([Answer({}), error("InternalServerError", 500)] * (SEGMENTS // 2))
        found = {"Items": [{"pk": {"S": "a"}, "gift": {"S": "x"}}], "Count": 1, "ScannedCount": 1}
        at.script = lambda *_: next(damaged, Answer(found))
        took: list[Consumption] = []
        assert await made.probe(schema, "things", "gift", took.append)
        assert sum(one.read_units for one in took) == 2 * SEGMENTS * 0.5


async def test_a_throttled_sample_slows_its_table_down_and_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    refused = iter([error("ProvisionedThroughputExceededException")] * SEGMENTS)

    def script(operation: str, _request: Body) -> Answer:
        return next(refused, usual(operation)) if operation == "scan" else usual(operation)

    pace = Pace()
    monkeypatch.setattr(Paces, "of", lambda *_: pace)
    async with scripted(monkeypatch, script) as (_at, made, schema):
        assert await made.describe(schema, "things", "if_stale") is not None
        assert pace.at_once < SEGMENTS


@pytest.mark.parametrize(("rate", "limit"), [(None, 100), (1000.0, 100), (16.0, 20), (0.1, 1)])
async def test_a_sample_takes_up_a_table_for_seconds_at_most(
    rate: float | None, limit: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    facts = FACTS | {"ItemCount": 1000, "TableSizeBytes": 4_096_000}

    def script(operation: str, _request: Body) -> Answer:
        return Answer({"Table": facts}) if operation == "describetable" else usual(operation)

    async with scripted(monkeypatch, script, read_units_per_second=rate) as (at, made, schema):
        await made.describe(schema, "things", "if_stale")
        assert [request["Limit"] for operation, request in at.requests if operation == "scan"] == [limit] * SEGMENTS


async def test_descriptions_that_hang_hold_up_neither_other_schemas_nor_statements(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A listing has many of them under way, and each may take as long as a load."""

    def script(operation: str, request: Body) -> Answer | None:
        return usual(operation, request) if request["TableName"] == "things" else None

    places = catalog.PARALLEL_DESCRIPTIONS
    many = [f"slow{number}" for number in range(8 * places)]
    async with scripted(monkeypatch, script) as (at, made, schema):
        listing = asyncio.create_task(made.summaries(schema, many, "if_stale"))
        await at.wait_until(lambda: len(at.requests) == places)
        async with asyncio.timeout(catalog.LOAD_SECONDS / 2):
            assert await made.describe(schema, "things", "if_stale") is not None
            statements = [asyncio.create_task(made.describe(schema, name, "if_stale")) for name in many]
            await at.wait_until(lambda: hanging(at) == 2 * places)
            other = replace(schema, name="other", tenant="another")
            assert await made.describe(other, "things", "if_stale") is not None
            assert len((await made.summaries(other, ["things"], "if_stale")).tables) == 1
        assert hanging(at) == 2 * places
        for task in (listing, *statements):
            task.cancel()


def hanging(at: Endpoint) -> int:
    """How many requests are about the tables that do not answer."""
    return sum(request["TableName"] != "things" for _operation, request in at.requests)


async def test_a_search_for_an_attribute_that_is_cut_short_counts_as_none(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two look for it at once; the first gives up, and the second finds it."""
    found = {"Items": [{"pk": {"S": "a"}, "gift": {"S": "x"}}], "Count": 1, "ScannedCount": 1}
    async with scripted(monkeypatch, usual) as (at, made, schema):
        assert await made.describe(schema, "things", "if_stale") is not None
        at.script = lambda *_: None
        took: list[Consumption] = []
        callers = [asyncio.create_task(made.probe(schema, "things", "gift", took.append)) for _ in range(2)]
        async with asyncio.timeout(30):
            await at.wait_until(lambda: len(at.requests) == 1 + 2 * SEGMENTS)
            at.script = lambda *_: Answer(found)
            callers[0].cancel()
            await at.wait_until(lambda: at.dropped == SEGMENTS)
            assert await callers[1]
        assert [one.scanned for one in took] == [1] * SEGMENTS
