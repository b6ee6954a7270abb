"""One trace a render, by OpenTelemetry, across all processes that work on it.

The trace's id follows from the render's: no process has to hand it to the next, and a retry and a restart
find it again. Nothing is imported and nothing sent unless OpenTelemetry's own
variables (OTEL_EXPORTER_OTLP_ENDPOINT or OTEL_EXPORTER_OTLP_TRACES_ENDPOINT) say where to.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager

Value = str | int | float | bool
log = logging.getLogger(__name__)

_refused = False  # OpenTelemetry's SDK has refused the variables in this process


def wanted() -> bool:
    """Whether the operator's environment names a place to send spans to, and does not switch them off."""
    off = os.environ.get("OTEL_SDK_DISABLED", "").lower() == "true"
    none = os.environ.get("OTEL_TRACES_EXPORTER", "otlp") == "none"
    places = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
    return not (off or none) and any(os.environ.get(place) for place in places)


def _usable() -> bool:
    """Whether spans are wanted and can be sent: to watch a render must never be what ends it."""
    global _refused  # noqa: PLW0603 (told once a process)
    if _refused or not wanted():
        return False
    try:
        from avatarlab_ops.tracing import sender

        sender.provider()
    except Exception as error:  # noqa: BLE001 (whatever a variable makes the SDK raise, also at its import)
        _refused = True
        log.warning("no spans are sent: OpenTelemetry refuses its variables OTEL_*: %s", error)
    return not _refused


@contextmanager
def of_render(render_id: str, name: str, **attributes: Value) -> Iterator[None]:
    """The block is a span of this render; sent, or given up after a second, before it ends."""
    if not _usable():
        yield
        return
    from avatarlab_ops.tracing import sender

    with sender.of_render(render_id, name, attributes):
        yield


@contextmanager
def span(name: str, **attributes: Value) -> Iterator[None]:
    """Make the block a child of the current span; does nothing where there is no span."""
    if not _usable():
        yield
        return
    from avatarlab_ops.tracing import sender

    with sender.part(name, attributes):
        yield


def note(**attributes: Value) -> None:
    """Add attributes to the current span; does nothing where there is no span."""
    if _usable():
        from avatarlab_ops.tracing import sender

        sender.note(attributes)


def tell(
    render_id: str,
    name: str,
    began_ns: int,
    ended_ns: int,
    *,
    whole: bool = False,
    came_from: str | None = None,
    error: str | None = None,
    **attributes: Value,
) -> None:
    """Send a span that is over; times are Unix nanoseconds.

    `whole`: it is the render from its order to its end, in which all other spans lie. `came_from`: the W3C
    `traceparent` of whoever asked, to which it is linked. `error`: the reason's code.
    """
    if not _usable():
        return
    from avatarlab_ops.tracing import sender

    sender.tell(
        render_id, name, (began_ns, ended_ns), attributes, whole=whole, came_from=came_from, error=error
    )
