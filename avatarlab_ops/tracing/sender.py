"""Spans by OpenTelemetry's SDK, to where its own variables say; a provider of our own beside Airflow's."""

from __future__ import annotations

import hashlib
import os
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar

from opentelemetry.context import Context
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter
from opentelemetry.sdk.trace.id_generator import RandomIdGenerator
from opentelemetry.sdk.trace.sampling import Decision
from opentelemetry.trace import (
    Link,
    NonRecordingSpan,
    Span,
    SpanContext,
    Status,
    StatusCode,
    TraceFlags,
    get_current_span,
    set_span_in_context,
)
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from avatarlab_ops.tracing import Value

FLUSH_S = 1.0  # that a silent collector may cost a stage
PREFIX = "avatarlab."
NO_ERROR = ("WorkInFlight", "ApprovalAwaited")  # a task gives way, and comes again

_providers: dict[int, TracerProvider] = {}  # one a process: a forked child makes its own
_making = threading.Lock()
_sending: threading.Thread | None = None  # one a process; a forked child's copy is not alive
_sending_since = 0.0  # time.monotonic()
_around: ContextVar[Span | None] = ContextVar("span", default=None)
_forced: ContextVar[tuple[int, int] | None] = ContextVar("forced", default=None)


class _Ids(RandomIdGenerator):
    """Random ids, but for the span of a whole render, whose ids follow from the render's."""

    def generate_trace_id(self) -> int:
        forced = _forced.get()
        return forced[0] if forced else super().generate_trace_id()

    def generate_span_id(self) -> int:
        forced = _forced.get()
        return forced[1] if forced else super().generate_span_id()


def trace_id(render_id: str) -> int:
    """The trace of a render: the first 16 bytes of the sha256 of its id, as docs/operations.md says."""
    return int.from_bytes(hashlib.sha256(render_id.encode()).digest()[:16], "big")


def whole_id(render_id: str) -> int:
    """The id of the span that is the whole render: every process knows it before there is one."""
    return int.from_bytes(hashlib.sha256(f"whole {render_id}".encode()).digest()[:8], "big")


@contextmanager
def of_render(render_id: str, name: str, attributes: Mapping[str, Value]) -> Iterator[None]:
    """See tracing.of_render."""
    try:
        with _begun(name, _within(render_id), {**attributes, "render_id": render_id}):
            yield
    finally:
        if _around.get() is None:
            _flush()


@contextmanager
def part(name: str, attributes: Mapping[str, Value]) -> Iterator[None]:
    """See tracing.span."""
    around = _around.get()
    if around is None:
        yield
        return
    with _begun(name, set_span_in_context(around, Context()), attributes):
        yield


def note(attributes: Mapping[str, Value]) -> None:
    """See tracing.note."""
    around = _around.get()
    if around is not None:
        around.set_attributes(_named(attributes))


def tell(
    render_id: str, name: str, times_ns: tuple[int, int], attributes: Mapping[str, Value],
    *, whole: bool, came_from: str | None, error: str | None,
) -> None:  # fmt: skip
    """See tracing.tell."""
    forced = _forced.set((trace_id(render_id), whole_id(render_id))) if whole else None
    try:
        span = provider().get_tracer("avatarlab").start_span(
            name, Context() if whole else _within(render_id), links=_links(came_from),
            attributes=_named({**attributes, "render_id": render_id}), start_time=times_ns[0],
        )  # fmt: skip
    finally:
        if forced:
            _forced.reset(forced)
    if error:
        span.set_status(Status(StatusCode.ERROR, error))
    span.end(times_ns[1])
    if _around.get() is None:
        _flush()


@contextmanager
def _begun(name: str, within: Context, attributes: Mapping[str, Value]) -> Iterator[None]:
    """A span around the block. Of an error only its code is kept: its text may hold a secret."""
    span = provider().get_tracer("avatarlab").start_span(name, within, attributes=_named(attributes))
    token = _around.set(span)
    try:
        yield
    except BaseException as error:
        code = str(getattr(error, "code", type(error).__name__))
        span.set_attribute("error.type", code)
        if type(error).__name__ not in NO_ERROR:
            span.set_status(Status(StatusCode.ERROR, code))
        raise
    finally:
        _around.reset(token)
        span.end()


def _within(render_id: str) -> Context:
    """Below the span of the whole render, which is sent at its end; sampled as that one will be."""
    known = trace_id(render_id)
    # Empty, not None: that is the current one, where a task of Airflow has a span that is not sampled.
    decision = provider().sampler.should_sample(Context(), known, "render").decision
    flags = TraceFlags.SAMPLED if decision is Decision.RECORD_AND_SAMPLE else TraceFlags.DEFAULT
    parent = SpanContext(known, whole_id(render_id), is_remote=True, trace_flags=TraceFlags(flags))
    return set_span_in_context(NonRecordingSpan(parent), Context())


def _links(came_from: str | None) -> list[Link]:
    carrier = {"traceparent": came_from} if came_from else {}
    found = get_current_span(TraceContextTextMapPropagator().extract(carrier, Context())).get_span_context()
    return [Link(found)] if found.is_valid else []


def _named(attributes: Mapping[str, Value]) -> dict[str, Value]:
    return {f"{PREFIX}{name}": value for name, value in attributes.items()}


def provider() -> TracerProvider:
    """This process's own. Raises ValueError, or whatever else the SDK does, for variables that it refuses."""
    with _making:
        if os.getpid() not in _providers:
            named = os.environ.get("OTEL_SERVICE_NAME") or "service.name=" in os.environ.get(
                "OTEL_RESOURCE_ATTRIBUTES", ""
            )
            resource = Resource.create({} if named else {"service.name": "avatarlab"})
            # At the end of a process `_flush` was called; the SDK's own would wait half a minute.
            made = TracerProvider(resource=resource, id_generator=_Ids(), shutdown_on_exit=False)
            made.add_span_processor(BatchSpanProcessor(_exporter()))
            _providers[os.getpid()] = made
        return _providers[os.getpid()]


def _after_fork_in_child() -> None:
    global _making  # noqa: PLW0603 (a lock that another thread held would never be free)
    _making = threading.Lock()


os.register_at_fork(after_in_child=_after_fork_in_child)


def _exporter() -> SpanExporter:
    """By HTTP, as the specification has it, unless a variable asks for gRPC."""
    protocol = os.environ.get("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf")
    if os.environ.get("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", protocol) == "grpc":
        from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import (  # gRPC: only for who asks
            OTLPSpanExporter as ByGrpc,
        )

        return ByGrpc()
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter  # requests: 0.1 s

    return OTLPSpanExporter()


def _flush() -> None:
    """Send what is there; a collector that does not answer is waited for a second, no longer.

    And once: who ends many renders does not wait again while it is still silent; spans are kept meanwhile.
    What another thread began to send less than a second ago is waited for, and ours sent after it.
    """
    global _sending, _sending_since
    if _sending is not None:
        _sending.join(max(0.0, _sending_since + FLUSH_S - time.monotonic()))
        if _sending.is_alive():
            return
    sending = threading.Thread(target=provider().force_flush, name="spans", daemon=True)
    sending.start()
    _sending, _sending_since = sending, time.monotonic()
    sending.join(FLUSH_S)
