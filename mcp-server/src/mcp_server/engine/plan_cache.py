"""Plans of statements that were planned before, for as long as the catalogue holds the same tables.

A plan is found under all that planning sees: the text, in one form for all spellings of a statement
(`sql/canonical_text.py`), each parameter with its type, the schema of unqualified names, and the terms on which it is
read; it counts while every table that it was made from is the very object that the catalogue hands out now. Whether a
principal may run it is decided anew on every call, and only who sends a parameter's value can find what was planned for
it. A statement that is sent with ever other values has one plan with slots for them, and how it is read, with what that
is expected to take, is chosen for the values of each call; but for reads of primary keys that parameters name, which
all values lead to. The plan of one that asks for the time is that of an instant, and is not kept.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Final, Literal

from mcp_server.domain.restriction import Restriction
from mcp_server.domain.schema import Table
from mcp_server.engine.bounded import Bounded
from mcp_server.engine.limits import PAGE_ROWS
from mcp_server.engine.literals import Varying
from mcp_server.engine.plan_slots import Template
from mcp_server.engine.slot_values import Rank, kind_of, ranks
from mcp_server.planning.access_path import full_scan_of
from mcp_server.planning.estimates import NOTHING
from mcp_server.planning.expectations import filling, stopping
from mcp_server.planning.plan import Read, Terms
from mcp_server.planning.requests import LARGEST_SMALL_PAGE
from mcp_server.planning.streaming import Stream, resumable
from mcp_server.sql.binding.bind import Query
from mcp_server.sql.canonical_text import MARK
from mcp_server.sql.gate.parameters import Parameters, by_name
from mcp_server.sql.gate.parse import TableName
from mcp_server.sql.parameter_uses import ParameterUses
from mcp_server.sql.slots import ColumnSlots

PLANS = 1_000
PLANS_BYTES = 32 << 20
"""How many plans are kept, and about how much memory they take."""

MOST_IN_ORDER = 100_000
"""The first rows in an order that are taken one response after the other: as many as a result may have."""

STATEMENTS = 4_000
STATEMENTS_BYTES = 8 << 20
"""The same of texts whose tables are known, and of texts whose canonical ones are."""

_BYTES_A_CHARACTER = 50
"""What a plan takes for each character of the statement as it was sent and as it runs: 38 to 49 in TPC-H."""
_LEAST_BYTES = 2_000

_Typed = tuple[object, ...]


@dataclass(frozen=True, slots=True)
class Plan:
    """A bound statement and how each of its relations is read."""

    query: Query
    reads: tuple[Read, ...]

    def large_scans(self, max_rows: int = PAGE_ROWS) -> tuple[Read, ...]:
        """The scans that have to be asked for: those of large tables that are not likely to end early."""
        large = [read for read in self.reads if full_scan_of(read)]
        return tuple(read for read in self.begun(large, max_rows) if read.at_most is None) if large else ()

    @property
    def large_tables(self) -> tuple[str, ...]:
        """The tables whose scan has to be asked for."""
        return tuple(dict.fromkeys(read.relation.table.name for read in self.large_scans()))

    def likely(self, reads: Iterable[Read]) -> tuple[Read, ...]:
        """The reads, as they are expected, with what is likely where reading ends early."""
        if (first := self.first_rows()) is not None:
            _, _, rows = first
            return tuple(filling(read, rows) for read in reads)
        return tuple(map(stopping, reads))

    def begun(self, reads: Iterable[Read], max_rows: int) -> tuple[Read, ...]:
        """The reads with what is likely for the first page, where they are made by the page.

        A large page may be cut where its scan ends unasked, so it is judged by `PAGE_ROWS` at most.
        """
        if self.resumable() is None:
            return self.likely(reads)
        return tuple(filling(read, min(max_rows, PAGE_ROWS)) for read in reads)

    def resumable(self, requests: int | None = None) -> tuple[Read, Stream] | None:
        """The one read, as it stops when a page is full, and what is made of its items; None where all is read.

        A read that goes on has as many `requests` as it was begun with.
        """
        stream = self.query.stream
        if stream is None or stream.limit is not None:
            return None
        read = resumable(self.reads[0], stream, requests=requests)
        return None if read is None else (read, stream)

    def first_rows(self, requests: int | None = None) -> tuple[Read, Stream, int] | None:
        """The one read, what is made of its items, and after how many rows it stops; None where all is read.

        A read that goes on has as many `requests` as it was begun with.
        """
        stream = self.query.stream
        # Without an order DuckDB ends the read with its LIMIT; in one, it would take all of the rows.
        most = LARGEST_SMALL_PAGE if stream is None or stream.order is None else MOST_IN_ORDER
        if stream is None or stream.limit is None or stream.limit > most:
            return None
        read = resumable(self.reads[0], stream, requests=requests)
        return None if read is None else (read, stream, stream.limit)

    @property
    def goes_on(self) -> bool:
        """Whether a scan that ends unasked gives a page, after which a cursor goes on."""
        first = self.first_rows()
        return self.resumable() is not None or (first is not None and first[1].goes_on)


@dataclass(frozen=True, slots=True)
class Unslotted:
    """The plan of a statement with slots depends, by the tables as they are, on what fills them; not on `slots`."""

    slots: tuple[ColumnSlots, ...] = ()


class Unrepeated:
    """A statement with slots that came once with these values of its other parameters."""


Kept = Plan | Template[Plan] | Unslotted | Unrepeated
"""What is kept of a plan: itself, or of one with slots what gives it."""


@dataclass(frozen=True, slots=True)
class Spelling:
    """The text under which a statement is kept, and the same without its literals, if it has any that may be slots.

    `uses` are those of its parameters, if one is used twice: it is kept under the text of these.
    """

    text: str
    without_literals: Varying | None = None
    uses: ParameterUses | None = None

    def with_uses_apart(self, parameters: Parameters) -> Varying | None:
        """The statement with a value for each use of a parameter; None where its parameters are as they are sent."""
        values = self.uses.values(parameters) if self.uses is not None else None
        if self.uses is None or values is None:
            return None
        return Varying(MARK + self.uses.text, values, parameters=self.uses.names)


@dataclass(frozen=True, slots=True)
class Sent:
    """A statement as it was sent, its values with their types: 1, 1.0 and true are three values.

    `text` is the one that stands for all its spellings; the values are parameters, or literals where it has gaps for
    them. `slots` are those whose values are left open, but for their kind and their order.
    """

    text: str
    values: _Typed
    slots: tuple[ColumnSlots, ...] = ()

    @property
    def is_partly_open(self) -> bool:
        """Whether some of its values are slots, and others are not."""
        return 0 < sum(len(column.names) for column in self.slots) < len(self.values) - 1


@dataclass(frozen=True, slots=True)
class Asked:
    """All that planning sees, but the tables; of these, what is kept from the caller."""

    sent: Sent
    schema: str
    restrictions: frozenset[tuple[TableName, Restriction]]
    terms: Terms


@dataclass(frozen=True, slots=True)
class _Planned:
    tables: Mapping[TableName, Table]
    plan: Kept


def same_plan(one: Plan, other: Plan) -> bool:
    """Whether two plans run alike, and warn of the same. What they are estimated to take may differ."""
    return (
        list(map(_as_it_runs, one.reads)) == list(map(_as_it_runs, other.reads))
        and one.query.relations == other.query.relations
        and one.query.footprint == other.query.footprint
        and one.query.stream == other.query.stream
        and one.query.direct == other.query.direct
        and one.query.number == other.query.number
        and one.query.statement == other.query.statement
        and one.query.stream == other.query.stream
        and one.query.normalized_sql == other.query.normalized_sql
    )


def _as_it_runs(read: Read) -> Read:
    return replace(read, estimate=NOTHING, alternatives=(), branches=tuple(map(_as_it_runs, read.branches)))


UNTRIED: Final = "untried"
"""The slots of a statement that was sent once: whether it has some is found out when it comes again."""

_Slots = tuple[ColumnSlots, ...] | Literal["untried"]


def sent(text: str, parameters: Parameters, slots: tuple[ColumnSlots, ...] = ()) -> Sent | None:
    """A statement with its values as a key; None where a parameter is none that planning takes.

    Slots are left open, but for those of a column for which two values are equal.
    """
    if parameters is None:
        return Sent(text, ())
    values = by_name(parameters)
    opened: list[ColumnSlots] = []
    ranked: dict[str, Rank] = {}
    for column in slots:
        order = ranks(column, values)
        if order is not None:
            opened.append(column)
            ranked |= order
    typed: list[object] = [isinstance(parameters, Mapping)]
    for name, value in sorted(values.items()):
        if value is not None and not isinstance(value, str | int | float):
            return None
        known = (kind_of(value), ranked[name]) if name in ranked else (type(value), value)
        typed.append((name, *known))
    return Sent(text, tuple(typed), tuple(opened))


def asked(statement: Sent, schema: str, tables: Mapping[TableName, Table], terms: Terms) -> Asked:
    """What is asked of planning: callers who see tables differently do not drive out each other's plans."""
    kept = frozenset((name, table.restriction) for name, table in tables.items() if table.restriction is not None)
    return Asked(statement, schema, kept, terms)


