"""Everything that a caller can send, made up at random of names and values: its own, guessed ones, and nearly right."""

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tests.mcp_server.isolation.forms import CONDITIONS, EXPRESSIONS, STATEMENTS
from tests.mcp_server.isolation.world import (
    ACME,
    ANN,
    ANNEX,
    ASLEEP,
    CUSTOMERS,
    ORDERS,
    PARTS,
    PEOPLE,
    SHARED,
    SHOP,
    SOURCE,
    World,
    by_kind,
    is_name,
)
from tests.support.mcp_wire import ERAS, MODERN, Era

TEMPLATE = "dynamosql://schemas/{schema}/tables/{table}"


@dataclass(frozen=True, slots=True)
class Request:
    """One JSON-RPC request; an argument `@bob` stands for the last cursor that Bob was given, `#bob` for a state."""

    era: Era
    method: str
    params: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Words:
    """What somebody makes requests of: tables with their columns, as SQL writes them, schemas, values."""

    tables: Mapping[str, str]
    schemas: Sequence[str]
    values: Sequence[str]
    guesses: Mapping[str, Sequence[str]]
    """Names and values of others, by what they are."""


PEOPLES = "pk owner email phone salary profile photo nick level place"
SHAREDS = "pk tenant kind amount detail remark colour"


def words_of_ours(guessed_of: World) -> Words:
    """Those of one of our people, who guesses what is in a world."""
    tables = {
        ORDERS: "pk status total note mixed tags",
        PEOPLE: PEOPLES,
        f"{SHOP}.{PEOPLE}": PEOPLES,
        SHARED: SHAREDS,
        f"{SHOP}.{SHARED}": SHAREDS,
        PARTS: "tenant at v",
        CUSTOMERS: "customer_id pk sk name iban",
        f"{ANNEX}.{guessed_of.our_notes}": "pk text",
        SOURCE: "pk sk name iban",
    }
    values = ["open", "o1", "p1", "n1", "s1", "1", "2", ANN, ACME, "everybody", "Rome", "***", "town", "small"]
    values += [f"{ACME}#CUSTOMER#1", "***.com", *tables]
    return Words(tables, [SHOP, ANNEX, ASLEEP], values, guessed_of.secrets)


