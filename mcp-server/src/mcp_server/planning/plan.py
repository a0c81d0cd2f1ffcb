"""The shape of a plan: which relations a query reads, and how each is read from DynamoDB."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from mcp_server.domain.rejected_index import RejectedIndex
from mcp_server.domain.schema import Column, Path, Table
from mcp_server.planning.predicate import Predicate, TextPattern


@dataclass(frozen=True, slots=True)
class Conjunct:
    """One condition of the query that every useful row of a relation must meet.

    `text` is its SQL; `predicate` is None when the algebra cannot say it, or the implied weaker condition when it can
    say only that. `faithful` tells that predicate and text mean exactly the same, `never` that it is true of no row.
    Two are for estimates: of the rows that meet the predicate, about those count that meet `matched`, and those do not
    that meet `left_out`.
    """

    text: str
    predicate: Predicate | None
    faithful: bool
    never: bool = False
    matched: TextPattern | None = None
    left_out: Predicate | TextPattern | None = None


@dataclass(frozen=True, slots=True)
class Goal:
    """How many rows that meet all conditions are enough: any, or the first ones by `order` (a column's name).

    `present` tells that rows in which that column is NULL do not count, `both_ends` that as many of the last rows are
    wanted, too. `conditions` are those that any such rows meet, where it is certain which ones do (planning/direct.py).
    """

    rows: int
    order: str | None = None
    descending: bool = False
    present: bool = False
    both_ends: bool = False
    conditions: tuple[Predicate, ...] | None = None


@dataclass(frozen=True, slots=True)
class KeySource:
    """A relation whose rows name keys of another, and the columns that do."""

    relation: str
    columns: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class KeyLink:
    """Columns of a relation whose values, in every useful row, are those of a row of one of the sources."""

    columns: tuple[str, ...]
    sources: tuple[KeySource, ...]


@dataclass(frozen=True, slots=True)
class Relation:
    """One *reference* to a table in a query; a table referenced twice gives two relations.

    `name` is what the statement for the relational engine calls it; `columns` are those the query uses, in the order in
    which they are delivered, and may be empty (`SELECT count(*)`); the document column `_doc` may be among them.
    `materialise` tells that the relation may be read more than once, so it cannot be a stream. `goal` is None where
    every row may count; `links` tell which keys the rows of other relations name. `only_number` tells that the query
    wants to know no more than how many rows meet all of `conjuncts`, which are all of its conditions. `starred` tells
    that its columns are wanted as the `*` of the result, so that whole items are read, to tell what else they have.
    `as_numbers` are columns of numbers and texts, or parts of columns, that are compared with numbers; `as_maps` are
    columns of maps and texts, or parts of columns, of which fields are read as of JSON, `as_lists` those of which
    elements are. `order` is the column, if any, by which rows that are read page by page have to come. `keyed` tells
    that items are wanted with their primary keys, whatever the columns are.
    """

    name: str
    table: Table
    columns: tuple[Column, ...]
    conjuncts: tuple[Conjunct, ...]
    materialise: bool = False
    goal: Goal | None = None
    links: tuple[KeyLink, ...] = ()
    only_number: bool = False
    starred: bool = False
    as_numbers: frozenset[tuple[str, Path]] = frozenset()
    as_maps: frozenset[tuple[str, Path]] = frozenset()
    as_lists: frozenset[tuple[str, Path]] = frozenset()
    order: str | None = None
    keyed: bool = False


Operation = Literal["BatchGetItem", "Query", "Scan"]


@dataclass(frozen=True, slots=True)
class Request:
    """One DynamoDB operation, to be followed through all its pages.

    `arguments` are the API's parameters in its own names and AttributeValue notation, without the table's name and
    without paging; of BatchGetItem, the `KeysAndAttributes` of that table (at most 100 keys).
    """

    operation: Operation
    arguments: Mapping[str, Any]


Confidence = Literal["exact", "observed", "estimated", "guessed"]
"""How far an estimate can be trusted.

It follows from the statement, is what the caller's last read of the same took, follows from statistics, or there are
none.
"""


@dataclass(frozen=True, slots=True)
class Estimate:
    """What a read is expected to take, from DescribeTable's figures."""

    items: int
    pages: int
    read_units: float
    seconds: float
    confidence: Confidence = "estimated"


Access = Literal["GetItem", "Query", "Scan", "Union", "None"]
"""A way to read, in words; a `Union` is of several by key, and `None` is for when nothing has to be read."""


@dataclass(frozen=True, slots=True)
class Alternative:
    """Another way to read that would do as well, what it is expected to take, and in words why it is not taken."""

    access: Access
    index: str | None
    estimate: Estimate
    reason: str


@dataclass(frozen=True, slots=True)
class Pin:
    """How a read that goes on was begun: by which access, through which index, with which conditions on keys.

    `keys` is a digest of these. `columns` are the names of all that `*` stood for, None where there is none, or they
    are too long.
    """

    access: Access
    index: str | None
    keys: str
    columns: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class Terms:
    """On what terms a statement is read: strongly consistent, and with scans even of large tables allowed.

    With a `pin` its one table is read as that says, whatever another way would take.
    """

    consistent: bool = False
    allow_full_scan: bool = False
    pin: Pin | None = None


@dataclass(frozen=True, slots=True)
class Stage:
    """A read that waits for the rows of the link's sources: their values are its keys.

    With more than `most` different values, or where a source turns out to be large, it is read `otherwise`; where
    that takes less, too, unless `dearer` (see `plan_read`) is infinite.
    """

    link: KeyLink
    most: int
    otherwise: "Read"
    dearer: float


@dataclass(frozen=True, slots=True)
class Read:
    """How one relation is read. Conditions in `requests` are supersets: the query is applied to what they yield.

    `access` is the path in words (`None` when contradictory keys need no read), `index` the secondary index it goes
    through, `reason` one sentence on why; `rejected` are the indexes that would narrow it more, `alternatives` the
    dearer ways that were weighed. `key_condition`, `pushed_filters` and `residual_filters` are SQL for people. After
    `enough` rows reading stops; the requests, one after the other, then yield exactly rows that meet all conditions.
    With `of_each` so many of each request are read.
    With `lookup` they yield keys alone, by which the items are fetched: it has BatchGetItem's arguments but the keys.
    A read with `stage` has no requests until the values of its keys are known. One that `counts` yields no items: the
    number of those that its requests find is exactly the number of the query's rows. `at_most` is what it takes where
    it is told with less, since it is expected to end early. A `Union` makes no requests but those of its `branches`:
    reads of the same relation, whose items have their primary keys and count once, whichever of them yield them.
    """

    relation: Relation
    access: Access
    index: str | None
    reason: str
    requests: tuple[Request, ...]
    key_condition: str | None
    pushed_filters: tuple[str, ...]
    residual_filters: tuple[str, ...]
    estimate: Estimate
    consistent: bool = False
    rejected: tuple[RejectedIndex, ...] = ()
    alternatives: tuple[Alternative, ...] = ()
    enough: int | None = None
    of_each: bool = False
    lookup: Mapping[str, Any] | None = None
    stage: Stage | None = None
    counts: bool = False
    at_most: Estimate | None = None
    branches: "tuple[Read, ...]" = ()
