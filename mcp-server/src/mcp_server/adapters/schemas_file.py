"""Reads the schemas file: TOML that says which DynamoDB tables there are, under which names, and whose they are."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
    model_validator,
)
from pydantic_core import ErrorDetails, PydanticCustomError

from mcp_server.adapters.toml_file import UnreadableFile, read_toml
from mcp_server.domain.instants import EpochUnit
from mcp_server.domain.names import fold
from mcp_server.domain.restriction import Mask, Rule
from mcp_server.domain.row_values import BadRowValue, row_value
from mcp_server.domain.schema import ColumnType, Override, Role, Schema, TypeKind
from mcp_server.domain.virtual_table import BadTemplate, Template, VirtualTable
from shared_kernel import resource

_DECIMAL = re.compile(r"DECIMAL\(38,\s*(\d{1,2})\)")
_SIMPLE_TYPES = {
    kind.value: ColumnType(kind)
    for kind in (
        TypeKind.DATE,
        TypeKind.VARCHAR,
        TypeKind.BIGINT,
        TypeKind.DOUBLE,
        TypeKind.BOOLEAN,
        TypeKind.JSON,
    )
} | {"TIMESTAMPTZ": ColumnType(TypeKind.TIMESTAMPTZ)}


_PROBLEMS = {"extra_forbidden": "is not known", "model_type": "must be a table of keys"}
"""What is wrong, where pydantic's own words speak of its classes."""


class BadSchemasFile(Exception):
    """The file cannot be used. The text is one line: the file, the place in it, and the remedy."""


@dataclass(frozen=True, slots=True)
class SchemasFile:
    """The file's content: schemas in its order; `defaults` maps a tenant to the schema it marks as default."""

    schemas: tuple[Schema, ...]
    defaults: Mapping[str, str]


def _column_type(text: object) -> ColumnType:
    spelled = text.strip().upper() if isinstance(text, str) else ""
    decimal = _DECIMAL.fullmatch(spelled)
    if decimal and int(decimal[1]) <= 38:
        return ColumnType(TypeKind.DECIMAL, scale=int(decimal[1]))
    declared = _SIMPLE_TYPES.get(spelled)
    if declared is None:
        types = ", ".join(_SIMPLE_TYPES)
        raise PydanticCustomError("type", "must be one of {types}, DECIMAL(38,s)", {"types": types})
    return declared


def _url(text: str) -> str:
    try:
        resource.canonical(text)
    except resource.MalformedResource:
        raise PydanticCustomError("url", "must be an absolute http(s) URL") from None
    return text


def _template(text: object) -> Template:
    if not isinstance(text, str):
        raise PydanticCustomError("template", "must be a text such as ORDER#{order_id}")
    try:
        return Template.parse(text)
    except BadTemplate as problem:
        raise PydanticCustomError("template", str(problem)) from None


def _row_value(value: str | int) -> str | int:
    try:
        row_value(str(value))
    except BadRowValue as problem:
        raise PydanticCustomError("row", str(problem)) from None
    return value


_Text = Annotated[str, StringConstraints(pattern=r"\S")]
_Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_]{0,62}$")]
_TableName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_.-]{3,255}$")]  # API reference, TableName


# API reference of STS, AssumeRole.
_RoleArn = Annotated[str, StringConstraints(pattern=r"^arn:aws[a-z-]*:iam::[0-9]{12}:role/[!-~]+$", max_length=2048)]
_ExternalId = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_+=,.@:/-]+$", min_length=2, max_length=1224)]


