"""What a principal may not see of a table: columns, contents of columns, rows."""

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum


class Mask(StrEnum):
    """What is shown in place of a value; the first ones show less."""

    NULL = "null"
    REDACTED = "redacted"
    LAST4 = "last4"


REDACTED = "***"
"""What a redacted value reads, and what stands before the last four characters of one of which those are shown."""


@dataclass(frozen=True, slots=True)
class AllowedValues:
    """Only items whose attribute is one of these texts, or one of these numbers, are there."""

    attribute: str
    texts: frozenset[str]
    numbers: frozenset[Decimal] = frozenset()


Rows = tuple[AllowedValues, ...]
"""Only items that all of them allow are there."""


@dataclass(frozen=True, slots=True)
class Restriction:
    """What is kept from somebody. An attribute is named as DynamoDB does, with all that is in it.

    Of a `closed` table everything is.
    """

    hidden: frozenset[str] = frozenset()
    masks: tuple[tuple[str, Mask], ...] = ()
    rows: Rows = ()
    closed: bool = False

    @property
    def masked(self) -> frozenset[str]:
        """The attributes whose values are masked."""
        return frozenset(name for name, _ in self.masks)


@dataclass(frozen=True, slots=True)
class Rule:
    """A restriction of a table, by its physical name, for everybody but people with one of `except_roles`.

    A `closed` table is not there for them at all. What `rows` allow is written as `row_value` reads it.
    """

    table: str
    except_roles: frozenset[str] = frozenset()
    hidden: frozenset[str] = frozenset()
    masks: tuple[tuple[str, Mask], ...] = ()
    rows: tuple[tuple[str, frozenset[str]], ...] = ()
    closed: bool = False
