"""Scans of whole tables that the caller did not allow."""

import math
from dataclasses import dataclass
from typing import ClassVar

from mcp_server.domain.failures.codes import FailureCode
from mcp_server.domain.rejected_index import RejectedIndex


@dataclass(frozen=True, slots=True)
class LargeTable:
    """A table that would be scanned; `queries` are conditions that are read by key, `?` standing for values."""

    name: str
    queries: tuple[str, ...] = ()
    rejected: tuple[RejectedIndex, ...] = ()


@dataclass(frozen=True, slots=True)
class LargeScan:
    """What is known of the tables says that they have more items than may be scanned unasked."""

    code: ClassVar[FailureCode] = FailureCode.FULL_SCAN_REFUSED
    tables: tuple[LargeTable, ...]


@dataclass(frozen=True, slots=True)
class ScanForKeys:
    """The rows of other tables name too many of its keys to read a table by them."""

    code: ClassVar[FailureCode] = FailureCode.FULL_SCAN_REFUSED
    table: LargeTable


@dataclass(frozen=True, slots=True)
class ScanWentOn:
    """More was scanned than may be unasked, though the table seemed small, or the scan was likely to end `early`.

    That is more than `most` items, or more than `most_units` read units; `spent` are those of all of the query.
    """

    code: ClassVar[FailureCode] = FailureCode.FULL_SCAN_REFUSED
    table: LargeTable
    most: int
    most_units: float = math.inf
    early: bool = False
    spent: float = 0.0


ScanFact = LargeScan | ScanForKeys | ScanWentOn
