"""Where parameters and a statement's placeholders do not fit one another. Parameters are named without their `$`."""

from dataclasses import dataclass
from typing import ClassVar

from mcp_server.domain.failures.codes import FailureCode


@dataclass(frozen=True, slots=True)
class MixedPlaceholders:
    """The statement has both `?` and numbered placeholders."""

    code: ClassVar[FailureCode] = FailureCode.INVALID_PARAMETERS


@dataclass(frozen=True, slots=True)
class ParametersOtherwiseNamed:
    """Parameters by position are given to a statement that names them, or the other way round."""

    code: ClassVar[FailureCode] = FailureCode.INVALID_PARAMETERS


@dataclass(frozen=True, slots=True)
class MissingParameters:
    """Placeholders have no value."""

    code: ClassVar[FailureCode] = FailureCode.INVALID_PARAMETERS
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class UnknownParameters:
    """Values have no placeholder."""

    code: ClassVar[FailureCode] = FailureCode.INVALID_PARAMETERS
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class UnfitParameter:
    """A value has no literal: a list, an object, a text with NUL, a number of more than 38 digits."""

    code: ClassVar[FailureCode] = FailureCode.INVALID_PARAMETERS
    name: str


ParameterFact = MixedPlaceholders | ParametersOtherwiseNamed | MissingParameters | UnknownParameters | UnfitParameter