class PlanCache:
    """Keeps plans and templates of plans, which tables a text names, and which of its values are slots."""

    def __init__(self) -> None:
        self._spellings: Bounded[str, Spelling] = Bounded(entries=STATEMENTS, weight=STATEMENTS_BYTES)
        self._tables: Bounded[Sent, frozenset[TableName]] = Bounded(entries=STATEMENTS, weight=STATEMENTS_BYTES)
        self._slots: Bounded[Sent, _Slots] = Bounded(entries=STATEMENTS, weight=STATEMENTS_BYTES)
        self._plans: Bounded[Asked, _Planned] = Bounded(entries=PLANS, weight=PLANS_BYTES)

    def __len__(self) -> int:
        return len(self._plans)

    def spelling(self, sql: str) -> Spelling | None:
        """Under which texts a statement is kept, None where it was not sent in this spelling."""
        return self._spellings.get(sql)

    def keep_spelling(self, sql: str, spelling: Spelling) -> None:
        """Remembers under which texts a statement is kept."""
        varying = spelling.without_literals
        without = 0 if varying is None else 300 + 2 * len(varying.text) + 60 * len(varying.values or ())
        uses = 0 if spelling.uses is None else 300 + 2 * len(spelling.uses.text) + 60 * len(spelling.uses.names)
        self._spellings.put(sql, spelling, 350 + 2 * (len(sql) + len(spelling.text)) + without + uses)

    def tables(self, statement: Sent) -> frozenset[TableName] | None:
        """The tables that a statement names, None where it is not known to pass the gate."""
        return self._tables.get(statement)

    def keep_tables(self, statement: Sent, tables: frozenset[TableName]) -> None:
        """Remembers a statement that passed the gate."""
        self._tables.put(statement, tables, _weight(statement))

    def slots(self, text: str, values: Parameters) -> _Slots | None:
        """The slots of a statement, None where it was not sent before with values of these kinds."""
        return self._slots.get(_shape(text, values))

    def keep_slots(self, text: str, values: Parameters, slots: _Slots) -> None:
        """Remembers the slots of a statement whose values are of such types."""
        shape = _shape(text, values)
        self._slots.put(shape, slots, _weight(shape))

    def plan(self, question: Asked, tables: Mapping[TableName, Table]) -> Kept | None:
        """The plan that was made from those very tables, or what is known of the one with slots."""
        found = self._plans.get(question)
        if found is None:
            return None
        if found.tables.keys() != tables.keys() or any(found.tables[name] is not tables[name] for name in tables):
            self._plans.drop(question)
            return None
        return found.plan

    def keep_plan(
        self,
        question: Asked,
        tables: Mapping[TableName, Table],
        plan: Kept,
        characters: int,
    ) -> None:
        """Remembers a plan, and the tables that it was made from; its statement has so many characters."""
        weight = _LEAST_BYTES + _BYTES_A_CHARACTER * (len(question.sent.text) + characters)
        self._plans.put(question, _Planned(tables, plan), weight)


def _shape(text: str, parameters: Parameters) -> Sent:
    """A statement by what its slots depend on: the kinds of its values."""
    values = by_name(parameters)
    return Sent(text, tuple((name, kind_of(value) or type(value)) for name, value in sorted(values.items())))


def _weight(statement: Sent) -> int:
    values = (one[-1] for one in statement.values if isinstance(one, tuple))
    texts = sum(100 + 4 * len(one) for one in values if isinstance(one, str))
    return _LEAST_BYTES + 2 * len(statement.text) + texts
