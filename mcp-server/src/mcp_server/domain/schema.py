"""What is known of the data: named connections, their tables, columns, keys and types."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from enum import StrEnum
from typing import Literal

from mcp_server.domain.distribution import Distribution
from mcp_server.domain.instants import EpochUnit
from mcp_server.domain.keywords import KEYWORDS
from mcp_server.domain.names import fold, quoted
from mcp_server.domain.restriction import Restriction, Rows, Rule
from mcp_server.domain.virtual_table import VirtualTable


class AttributeType(StrEnum):
    """DynamoDB's data type descriptors (API reference, AttributeValue)."""

    STRING = "S"
    NUMBER = "N"
    BINARY = "B"
    BOOLEAN = "BOOL"
    NULL = "NULL"
    MAP = "M"
    LIST = "L"
    STRING_SET = "SS"
    NUMBER_SET = "NS"
    BINARY_SET = "BS"


class TypeKind(StrEnum):
    """The SQL types that a column can have."""

    BOOLEAN = "BOOLEAN"
    BIGINT = "BIGINT"
    DECIMAL = "DECIMAL"
    DOUBLE = "DOUBLE"
    VARCHAR = "VARCHAR"
    DATE = "DATE"
    TIMESTAMPTZ = "TIMESTAMP WITH TIME ZONE"
    BLOB = "BLOB"
    JSON = "JSON"
    LIST = "LIST"
    STRUCT = "STRUCT"


@dataclass(frozen=True, slots=True)
class ColumnType:
    """A column's SQL type.

    `scale` belongs to DECIMAL (its precision is always 38), `element` to LIST, `fields` to STRUCT. A TIMESTAMPTZ is
    stored as numbers of a `unit` since 1970, or without one as ISO 8601 texts.
    """

    kind: TypeKind
    scale: int | None = None
    element: "ColumnType | None" = None
    fields: "tuple[tuple[str, ColumnType], ...]" = ()
    unit: EpochUnit | None = None

    @property
    def sql(self) -> str:
        """The type as DuckDB writes it: `BIGINT`, `DECIMAL(38,2)`, `VARCHAR[]`, `STRUCT(city VARCHAR)`."""
        if self.scale is None and self.element is None and self.kind is not TypeKind.STRUCT:
            return str(self.kind)
        if self.kind is TypeKind.DECIMAL:
            return f"DECIMAL(38,{self.scale})"
        if self.kind is TypeKind.LIST and self.element is not None:
            return f"{self.element.sql}[]"
        return f"STRUCT({', '.join(f'{_field(name)} {type_.sql}' for name, type_ in self.fields)})"


def _field(name: str) -> str:
    """A field's name as DuckDB writes it in a type: it quotes keywords also where they could do without."""
    return f'"{name}"' if fold(name) in KEYWORDS else quoted(name)


Path = tuple[str | None, ...]
"""From a column to parts of it: names of fields as they are stored, None for any place of a list."""


def written(path: Path) -> str:
    """A path as it follows a column's name: `.city`, `[].sku`."""
    return "".join("[]" if step is None else f".{quoted(step)}" for step in path)


@dataclass(frozen=True, slots=True)
class PartExamples:
    """The different texts that a sample held in a part of a column, which are few."""

    path: Path
    values: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class RarePart:
    """A field that few of the sampled maps have in which it may be, and the share of them that do."""

    path: Path
    presence: float


@dataclass(frozen=True, slots=True)
class Examples:
    """What a sample held in a column: its different values if they are few, the least and the greatest, their form.

    Of maps and lists there is only what some of their `parts` hold, and which are `rare`. Of texts, `shape` is how all
    are written that are written alike (domain/text_shape.py), `one_case` the case of all letters where they have but
    one.
    """

    values: tuple[str, ...] = ()
    low: str | None = None
    high: str | None = None
    form: str | None = None
    parts: tuple[PartExamples, ...] = ()
    rare: tuple[RarePart, ...] = ()
    shape: str | None = None
    one_case: Literal["lower", "upper"] | None = None

    def of(self, path: Path) -> tuple[str, ...]:
        """The values of the column, or of a part; none where they are not known."""
        if not path:
            return self.values
        return next((part.values for part in self.parts if part.path == path), ())


@dataclass(frozen=True, slots=True)
class Column:
    """A top-level attribute seen as a column.

    `attribute_types` are the descriptors seen in it, NULL apart from the rest. A column seen with one descriptor has
    that descriptor's type; one seen with several is VARCHAR and holds each value's text. `presence` is the share of
    sampled items that have the attribute, 0 to 1. `nullable` is False only for keys and where an override says so.
    `examples` are for people, and decide nothing; `spread` is for estimates: it decides how rows are read, never which.
    """

    name: str
    type: ColumnType
    attribute_types: frozenset[AttributeType]
    nullable: bool = True
    presence: float = 1.0
    notes: tuple[str, ...] = ()
    examples: Examples | None = field(default=None, compare=False)
    spread: Distribution[str] | Distribution[Decimal] | None = field(default=None, compare=False, repr=False)


