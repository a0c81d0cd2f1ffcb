"""Of maps and lists no row is lost either, whatever of them is filtered on and whichever fields are fetched."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import botocore.session
import duckdb
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, assume, example, given, settings
from hypothesis import strategies as st

from mcp_server.adapters.decoding import column_types
from mcp_server.adapters.decoding.column_types import Sample
from mcp_server.adapters.decoding.item_decoding import PageDecoder, arrow_schema
from mcp_server.domain.failures import Failure
from mcp_server.domain.schema import Table
from mcp_server.planning.access_path import plan_read
from mcp_server.planning.plan import Relation, Request
from mcp_server.ports.items import SchemaConflict
from mcp_server.sql.binding.bind import Query, bind
from mcp_server.sql.gate.parse import parse
from tests.mcp_server.planning.filter_language import compile_filter, projection, received
from tests.mcp_server.planning.typed_items import TABLE
from tests.support.dynamodb_emulators import dynoxide_serving
from tests.support.emulator import Emulator

Item = Mapping[str, Any]

_TEXTS = st.sampled_from(["", "a", "ab", "5", "é", "\U00010000"]).map(lambda text: {"S": text})
_NUMBERS = st.sampled_from(["0", "5", "-3", "9007199254740993"]).map(lambda number: {"N": number})
_DECIMALS = st.sampled_from(["0.1", "5", "-2.25"]).map(lambda number: {"N": number})
_FLAGS = st.booleans().map(lambda flag: {"BOOL": flag})
_NULL = st.just({"NULL": True})


def _map(**fields: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries({}, optional=fields).map(lambda found: {"M": found})


def _list(member: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    return st.lists(member, max_size=3).map(lambda found: {"L": found})


_GEO = _map(lat=_DECIMALS | _NULL, flag=_FLAGS)
_ADDRESS = _map(city=_TEXTS | _NULL, zip=_TEXTS | _NUMBERS, geo=_GEO | _NULL, n=_NUMBERS)
_LINES = _list(_map(sku=_TEXTS, qty=_NUMBERS) | _NULL)
_LOOSE = _map(kind=_TEXTS | _NUMBERS | _FLAGS, x=_map(y=_TEXTS) | _TEXTS | _list(_TEXTS))
_ODD = st.one_of(_TEXTS, _NUMBERS, _list(_TEXTS), _map(city=_map(name=_TEXTS), other=_TEXTS, geo=_TEXTS), _NULL)
_SAMPLED: list[Item] = [
    {
        "k": {"S": "sampled"},
        "address": {
            "M": {
                "city": {"S": "a"},
                "zip": {"S": "a"},
                "geo": {"M": {"lat": {"N": "0.25"}, "flag": {"BOOL": True}}},
                "n": {"N": "5"},
            }
        },
        "lines": {"L": [{"M": {"sku": {"S": "a"}, "qty": {"N": "1"}}}]},
        "loose": {"M": {"kind": {"S": "a"}, "Kind": {"S": "a"}}},
    }
]


def items(*, odd: bool) -> st.SearchStrategy[list[Item]]:
    """Items of the sampled shapes; odd ones also of others."""
    value = _ODD if odd else st.nothing()
    one = st.fixed_dictionaries(
        {}, optional={"address": _ADDRESS | _NULL | value, "lines": _LINES | value, "loose": _LOOSE | _NULL | value}
    )
    return st.lists(one, max_size=8).map(lambda found: [{"k": {"S": f"k{i}"}, **item} for i, item in enumerate(found)])


_TEXT_PARTS = ["address.city", "address['city']", "address.ZIP", "lines[1].sku", "lines[2]['sku']", "address->>'city'"]
_TEXT_PARTS += ["loose->>'kind'", "loose->>'$.x.y'", "struct_extract(address, 'zip')", "(address).city"]
_NUMBER_PARTS = ["address.n", "address.geo.lat", "lines[1].qty", "address['geo']['lat']"]


@st.composite
def conditions(draw: st.DrawFn, depth: int = 1) -> str:
    """A condition on parts of maps and lists, as SQL."""
    if depth and draw(st.booleans()):
        parts = [draw(conditions(depth=depth - 1)) for _ in range(2)]
        return f"{draw(st.sampled_from(['', 'NOT ']))}({draw(st.sampled_from([' AND ', ' OR '])).join(parts)})"
    if draw(st.booleans()):
        part = draw(st.sampled_from(_TEXT_PARTS))
        literals = st.sampled_from(["'a'", "'ab'", "''", "'5'", "'é'"])
        shapes = [st.sampled_from([f"({part}) LIKE 'a%'", f"({part}) LIKE '%b%'", f"starts_with({part}, 'a')"])]
    else:
        part = draw(st.sampled_from(_NUMBER_PARTS))
        literals = st.sampled_from(["0", "5", "-2.25", "0.1", "'5'"])
        shapes = [st.sampled_from(["address.geo.flag", "NOT address.geo.flag", "address.geo.flag IS NOT TRUE"])]
    operator = st.sampled_from(["=", "<>", "<", "<=", ">", ">=", "IS DISTINCT FROM"])
    shapes += [
        st.builds("({}) {} {}".format, st.just(part), operator, literals),
        st.builds("({}) BETWEEN {} AND {}".format, st.just(part), literals, literals),
        st.builds("({}) IN ({}, {})".format, st.just(part), literals, literals | st.just("NULL")),
        st.sampled_from([f"({part}) IS NULL", f"({part}) IS NOT NULL", "address IS NULL", "address.geo IS NULL"]),
        st.sampled_from(["len(lines) = 1", "lines IS NOT NULL", "address.geo IS NOT NULL", "lines[2] IS NULL"]),
        st.sampled_from(["address->'city' = '\"a\"'", "(address->'city') IS NULL", "(address->'geo'->>'lat') = '0.1'"]),
        st.sampled_from(["(address->'city')::VARCHAR = 'a'", "(address->'geo').lat = 5", "(loose->'x'->>'y') = 'a'"]),
    ]
    condition: str = draw(st.one_of(*shapes))
    return condition


def table_of(sampled: list[Item]) -> Table:
    """The table that such a sample tells of."""
    columns = []
    for name in ("k", "address", "lines", "loose"):
        sample = Sample()
        for item in sampled:
            if name in item:
                sample.add(item[name])
        columns.append(column_types.column(name, sample, len(sampled)))
    return replace(TABLE, columns=tuple(columns))


NESTED = table_of(_SAMPLED)


def _bound(table: Table, condition: str) -> Query:
    statement = parse(f"SELECT k FROM t WHERE {condition}", None)
    return bind(statement, "demo", dict.fromkeys(statement.tables, table))


def _keys(
    engine: duckdb.DuckDBPyConnection, query: Query, relation: Relation, found: list[Item], request: Request
) -> set[str]:
    """The keys that the query selects of those items. Raises SchemaConflict, duckdb.Error."""
    sent = list(map(projection(request), found))
    decoder = PageDecoder(relation, {})
    batches = [decoder.decode(json.dumps(sent).encode(), len(sent))] if sent else []
    engine.register("r0", pa.Table.from_batches(batches, arrow_schema(relation)))
    return {key for (key,) in engine.execute(query.statement).fetchall()}


def _answers(engine: duckdb.DuckDBPyConnection, condition: str, stored: list[Item], *, pushed: bool) -> set[str]:
    """What the condition selects, once types are as wide as what is fetched needs. Raises duckdb.Error, Failure."""
    table = NESTED
    for _ in range(8):
        query = _bound(table, condition)
        (relation,) = query.relations
        (request,) = plan_read(relation, consistent=False).requests
        found = received([request], stored) if pushed else stored
        try:
            return _keys(engine, query, relation, list(found), request)
        except SchemaConflict as conflict:
            table = conflict.table
    raise AssertionError("the types are never wide enough")


@pytest.fixture(scope="module")
def engine() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect(config={"threads": 1}) as connection:
        connection.execute("SET arrow_lossless_conversion = true")
        yield connection


@pytest.mark.slow
@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(stored=items(odd=False) | items(odd=True), condition=conditions())
@example([{"k": {"S": "k0"}, "address": {"S": "a"}}], "address.city IS NULL")
@example([{"k": {"S": "k0"}, "address": {"M": {"city": {"N": "5"}}}}], "address.city = '5'")
@example([{"k": {"S": "k0"}, "address": {"M": {"geo": {"S": "x"}}}}], "address.geo.lat <> 1")
def test_every_matching_item_is_received(engine: duckdb.DuckDBPyConnection, stored: list[Item], condition: str) -> None:
    try:
        wanted = _answers(engine, condition, stored, pushed=False)
    except (duckdb.Error, Failure):
        assume(False)
    assert _answers(engine, condition, stored, pushed=True) == wanted


@pytest.mark.parametrize(
    ("condition", "filter_", "projection"),
    [
        (
            "address.city = 'a'",
            "((address.city = :v1 OR attribute_exists(address.city) AND NOT attribute_type(address.city, :v2))"
            " OR attribute_exists(address) AND NOT attribute_type(address, :v0))",
            ["k", "address"],
        ),
        ("address.CITY IS NULL", "(attribute_not_exists(address.city) OR attribute_type(address.city, :v1))", None),
        ("lines[2].qty IS NULL", "(attribute_not_exists(lines[1].qty) OR attribute_type(lines[1].qty, :v2))", None),
        (
            "(loose->>'kind') IS NOT NULL",
            "(attribute_exists(loose.kind) OR attribute_exists(loose) AND NOT attribute_type(loose, :v0))",
            ["k", "loose"],
        ),
        ("address.geo.flag IS NULL AND address.n IS NULL", None, ["k", "address"]),
        ("address.city IS NULL AND address IS NOT NULL", None, ["k", "address"]),
        ("address->'geo'->>'lat' = '1'", "", ["k", "address"]),
        ("lower(address.city) = 'a'", "", ["k", "address"]),
        ("lines[0].sku = 'a'", "", ["k", "lines"]),
        ("lines[-1].sku = 'a'", "", ["k", "lines"]),
        ("address.city = 5 OR address.n = 1", "", None),
    ],
)
def test_what_is_pushed_and_fetched(condition: str, filter_: str | None, projection: list[str] | None) -> None:
    (request,) = plan_read(_bound(NESTED, condition).relations[0], consistent=False).requests
    names = request.arguments["ExpressionAttributeNames"]

    def spelt(expression: str) -> str:
        for placeholder in sorted(names, key=len, reverse=True):
            expression = expression.replace(placeholder, names[placeholder])
        return expression

    if filter_ is not None:
        assert spelt(request.arguments.get("FilterExpression", "")) == filter_
    if projection is not None:
        assert spelt(request.arguments["ProjectionExpression"]).split(", ") == projection


@pytest.fixture(scope="module", params=["ministack", "dynoxide"])
def database(request: pytest.FixtureRequest, session_directory: Path) -> Iterator[Emulator]:
    emulator: Emulator = request.getfixturevalue("emulator")  # sets the credentials
    if request.param == "ministack":
        yield emulator
        return
    with dynoxide_serving(session_directory / "dynoxide-nested") as emulator:
        yield emulator


@pytest.mark.slow
def test_dynamodb_does_what_is_believed_of_it(database: Emulator) -> None:
    client = botocore.session.get_session().create_client(
        "dynamodb", endpoint_url=database.endpoint_url, region_name=database.region
    )
    name = "nested_paths"
    client.create_table(
        TableName=name,
        BillingMode="PAY_PER_REQUEST",
        KeySchema=[{"AttributeName": "k", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "k", "AttributeType": "S"}],
    )
    for item in STORED:
        client.put_item(TableName=name, Item=item)
    for condition in EMULATED:
        (one,) = plan_read(_bound(NESTED, condition).relations[0], consistent=False).requests
        arguments = dict(one.arguments)
        passes = compile_filter(
            arguments.get("FilterExpression"),
            arguments.get("ExpressionAttributeNames", {}),
            arguments.get("ExpressionAttributeValues", {}),
        )
        answer = client.scan(TableName=name, **arguments)
        expected = [projection(one)(item) for item in STORED if passes(item)]
        assert sorted(map(_text, answer["Items"])) == sorted(map(_text, expected)), condition
    client.close()


def _text(item: Item) -> str:
    return json.dumps(item, sort_keys=True)


_ODD_VALUES: list[dict[str, Any]] = [{"S": "a"}, {"N": "5"}, {"NULL": True}]


def _stored(number: int, value: Any) -> Item:
    return {"k": {"S": f"k{number}"}, **value}


_NAMES = ("address", "lines", "loose")
_EMPTY: list[dict[str, Any]] = [{"M": {}}, {"L": []}, {"L": [{"S": "a"}]}]
_GEO_VALUE = {"M": {"lat": {"N": "5"}, "flag": {"BOOL": False}, "x": {"S": "y"}}}
STORED = [
    _stored(number, value)
    for number, value in enumerate(
        [
            {},
            *({name: odd} for name in _NAMES for odd in (*_ODD_VALUES, *_EMPTY)),
            *(
                {"address": {"M": {name: odd}}}
                for name in ("city", "geo", "n", "zip")
                for odd in (*_ODD_VALUES, _GEO_VALUE)
            ),
            *({"loose": {"M": {"kind": odd, "x": {"M": {"y": odd}}}}} for odd in _ODD_VALUES),
            *({"lines": {"L": [{"M": {"sku": odd, "qty": {"N": "5"}}}] * 2}} for odd in _ODD_VALUES),
            {"address": {"M": {"city": {"S": "ab"}, "geo": _GEO_VALUE}}},
        ]
    )
]
EMULATED = [
    f"({part}) {rest}"
    for parts, rests in (
        (
            _TEXT_PARTS,
            ["= 'a'", "<> 'a'", "> 'a'", "LIKE '%b%'", "LIKE 'a%'", "IS NULL", "IS NOT NULL", "IN ('a', 'ab')"],
        ),
        (_NUMBER_PARTS, ["= 5", "<> 5", "BETWEEN 0 AND 5", "< 0.1", "IS NULL", "IN (5, 0.1)"]),
        (["address.geo.flag"], ["IS TRUE", "= FALSE", "IS NULL"]),
    )
    for part in parts
    for rest in rests
]
