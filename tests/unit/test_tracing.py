"""Spans leave for where OpenTelemetry's variables say, and cost little where nobody listens."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator

import pytest
from kit.otlp import Collector, collecting

from avatarlab_ops import tracing
from avatarlab_ops.errors import ConsentError, WorkInFlight

RENDER = "20261130-015111-40f4ee06"
TRACE = "0a374348980d60297ffe7b4d233ed78f"  # sha256sum says so


@pytest.fixture
def collector() -> Iterator[Collector]:
    with collecting() as found, found.listening():
        yield found


def test_a_renders_spans_are_one_tree_whose_trace_follows_from_its_id(collector: Collector) -> None:
    with tracing.of_render(RENDER, "speech", stage="speech"), tracing.span("wait for device", slots=1):
        pass
    tracing.tell(RENDER, "render", 10**9, 3 * 10**9, whole=True, state="published")
    stage, waited, whole = collector.named("speech", "wait for device", "render")
    [stage], [waited], [whole] = (
        [span for span in (stage, waited, whole) if span.name == name]
        for name in ("speech", "wait for device", "render")
    )
    assert {span.trace_id.hex() for span in (stage, waited, whole)} == {TRACE}
    assert waited.parent_span_id == stage.span_id
    assert stage.parent_span_id == whole.span_id
    assert whole.parent_span_id == b""
    assert whole.end_time_unix_nano - whole.start_time_unix_nano == 2 * 10**9
    assert collector.services == {"avatarlab"}


def test_a_part_without_a_render_around_it_is_not_told(collector: Collector) -> None:
    with tracing.span("load engine"):
        pass
    tracing.tell(RENDER, "last", 1, 2)
    assert [span.name for span in collector.named("last")] == ["last"]
    assert len(collector.spans) == 1


def test_an_error_is_told_by_its_code_and_giving_way_is_none(collector: Collector) -> None:
    with pytest.raises(ConsentError), tracing.of_render(RENDER, "publish"):
        raise ConsentError("Jane Doe took back her word, password=secret")
    with pytest.raises(WorkInFlight), tracing.of_render(RENDER, "lipsync"):
        raise WorkInFlight("equal work is running", "artifact 1")
    publish, lipsync = sorted(collector.named("publish", "lipsync"), key=lambda it: it.name, reverse=True)
    assert (publish.status.code, publish.status.message) == (2, "consent")
    assert lipsync.status.code == 0
    assert not any(b"secret" in body for body in collector.raw)


def test_whoever_asked_with_a_trace_of_their_own_is_linked(collector: Collector) -> None:
    tracing.tell(RENDER, "POST /renders", 1, 2, came_from="00-" + "a" * 32 + "-" + "b" * 16 + "-01")
    tracing.tell(RENDER, "POST /renders", 1, 2, came_from="rubbish")
    linked, alone = collector.named("POST /renders")
    assert [(link.trace_id.hex(), link.span_id.hex()) for link in linked.links] == [("a" * 32, "b" * 16)]
    assert not alone.links


def test_a_sampler_decides_for_the_whole_render(
    collector: Collector, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_TRACES_SAMPLER", "parentbased_traceidratio")
    monkeypatch.setenv("OTEL_TRACES_SAMPLER_ARG", "0.5")
    for render in ("a", "b"):  # half of all: the lower half of a trace's id decides
        with tracing.of_render(render, "speech"), tracing.span("work"):
            pass
        tracing.tell(render, "render", 1, 2, whole=True)
    collector.named("speech", "work", "render")
    taken = "3e23e8160039594a33894f6564e1b134"
    assert [span.trace_id.hex() for span in collector.spans] == [taken] * 3


def test_a_span_of_airflow_that_is_not_sampled_drops_none_of_ours(collector: Collector) -> None:
    from opentelemetry import context, trace

    theirs = trace.NonRecordingSpan(trace.SpanContext(1, 1, is_remote=False))
    token = context.attach(trace.set_span_in_context(theirs))
    try:
        with tracing.of_render(RENDER, "speech"), tracing.span("work"):
            pass
    finally:
        context.detach(token)
    assert len(collector.named("speech", "work")) == 2


def test_a_forked_child_sends_what_is_its_own(collector: Collector) -> None:
    tracing.tell(RENDER, "parent", 1, 2)
    child = os.fork()
    if child == 0:
        tracing.tell(RENDER, "child", 1, 2)
        os._exit(0)
    os.waitpid(child, 0)
    assert sorted(span.name for span in collector.named("parent", "child")) == ["child", "parent"]


def test_a_collector_that_never_answers_costs_a_second(monkeypatch: pytest.MonkeyPatch) -> None:
    from avatarlab_ops.tracing import sender

    with socket.create_server(("127.0.0.1", 0)) as silent:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", f"http://127.0.0.1:{silent.getsockname()[1]}")
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "2")
        sender._providers.clear()
        begun = time.monotonic()
        with tracing.of_render(RENDER, "speech"):
            pass
        assert 0.9 < time.monotonic() - begun < 2.0
        sender._providers.popitem()[1].shutdown()


def test_a_render_that_ends_while_another_ones_spans_are_sent_has_sent_its_own_too(
    collector: Collector, monkeypatch: pytest.MonkeyPatch
) -> None:
    from avatarlab_ops.tracing import sender

    came, answers, take = threading.Event(), threading.Event(), collector.take

    def takes_its_time(body: bytes) -> None:
        came.set()
        answers.wait(10)
        take(body)

    monkeypatch.setattr(collector, "take", takes_its_time)
    monkeypatch.setattr(sender, "FLUSH_S", 10.0)  # on a busy machine, too
    ends = [threading.Thread(target=tracing.tell, args=(RENDER, name, 1, 2)) for name in ("first", "second")]
    ends[0].start()
    assert came.wait(10)
    ends[1].start()
    ends[1].join(0.3)
    assert ends[1].is_alive(), "its span is on no way yet"
    answers.set()
    for thread in ends:
        thread.join()
    # Whoever ends the process now has lost nothing.
    assert sorted(span.name for span in collector.spans) == ["first", "second"]


@pytest.mark.parametrize(
    "variables",
    [
        {},
        {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9", "OTEL_SDK_DISABLED": "true"},
        {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9", "OTEL_TRACES_EXPORTER": "none"},
    ],
    ids=["none", "disabled", "no exporter"],
)
def test_where_nobody_listens_nothing_is_loaded(variables: dict[str, str]) -> None:
    code = (
        "import sys\nfrom avatarlab_ops import tracing\n"
        "with tracing.of_render('1', 'speech'), tracing.span('work'): pass\n"
        "tracing.tell('1', 'render', 1, 2, whole=True)\n"
        "sys.exit(any(name.startswith('opentelemetry') for name in sys.modules))"
    )
    kept = {name: value for name, value in os.environ.items() if not name.startswith("OTEL_")}
    subprocess.run([sys.executable, "-c", code], env=kept | variables, check=True)


@pytest.mark.parametrize(
    ("variable", "value"),
    [("OTEL_BSP_MAX_QUEUE_SIZE", "100"), ("OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT", "many")],
)
def test_variables_that_opentelemetry_refuses_fail_nothing_and_are_told_once(
    variable: str, value: str
) -> None:
    code = (
        "from avatarlab_ops import tracing\n"
        "with tracing.of_render('1', 'speech'), tracing.span('work'): tracing.note(words=2)\n"
        "tracing.tell('1', 'render', 1, 2, whole=True)"
    )
    variables = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9", variable: value}
    done = subprocess.run(
        [sys.executable, "-c", code], env=os.environ | variables, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr.count("no spans are sent")) == (0, 1), done.stderr
