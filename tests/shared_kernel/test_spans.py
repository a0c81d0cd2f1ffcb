"""Spans where nobody traces, and where somebody does."""

from collections.abc import Generator, Mapping
from contextlib import contextmanager

import pytest

from shared_kernel.spans import START, Attributes, SetAttributes, span


def test_a_span_that_nobody_traces_does_nothing() -> None:
    with span("work", {"a": 1}) as tell:
        tell({"b": 2})
    with pytest.raises(ValueError, match="as it was"), span("work", {}):
        raise ValueError("as it was")


def test_spans_go_to_whoever_traces_the_request() -> None:
    told: list[tuple[str, dict[str, object], Mapping[str, str]]] = []

    @contextmanager
    def start(name: str, attributes: Attributes, caller: Mapping[str, str]) -> Generator[SetAttributes]:
        fields: dict[str, object] = dict(attributes)
        told.append((name, fields, caller))
        yield fields.update

    token = START.set(start)
    try:
        with span("outer", {"a": 1}) as tell, span("inner", {}, {"traceparent": "x"}):
            tell({"b": 2})
    finally:
        START.reset(token)
    with span("after", {}):
        pass
    assert told == [("outer", {"a": 1, "b": 2}, {}), ("inner", {}, {"traceparent": "x"})]
