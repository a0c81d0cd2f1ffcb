"""What a caller may not do. It tells nothing of other tenants."""

from dataclasses import dataclass
from typing import ClassVar

from mcp_server.domain.failures.codes import FailureCode


@dataclass(frozen=True, slots=True)
class SchemaDenied:
    """It is not the caller's, or not there at all: nobody is told which."""

    code: ClassVar[FailureCode] = FailureCode.ACCESS_DENIED
    schema: str


@dataclass(frozen=True, slots=True)
class DisabledSchemaDenied:
    """The operator has switched it off."""

    code: ClassVar[FailureCode] = FailureCode.ACCESS_DENIED
    schema: str


@dataclass(frozen=True, slots=True)
class TableDenied:
    """It is not there for the caller, or not at all: nobody is told which."""

    code: ClassVar[FailureCode] = FailureCode.ACCESS_DENIED
    schema: str
    table: str


@dataclass(frozen=True, slots=True)
class WorkspaceUsageDenied:
    """The caller is neither owner nor admin, who see what everybody reads."""

    code: ClassVar[FailureCode] = FailureCode.ACCESS_DENIED


@dataclass(frozen=True, slots=True)
class MissingScopes:
    """The access token lacks one of the scopes that are needed, in their order."""

    code: ClassVar[FailureCode] = FailureCode.ACCESS_DENIED
    needed: tuple[str, ...]


DeniedRead = SchemaDenied | DisabledSchemaDenied | TableDenied
"""Why policy does not allow what a statement would read."""

AccessFact = DeniedRead | WorkspaceUsageDenied | MissingScopes