class _Part(BaseModel):
    """A part of the file: no value is converted, and no unknown key is passed over."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class ColumnEntry(_Part):
    """`[schema.columns.TABLE.COLUMN]`: what is known of a column better than a sample can tell."""

    type: Annotated[ColumnType, BeforeValidator(_column_type)] | None = Field(
        default=None,
        description="The column's type: BOOLEAN, BIGINT, DOUBLE, DECIMAL(38,s), VARCHAR, DATE, TIMESTAMPTZ or JSON.",
    )
    unit: EpochUnit | None = Field(
        default=None,
        description="Of a TIMESTAMPTZ whose items hold numbers: what they count since 1970, seconds, milliseconds or "
        "microseconds. Without it they hold ISO 8601 texts.",
    )
    not_null: bool = Field(
        default=False, description="Whether every item has the attribute; then indexes with it as a key can be used."
    )

    @model_validator(mode="after")
    def _says_something(self) -> "ColumnEntry":
        if not self.model_fields_set:
            raise PydanticCustomError("empty", "must set type or not_null")
        if self.unit is not None and (self.type is None or self.type.kind is not TypeKind.TIMESTAMPTZ):
            raise PydanticCustomError("unit", "has a unit, which only a TIMESTAMPTZ has")
        return self

    def declared(self) -> Override:
        """What the entry declares."""
        return Override(self.type if self.type is None else replace(self.type, unit=self.unit), self.not_null)


class RuleEntry(_Part):
    """`[[schema.rules]]`: what is kept from those who read a table."""

    table: _TableName = Field(description="Which table it is about.")
    except_roles: list[_Text] = Field(
        default=[], description="Whose roles exempt from it: `owner`, `admin` or `member`. Programs have no role."
    )
    closed: bool = Field(default=False, description="Whether the table is not there at all.")
    hidden: list[_Text] = Field(default=[], description="Columns that are not there.")
    masked: dict[_Text, Literal["null", "redacted", "last4"]] = Field(
        default={},
        description='Columns that show something else: nothing ("null"), `***` ("redacted"), or `***` and the last '
        'four characters ("last4").',
    )
    rows: dict[_Text, Annotated[list[Annotated[_Text | int, AfterValidator(_row_value)]], Field(min_length=1)]] = Field(
        default={},
        description="Columns that decide which rows are there: those with one of the values, in which `$subject`, "
        "`$tenant` and `$client_id` stand for the caller's own.",
    )

    @model_validator(mode="after")
    def _says_something(self) -> "RuleEntry":
        parts = self.hidden or self.masked or self.rows
        if not (parts or self.closed):
            raise PydanticCustomError("empty", "must set closed, hidden, masked or rows")
        if parts and self.closed:
            raise PydanticCustomError("closed", "closes the table, which leaves nothing for hidden, masked or rows")
        return self

    def declared(self) -> Rule:
        """The rule that the entry declares."""
        return Rule(
            table=self.table,
            except_roles=frozenset(self.except_roles),
            closed=self.closed,
            hidden=frozenset(self.hidden),
            masks=tuple((name, Mask(mask)) for name, mask in self.masked.items()),
            rows=tuple((name, frozenset(map(str, values))) for name, values in self.rows.items()),
        )


class VirtualTableEntry(_Part):
    """`[[schema.virtual_tables]]`: the items of one kind in a table of many kinds."""

    name: _Name = Field(description="What SQL calls it.")
    source: _TableName = Field(description="The table whose items they are.")
    attributes: dict[_Text, Annotated[Template, BeforeValidator(_template)]] = Field(
        min_length=1,
        description="The form that each of these attributes has in those items and in no others; what stands in braces "
        "is a column.",
    )

    model_config = ConfigDict(arbitrary_types_allowed=True)

    @model_validator(mode="after")
    def _columns_are_new(self) -> "VirtualTableEntry":
        twice = {slot for template in self.attributes.values() for slot in template.slots} & self.attributes.keys()
        if twice:
            raise PydanticCustomError("slot", "names a column as an attribute, {name}", {"name": min(twice)})
        return self

    def declared(self) -> VirtualTable:
        """The virtual table that the entry declares."""
        return VirtualTable(self.name, self.source, tuple(self.attributes.items()))


class SchemaEntry(_Part):
    """`[[schema]]`: a named connection to the DynamoDB tables of one region."""

    name: _Name = Field(
        description="What SQL calls it, as in `shop.orders`: letters, digits and underscores, no digit first."
    )
    tenant: _Text = Field(description="Whose it is; a token's tenant must be the same.")
    region: _Text = Field(description="The AWS region of the tables.")
    endpoint_url: Annotated[str, AfterValidator(_url)] | None = Field(
        default=None, description="Another endpoint than AWS's own."
    )
    role_arn: _RoleArn | None = Field(
        default=None, description="The role to read the tables of another account as (STS AssumeRole)."
    )
    external_id: _ExternalId | None = Field(
        default=None, description="The external id that the role's trust policy asks for; needs `role_arn`."
    )
    tables: list[_TableName] | None = Field(default=None, description="The only tables that are shown.")
    status: Literal["active", "disabled"] = Field(
        default="active", description='"active", or "disabled": listed, but not to be queried.'
    )
    default: bool = Field(
        default=False, description="Whether unqualified names of the tenant mean this schema rather than its first one."
    )
    read_units_per_second: Annotated[float | int, Field(gt=0)] | None = Field(
        default=None,
        description=(
            "How many read units each of its tables is read with per second at most, by each process. A sample of a "
            "table counts, and has fewer items where it would take more than five seconds."
        ),
    )
    columns: dict[str, dict[str, ColumnEntry]] = Field(
        default={}, description="Declarations by table and column, as below."
    )

    virtual_tables: list[VirtualTableEntry] = Field(
        default=[], description="Tables that are the items of one kind in another one, as below."
    )
    rules: list[RuleEntry] = Field(default=[], description="What is kept from whom, as below.")

    @model_validator(mode="after")
    def _external_id_is_of_a_role(self) -> "SchemaEntry":
        if self.external_id is not None and self.role_arn is None:
            raise PydanticCustomError("role", "has an external_id without a role_arn")
        return self

    @model_validator(mode="after")
    def _rules_are_of_its_tables(self) -> "SchemaEntry":
        # A rule of a table that is misspelt would keep nothing back.
        virtual = {one.name: one.source for one in self.virtual_tables}
        known = {*(self.tables or ()), *virtual.values()}
        for table in (rule.table for rule in self.rules):
            if table in virtual:
                message = "has a rule of {table}, which is virtual; write one of the table behind it"
                raise PydanticCustomError("rule", message, {"table": table})
            if self.tables is not None and table not in known:
                raise PydanticCustomError("rule", "has a rule of {table}, which tables does not show", {"table": table})
        return self

    @model_validator(mode="after")
    def _rules_are_of_whole_attributes(self) -> "SchemaEntry":
        # Rules are applied to items as they are stored, where the parts that a virtual table shows are not yet there.
        for rule in self.rules:
            kept = {*rule.hidden, *rule.masked}
            for virtual in self.virtual_tables:
                for attribute, template in virtual.attributes.items():
                    part = next((slot for slot in template.slots if slot in kept), None)
                    if virtual.source == rule.table and part is not None:
                        message = (
                            "has a rule that keeps back {part}, which {table} takes out of {attribute}; "
                            "name that attribute, or call the part something else"
                        )
                        told = {"part": part, "table": virtual.name, "attribute": attribute}
                        raise PydanticCustomError("rule", message, told)
        return self

    @model_validator(mode="after")
    def _names_are_apart(self) -> "SchemaEntry":
        taken = [fold(name) for name in (*(self.tables or ()), *(one.name for one in self.virtual_tables))]
        twice = next((name for name in taken if taken.count(name) > 1), None)
        if twice is not None:
            raise PydanticCustomError("name", "has two tables called {name}", {"name": twice})
        return self

    def declared(self) -> Schema:
        """The schema that the entry declares."""
        return Schema(
            name=self.name,
            tenant=self.tenant,
            region=self.region,
            endpoint_url=self.endpoint_url,
            tables=None if self.tables is None else frozenset(self.tables),
            active=self.status == "active",
            read_units_per_second=self.read_units_per_second,
            role=None if self.role_arn is None else Role(self.role_arn, self.external_id),
            overrides={
                table: {name: column.declared() for name, column in columns.items()}
                for table, columns in self.columns.items()
            },
            virtual_tables={one.name: one.declared() for one in self.virtual_tables},
            rules={
                table: tuple(rule.declared() for rule in self.rules if rule.table == table)
                for table in {rule.table for rule in self.rules}
            },
        )


class _Document(_Part):
    entries: list[SchemaEntry] = Field(alias="schema", min_length=1)


def read(path: Path) -> SchemasFile:
    """The schemas in a file. Raises BadSchemasFile."""
    try:
        document = read_toml(path)
    except UnreadableFile as problem:
        raise BadSchemasFile(str(problem)) from problem
    try:
        return _file(_Document.model_validate(document).entries)
    except ValidationError as error:
        message = f"{path}: {_told(error.errors()[0], document)}"
    except _Problem as problem:
        message = f"{path}: {problem}"
    raise BadSchemasFile(message) from None


class _Problem(Exception):
    pass


def _file(entries: list[SchemaEntry]) -> SchemasFile:
    schemas: dict[str, Schema] = {}
    defaults: dict[str, str] = {}
    for entry in entries:
        # Names are found in any case, so they must differ in more than that.
        if entry.name.casefold() in schemas:
            message = f'schema "{entry.name}" is there twice'
            raise _Problem(message)
        schemas[entry.name.casefold()] = entry.declared()
        if entry.default and defaults.setdefault(entry.tenant, entry.name) != entry.name:
            message = f'tenant "{entry.tenant}" has two default schemas'
            raise _Problem(message)
    return SchemasFile(tuple(schemas.values()), defaults)


def _told(error: ErrorDetails, document: dict[str, Any]) -> str:
    """One line: the place in the file's own words, and what is wrong there."""
    problem = _PROBLEMS.get(error["type"], error["msg"])
    match error["loc"]:
        case ("schema", int(number), *keys):
            entry = document["schema"][number]
            name = entry.get("name") if isinstance(entry, dict) else None
            schema = f'schema "{name}"' if isinstance(name, str) and keys != ["name"] else f"schema {number + 1}"
            place = ".".join([schema, *map(str, keys)])
        case ("schema",):
            place, problem = "the file", "must hold at least one [[schema]]"
        case keys:
            place = ".".join(map(str, keys))
    return f"{place}: {problem[0].lower()}{problem[1:]}"
