"""The relational engine that computes results."""

from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass
from typing import Protocol

import pyarrow as pa

from mcp_server.domain.failures import Failure
from mcp_server.domain.failures.values import NotEvaluated


@dataclass(frozen=True, slots=True)
class View:
    """Another relation of the statement: some columns of an input, in that order."""

    name: str
    columns: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Input:
    """A relation to stream into the relational engine; closing `batches` stops its source.

    Materialised, it is loaded before the statement runs, and can be read more than once, also through `views`.
    """

    name: str
    schema: pa.Schema
    batches: AsyncGenerator[pa.RecordBatch]
    materialise: bool
    views: tuple[View, ...] = ()


@dataclass(frozen=True, slots=True)
class ResultColumn:
    """A column of a result; `type` is DuckDB's name of its type."""

    name: str
    type: str


@dataclass(frozen=True, slots=True)
class Result:
    """A result set, or its first rows when it is not `complete`."""

    columns: tuple[ResultColumn, ...]
    table: pa.Table
    complete: bool


@dataclass(frozen=True, slots=True)
class Place:
    """A part of an executed statement, counted in characters from 0."""

    offset: int
    length: int


class EvaluationError(Failure):
    """The statement cannot be evaluated; `place` is the part of it that is to blame, where that is known."""

    fact: NotEvaluated

    def __init__(self, fact: NotEvaluated, place: Place | None = None) -> None:
        super().__init__(fact)
        self.place = place


class StreamReadTwice(Exception):
    """A streamed input would have to be read a second time: it must be materialised. There is no result."""


class EvaluationLost(Exception):
    """The evaluation ended without an answer, through a fault that need not be the statement's. Run it once more."""


class RelationalEngine(Protocol):
    """Runs one statement over streamed inputs, without files, network or credentials.

    Cancelling a run ends its work within half a second. Raises EvaluationError, Failure (memory_exceeded,
    result_too_large, busy, internal_error), StreamReadTwice or EvaluationLost. It does not queue: with more runs at
    once than it was made for, the others are told that it is busy within a second or so.
    """

    async def run(self, statement: str, inputs: Sequence[Input], *, row_limit: int, byte_limit: int) -> Result:
        """The result, cut at `row_limit` rows or `byte_limit` bytes; inputs are only read as far as it needs."""
        ...