def words_of_theirs(world: World) -> Words:
    """Those of one of their people, who guesses what is ours."""
    (one, other), (here, there), (first, second, third) = world.their_schemas, world.their_tables, world.their_columns
    orders, shared = f"pk status total mixed {first}", f"pk tenant kind amount detail remark {first}"
    tables = {
        ORDERS: orders,
        there: orders,
        f"{one}.{ORDERS}": orders,
        f"{other}.{here}": orders,
        f"{other}.{SHARED}": shared,
        f"{other}.{PARTS}": f"tenant at v {second}",
        f"{other}.{world.their_virtual}": f"{world.their_slot} pk sk name iban {third}",
    }
    known = [*world.theirs.entries]
    return Words(tables, world.their_schemas, [*known[:: len(known) // 60], *tables], by_kind(world.ours.entries))


class Requests:
    """Makes requests up. The same dice and words make the same ones."""

    def __init__(self, dice: random.Random, words: Words, handles_of: Sequence[str]) -> None:
        self._dice, self._words, self._handles_of = dice, words, handles_of
        self._sources = ("", "")

    def request(self) -> Request:
        """One request."""
        kinds: list[tuple[int, Callable[[], tuple[str, dict[str, Any]]]]] = [
            (14, self._query),
            (3, self._described),
            (2, self._listed),
            (2, self._resource),
            (2, self._prompt),
            (2, self._completion),
            (1, self._other),
        ]
        (make,) = self._dice.choices([make for _, make in kinds], [weight for weight, _ in kinds])
        method, params = make()
        return Request(self._dice.choice(ERAS), method, params)

    def statement(self) -> str:
        """One statement."""
        one = self._table()
        self._sources = one, one if self._dice.random() < 0.4 else self._table()
        return self._filled(self._dice.choice(STATEMENTS))

    def _query(self) -> tuple[str, dict[str, Any]]:
        dice = self._dice
        arguments: dict[str, Any] = {"sql": self.statement()}
        if "?" in arguments["sql"]:
            arguments["parameters"] = [self._word()] * arguments["sql"].count("?")
        if dice.random() < 0.1:
            arguments["schema_name"] = self._schema()
        if dice.random() < 0.3:
            return self._call("explain_sql", arguments)
        if dice.random() < 0.8:
            arguments["allow_full_scan"] = True
        if dice.random() < 0.3:
            arguments["max_rows"] = dice.choice([1, 2, 5])
        if dice.random() < 0.1:
            arguments["max_read_units"] = dice.choice([0.5, 1])
        if dice.random() < 0.1:
            arguments["consistent_read"] = True
        more: dict[str, Any] = {}
        if dice.random() < 0.1:
            arguments |= {"cursor": self._handle("@"), "sql": "select * from orders"}
        elif dice.random() < 0.1:
            answer = {"action": "accept", "content": {"read_it_all": True}}
            more = {"requestState": self._handle("#"), "inputResponses": {"go_on": answer}}
            arguments = {"sql": f"select * from {SHARED}"}
        return self._call("run_sql", arguments, **more)

    def _described(self) -> tuple[str, dict[str, Any]]:
        arguments: dict[str, Any] = {"table_name": self._table()}
        if self._dice.random() < 0.4:
            arguments["schema_name"] = self._schema()
        if self._dice.random() < 0.3:
            arguments["refresh"] = self._dice.choice(["force", "skip", "if_stale", "never"])
        return self._call("describe_table", arguments)

    def _listed(self) -> tuple[str, dict[str, Any]]:
        if self._dice.random() < 0.3:
            whose = self._dice.choice(["mine", "workspace"])
            return self._dice.choice([self._call("list_schemas", {}), self._call("usage", {"whose": whose})])
        arguments: dict[str, Any] = {"details": self._dice.choice(["names", "keys", "columns"])}
        if self._dice.random() < 0.6:
            arguments["schema_name"] = self._schema()
        if self._dice.random() < 0.2:
            arguments[self._word()] = self._word()
        return self._call("list_tables", arguments)

    def _resource(self) -> tuple[str, dict[str, Any]]:
        uris = [
            "dynamosql://schemas",
            "dynamosql://usage",
            f"dynamosql://schemas/{self._schema()}/tables/{self._table().split('.')[-1]}",
            f"dynamosql://{self._word()}",
            "dynamosql://reference/limitations",
        ]
        return "resources/read", {"uri": self._dice.choice(uris)}

    def _prompt(self) -> tuple[str, dict[str, Any]]:
        arguments = {"question": "Who?", "sql": self.statement()}
        if self._dice.random() < 0.7:
            arguments["table"] = self._table()
        if self._dice.random() < 0.4:
            arguments["schema"] = self._schema()
        name = self._dice.choice(["explore_data", "write_query", "optimize_query", self._word()])
        return "prompts/get", {"name": name, "arguments": arguments}

    def _completion(self) -> tuple[str, dict[str, Any]]:
        refs = [
            {"type": "ref/resource", "uri": TEMPLATE},
            {"type": "ref/prompt", "name": self._dice.choice(["write_query", "explore_data", "optimize_query"])},
        ]
        wanted = self._word()[: self._dice.choice([0, 1, 2, 4, 12])]
        argument = {"name": self._dice.choice(["schema", "table", "question"]), "value": wanted}
        given = {"schema": self._schema()} if self._dice.random() < 0.5 else {}
        context = {"arguments": given}
        return "completion/complete", {"ref": self._dice.choice(refs), "argument": argument, "context": context}

    def _other(self) -> tuple[str, dict[str, Any]]:
        others: list[tuple[str, dict[str, Any]]] = [
            *((method, {}) for method in ("tools/list", "resources/list", "resources/templates/list", "prompts/list")),
            ("tools/list", {"cursor": self._handle("@")}),
            ("tools/call", {"name": self._word(), "arguments": {}}),
            (self._word(), {}),
        ]
        return self._dice.choice(others)

    def _call(self, tool: str, arguments: dict[str, Any], **more: Any) -> tuple[str, dict[str, Any]]:
        return "tools/call", {"name": tool, "arguments": arguments, **more}

    def _filled(self, form: str) -> str:
        """A form with something in each of its braces."""
        expression = lambda: self._filled(self._dice.choice(EXPRESSIONS))  # noqa: E731
        makers: dict[str, Callable[[], str]] = {
            "e": expression,
            "f": expression,
            "p": lambda: self._filled(self._dice.choice(CONDITIONS)),
            "t": lambda: self._sources[0],
            "u": lambda: self._sources[1],
            "c": lambda: self._column(self._sources[0]),
            "d": lambda: self._column(self._dice.choice(self._sources)),
            "v": self._literal,
            "x": self._literal,
            "w": self._word,
        }
        wanted = {name: make() for name, make in makers.items() if f"{{{name}}}" in form}
        return form.format(**wanted)

    def _table(self) -> str:
        roll = self._dice.random()
        if roll < 0.85:
            return self._dice.choice([*self._words.tables])
        name = self._guess()
        return name if roll < 0.93 else f"{self._schema()}.{name}"

    def _schema(self) -> str:
        return self._dice.choice(self._words.schemas) if self._dice.random() < 0.7 else self._guess()

    def _column(self, table: str) -> str:
        roll = self._dice.random()
        if roll < 0.08 or table not in self._words.tables:
            return self._guess()
        return "_doc" if roll < 0.12 else self._dice.choice(self._words.tables[table].split())

    def _word(self) -> str:
        return self._dice.choice(self._words.values) if self._dice.random() < 0.5 else self._guess()

    def _literal(self) -> str:
        word = self._word()
        return word if word.isdecimal() and self._dice.random() < 0.7 else f"'{word}'"

    def _guess(self) -> str:
        """A name or value of others: exactly, or nearly as it is."""
        word = self._dice.choice(self._words.guesses[self._dice.choice([*self._words.guesses])])
        place = self._dice.randrange(2, len(word))
        forms = [
            word,
            word,
            word.upper(),
            f"{word}s",
            word[:place] + word[place + 1 :],
            word[:place] + "a" + word[place:],
        ]
        return self._dice.choice(forms)

    def _handle(self, mark: str) -> str:
        return mark + self._dice.choice(self._handles_of)


def look_through(words: Words, tables: Sequence[str]) -> Iterator[Request]:
    """What somebody asks who looks at all that a table holds."""
    for table in tables:
        yield call_of("describe_table", table_name=table)
        for statement in (f"select * from {table}", f"select _doc from {table}", f"select count(*) from {table}"):
            yield call_of("run_sql", sql=statement, allow_full_scan=True)
        for column in words.tables[table].split():
            for made in (column, f"cast({column} as integer)"):
                yield call_of("run_sql", sql=f"select {made} from {table} order by 1", allow_full_scan=True)


def guess_at(words: Words, tables: Sequence[str]) -> Iterator[Request]:
    """What somebody asks who tries one guess of each kind, as a value of each table, and as whatever it may name."""
    guesses = {what: found[0] for what, found in words.guesses.items()}
    for table in tables:
        columns = words.tables[table].split()
        for number, (what, guess) in enumerate(guesses.items()):
            value = f"{guess}@example.com" if what.endswith("address") else guess
            key, column = columns[0], columns[number % len(columns)]
            wanted = [key, key, column, "email"][number % 4] if "key" not in what else key
            yield call_of("run_sql", sql=f"select * from {table} where {wanted} = '{value}'", allow_full_scan=True)
            if is_name(what):
                yield call_of("explain_sql", sql=f"select {guess} from {table} where {column} > '{value}'")
    for guess in (guess for what, guess in guesses.items() if is_name(what)):
        yield from _name(guess)
    for tool in ("list_schemas", "list_tables", "usage"):
        yield call_of(tool)
    yield call_of("list_tables", details="columns")


def _name(guess: str) -> Iterator[Request]:
    """What somebody asks who takes a guess for the name of a schema, or of a table."""
    for name in (guess, guess[:-1], guess.upper(), f"{SHOP}.{guess}", f"{guess}.{guess}", f"{guess}.{ORDERS}"):
        yield call_of("describe_table", table_name=name)
        yield call_of("run_sql", sql=f"select * from {name}")
        yield call_of("explain_sql", sql=f"select {name}.pk from {ORDERS}")
    for schema in (guess, guess[:-1], guess.upper()):
        yield call_of("list_tables", schema_name=schema)
        yield call_of("describe_table", table_name=ORDERS, schema_name=schema)
        yield call_of("run_sql", sql=f"select * from {ORDERS}", schema_name=schema)
        yield Request(MODERN, "resources/read", {"uri": f"dynamosql://schemas/{schema}/tables/{ORDERS}"})
        for prompt in ("explore_data", "write_query", "optimize_query"):
            arguments = {"schema": schema, "table": ORDERS, "question": "Who?", "sql": f"select * from {ORDERS}"}
            yield Request(MODERN, "prompts/get", {"name": prompt, "arguments": arguments})
    yield Request(MODERN, "resources/read", {"uri": f"dynamosql://schemas/{SHOP}/tables/{guess}"})
    ref = {"type": "ref/resource", "uri": TEMPLATE}
    for argument, typed, given in (
        ("table", guess[:3], {}),
        ("table", "", {"schema": guess}),
        ("schema", guess[:3], {}),
        ("schema", guess, {}),
    ):
        asked = {"ref": ref, "argument": {"name": argument, "value": typed}, "context": {"arguments": given}}
        yield Request(MODERN, "completion/complete", asked)


def call_of(name: str, **arguments: Any) -> Request:
    """A call of a tool."""
    return Request(MODERN, "tools/call", {"name": name, "arguments": arguments})
