"""Scans of whole tables that the caller did not allow."""

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
    """More items were scanned than may be, though the table seemed small."""

    code: ClassVar[FailureCode] = FailureCode.FULL_SCAN_REFUSED
    table: LargeTable
    most: int


ScanFact = LargeScan | ScanForKeys | ScanWentOn
