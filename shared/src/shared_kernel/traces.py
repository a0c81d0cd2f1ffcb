"""Traces of requests, sent to an OpenTelemetry collector: spans, and in them the events that the log tells.

A trace goes on from the caller's `traceparent` (W3C Trace Context). Whether it is recorded is decided here, by the
share that the operator wants: a caller can ask not to be traced, but cannot ask to be.
"""

import json
from collections.abc import Generator, Iterable, Mapping
from contextlib import contextmanager
from typing import Any

from opentelemetry import context as otel_context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import SpanLimits, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, ParentBased, TraceIdRatioBased
from opentelemetry.trace import (
    INVALID_SPAN,
    Link,
    Span,
    SpanKind,
    StatusCode,
    format_trace_id,
    get_current_span,
    set_span_in_context,
)
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from shared_kernel.asgi import App, Receive, Scope, Send, at_once_of, header_values
from shared_kernel.logs import TRACE_ID
from shared_kernel.metrics import PathNames, method
from shared_kernel.redaction import SECRET_NAMES, redact
from shared_kernel.spans import START, Attributes, SetAttributes

EXPORT_SECONDS = 5.0
"""How long a collector may take to accept what it is sent, and how long the end of the service waits for that."""
_TEXT_LENGTH = 256
_EVENTS = 128
_SERVER_ERROR = 500
_PARENT = "traceparent"
_propagator = TraceContextTextMapPropagator()


class Traces:
    """See Tracing. What the collector does not take in time is dropped; nothing waits for it."""

    def __init__(self, service: str, version: str, *, url: str, ratio: float) -> None:
        self._provider = TracerProvider(
            resource=Resource.create({"service.name": service, "service.version": version}),
            sampler=ParentBased(
                TraceIdRatioBased(ratio),
                remote_parent_sampled=TraceIdRatioBased(ratio),
                remote_parent_not_sampled=ALWAYS_OFF,
            ),
            span_limits=SpanLimits(max_span_attribute_length=_TEXT_LENGTH, max_events=_EVENTS),
            shutdown_on_exit=False,
        )
        self._provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(url, timeout=EXPORT_SECONDS)))
        self._tracer = self._provider.get_tracer(service, version)

    def observe(self, level: str, event: Mapping[str, Any]) -> None:
        """Tells an event of the log in the span that is under way; the line of a request ends that request's."""
        span = get_current_span()
        if not span.is_recording():
            return
        if event["event"] == "request":
            span.set_attribute("http.response.status_code", event["status"])
            if event["status"] >= _SERVER_ERROR:
                span.set_status(StatusCode.ERROR)
        span.add_event(str(event["event"]), {"level": level, **_told(event)})

    @contextmanager
    def request(self, name: str, caller: str) -> Generator[Span]:
        """A request's span; `caller` is its `traceparent`, or empty."""
        parent = _propagator.extract({_PARENT: caller}, otel_context.Context())
        span = self._tracer.start_span(name, parent, SpanKind.SERVER)
        token = otel_context.attach(set_span_in_context(span))
        trace_id = TRACE_ID.set(format_trace_id(span.get_span_context().trace_id))
        start = START.set(self._started if span.is_recording() else None)
        try:
            yield span
        finally:
            START.reset(start)
            TRACE_ID.reset(trace_id)
            otel_context.detach(token)
            span.end()

    @contextmanager
    def _started(self, name: str, attributes: Attributes, caller: Mapping[str, str]) -> Generator[SetAttributes]:
        """See shared_kernel.spans.Start."""
        parent, links = _inside(caller)
        span = self._tracer.start_span(name, parent, attributes=attributes, links=links)
        token = otel_context.attach(set_span_in_context(span))
        try:
            yield span.set_attributes
        except BaseException as error:
            span.set_attribute("error.type", type(error).__qualname__)
            span.set_status(StatusCode.ERROR)
            raise
        finally:
            otel_context.detach(token)
            span.end()

    def of(self, app: App, paths: Iterable[str]) -> App:
        """See Tracing.of."""
        names = PathNames()
        names.learn(paths)
        return TracedRequests(app, self, names)

    def close(self) -> None:
        """Sends what is left, as far as the collector takes it in time."""
        self._provider.shutdown()


class TracedRequests:
    """Traces every request but those that are answered before they are asked for, such as the documents."""

    def __init__(self, app: App, traces: Traces, paths: PathNames) -> None:
        self._app, self._traces, self._paths = app, traces, paths
        self.at_once = at_once_of(app)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serves one connection scope."""
        if scope["type"] != "http":
            return await self._app(scope, receive, send)
        callers = header_values(scope, _PARENT)
        verb, route = method(scope), self._paths(scope)
        with self._traces.request(f"{verb} {route}", callers[0] if len(callers) == 1 else "") as span:
            span.set_attributes({"http.request.method": verb, "http.route": route})
            return await self._app(scope, receive, send)


def _inside(caller: Mapping[str, str]) -> tuple[otel_context.Context | None, list[Link]]:
    """The context of a span that somebody else than the request asked for, and a link to the request's."""
    parent = _propagator.extract(caller, otel_context.Context()) if caller else None
    if parent is None or get_current_span(parent) is INVALID_SPAN:
        return None, []
    return parent, [Link(get_current_span().get_span_context())]


def _told(event: Mapping[str, Any]) -> dict[str, str | int | float | bool]:
    """The fields of an event that a span can hold, without secrets."""
    told: dict[str, str | int | float | bool] = {}
    for name, value in event.items():
        if name == "event" or name in SECRET_NAMES:
            continue
        if isinstance(value, bool | int | float):
            told[name] = value
        elif isinstance(value, str):
            told[name] = redact(value.encode(errors="replace")).decode()
        elif isinstance(value, tuple | list):
            told[name] = redact(json.dumps(value, default=str).encode()).decode()
    return told
