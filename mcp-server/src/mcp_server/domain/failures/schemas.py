"""Schemas that a call cannot mean. Another tenant's is unknown."""

from dataclasses import dataclass
from typing import ClassVar

from mcp_server.domain.failures.codes import FailureCode


@dataclass(frozen=True, slots=True)
class NoSchema:
    """The caller's tenant has none."""

    code: ClassVar[FailureCode] = FailureCode.UNKNOWN_SCHEMA


@dataclass(frozen=True, slots=True)
class UnknownSchema:
    """The caller's tenant has none of that name, but those of `names`, none disabled; `near` are the likeliest."""

    code: ClassVar[FailureCode] = FailureCode.UNKNOWN_SCHEMA
    name: str
    names: tuple[str, ...]
    near: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class IndexAsTable:
    """What stands for a schema is a table, and what stands for its table is an index of it, as PartiQL has it."""

    code: ClassVar[FailureCode] = FailureCode.UNKNOWN_SCHEMA
    table: str
    index: str


@dataclass(frozen=True, slots=True)
class AmbiguousSchema:
    """The name differs only in case from those of several schemas."""

    code: ClassVar[FailureCode] = FailureCode.AMBIGUOUS_NAME
    name: str
    candidates: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class DisabledSchema:
    """The operator has switched it off."""

    code: ClassVar[FailureCode] = FailureCode.UNKNOWN_SCHEMA
    name: str


@dataclass(frozen=True, slots=True)
class SelfDescription:
    """It is one in which databases describe themselves, as information_schema."""

    code: ClassVar[FailureCode] = FailureCode.UNKNOWN_SCHEMA
    name: str


SchemaFact = NoSchema | UnknownSchema | IndexAsTable | AmbiguousSchema | DisabledSchema | SelfDescription