def as_document(column: Column) -> Column:
    """A column of maps or lists that has no shape; any other as it is."""
    if column.type.kind not in (TypeKind.STRUCT, TypeKind.LIST):
        return column
    if not column.attribute_types <= {AttributeType.MAP, AttributeType.LIST}:
        return column
    return replace(column, type=ColumnType(TypeKind.JSON))


DOCUMENT_COLUMN = "_doc"
"""The whole item as JSON. Not part of `*`; read only when named, so that no attribute is out of reach."""


DOCUMENT = Column(DOCUMENT_COLUMN, ColumnType(TypeKind.JSON), frozenset(), nullable=False)
"""The document column, as a relation carries it when a query names it."""


@dataclass(frozen=True, slots=True)
class KeyAttribute:
    """One attribute of a primary or index key; its type is S, N or B."""

    name: str
    type: AttributeType


@dataclass(frozen=True, slots=True)
class Index:
    """A secondary index. `projected` is None when it projects every attribute.

    `partition_items` is how many items share a partition key on average, None where nothing tells.
    """

    name: str
    kind: str  # "GSI" or "LSI"
    hash_keys: tuple[KeyAttribute, ...]
    range_keys: tuple[KeyAttribute, ...]
    projected: frozenset[str] | None
    active: bool = True
    partition_items: float | None = None


@dataclass(frozen=True, slots=True)
class Table:
    """A table as the catalogue knows it. `item_count` and `size_bytes` are DescribeTable's, hours old.

    `refreshed_at` is in seconds since the epoch, `partition_items` as an index has it. One that somebody may see
    only in part says so in `restriction`, and is part of the `whole`, whose columns are those of the `rows` that are
    there. A `virtual` table has another `physical_name`; `own_share` is the share of the sampled items that
    are its own, None where that is not known or not told.
    """

    schema: str
    name: str
    physical_name: str
    hash_key: KeyAttribute
    range_key: KeyAttribute | None
    indexes: tuple[Index, ...]
    columns: tuple[Column, ...]
    item_count: int
    size_bytes: int
    refreshed_at: float
    partition_items: float | None = None
    rows: Rows = ()
    restriction: Restriction | None = None
    whole: "Table | None" = None
    virtual: VirtualTable | None = None
    own_share: float | None = None

    def column(self, name: str) -> Column | None:
        """The column of that exact name."""
        for column in self.columns:
            if column.name == name:
                return column
        return None

    @property
    def is_partial(self) -> bool:
        """Whether only some of the items that are read are there for the caller."""
        return self.virtual is not None or self.hides_rows

    @property
    def hides_rows(self) -> bool:
        """Whether a rule keeps some of the items from the caller."""
        return self.restriction is not None and bool(self.restriction.rows)

    @property
    def key(self) -> tuple[KeyAttribute, ...]:
        """The primary key's attributes, the partition key first."""
        return (self.hash_key,) if self.range_key is None else (self.hash_key, self.range_key)


@dataclass(frozen=True, slots=True)
class Override:
    """What the schemas file declares of one column, stronger than what sampling finds."""

    type: ColumnType | None = None
    not_null: bool = False


@dataclass(frozen=True, slots=True)
class Role:
    """A role of AWS that may read tables of another account, and the external id by which its owner knows us."""

    arn: str
    external_id: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Schema:
    """A named connection to the DynamoDB tables of one account and region.

    `tables` is the allow-list of physical names, None for every table; `overrides` maps table, then column; `rules`
    maps the physical name of a table, `virtual_tables` the name. `read_units_per_second` bounds each table. Without a
    `role`, the server reads as itself.
    """

    name: str
    tenant: str
    region: str
    endpoint_url: str | None = None
    tables: frozenset[str] | None = None
    active: bool = True
    overrides: Mapping[str, Mapping[str, Override]] = field(default_factory=dict)
    rules: Mapping[str, tuple[Rule, ...]] = field(default_factory=dict)
    virtual_tables: Mapping[str, VirtualTable] = field(default_factory=dict)
    read_units_per_second: float | None = None
    role: Role | None = None

    def shows(self, table: str) -> bool:
        """Whether there may be a table of that name, real or virtual."""
        return self.tables is None or table in self.tables or table in self.virtual_tables
