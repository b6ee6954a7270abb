"""Storms of `make chaos-run`: the same seed gives the same faults, and each broken promise is found."""

from __future__ import annotations

import json
import socket
import socketserver
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from kit.storm import checker, gates, page, schedule
from kit.storm.hand import Done
from kit.storm.history import History, Item, Made, Render, steps

NOW = datetime(2026, 11, 30, 2, 0, tzinfo=UTC)


def test_a_seed_gives_the_same_storm_again_and_another_seed_another() -> None:
    assert schedule.draw(7, 15, 100) == schedule.draw(7, 15, 100)
    assert schedule.draw(7, 15, 100) != schedule.draw(8, 15, 100)


def test_a_storm_has_as_many_faults_of_each_kind_as_asked_and_meets_every_target() -> None:
    faults = schedule.draw(7, 15, 105)
    assert Counter(fault.kind for fault in faults) == dict.fromkeys(schedule.KINDS, 105)
    for kind, targets in schedule.TARGETS.items():
        assert {fault.target for fault in faults if fault.kind == kind} == set(targets)
    assert faults == sorted(faults, key=lambda fault: fault.at_s)
    assert {fault.size for fault in faults if fault.kind == "partition"} == {0.0, 1.0}
    clock = [fault.size for fault in faults if fault.kind == "clock step"]
    assert min(clock) < -30 < 30 < max(clock), "no step is beyond the heartbeat's limit"


def test_what_a_machine_cannot_do_changes_nothing_else() -> None:
    kinds = [kind for kind in schedule.KINDS if kind != "full disk"]
    whole = [fault for fault in schedule.draw(7, 15, 50) if fault.kind != "full disk"]
    assert schedule.draw(7, 15, 50, kinds) == whole


def test_two_faults_of_a_kind_never_overlap_on_one_target() -> None:
    ends: dict[tuple[str, str], float] = {}
    for fault in schedule.draw(3, 2, 60):
        assert fault.at_s >= ends.get((fault.kind, fault.target), 0.0) - 0.01
        ends[fault.kind, fault.target] = fault.at_s + fault.lasts_s


def test_a_storm_that_makes_no_sense_is_refused_by_name() -> None:
    with pytest.raises(ValueError, match="flood"):
        schedule.draw(1, 1, 1, ["flood"])
    with pytest.raises(ValueError, match="0 minutes"):
        schedule.draw(1, 0, 1)


@pytest.fixture
def echo() -> Iterator[int]:
    class Answer(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            while said := self.request.recv(100):
                self.request.sendall(said)

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Answer) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        yield server.server_address[1]
        server.shutdown()


def said_back(caller: socket.socket, word: bytes) -> bytes:
    caller.sendall(word)
    return caller.recv(100)


def ended(caller: socket.socket) -> bool:
    """Whether the connection is no more."""
    try:
        return said_back(caller, b"anybody?") == b""
    except ConnectionError:
        return True


def test_a_gate_passes_is_slow_swallows_refuses_and_opens_again(echo: int) -> None:
    with gates.standing({"postgres": lambda: echo}) as standing:
        address = ("127.0.0.1", standing.each["postgres"].port)
        with socket.create_connection(address, timeout=5) as caller:
            assert said_back(caller, b"one") == b"one"
            standing.slow("postgres", 0.05)
            begun = time.monotonic()
            assert said_back(caller, b"two") == b"two"
            assert time.monotonic() - begun > 0.1, "both ways are late"
            standing.slow("postgres", 0)
            standing.shut("postgres", silent=True)
            caller.settimeout(0.2)
            with pytest.raises(TimeoutError):
                said_back(caller, b"three")
            caller.settimeout(5)
            standing.opened("postgres")
            assert caller.recv(100) == b"three", "what was swallowed comes when it is over"
            standing.shut("postgres", silent=False)
            assert ended(caller)
        with socket.create_connection(address, timeout=5) as refused:
            assert ended(refused)
        standing.opened("postgres")
        with socket.create_connection(address, timeout=5) as again:
            assert said_back(again, b"six") == b"six"


def sound() -> History:
    """A history that breaks nothing: one single render and one of a bulk run, whose face is shared."""
    history = History(answers={"key-1": {"r1"}}, bulk={"b": 1}, places=2, most_held=2)
    history.renders = [
        Render("r1", "key-1", "published", run_id="render-r1"),
        Render("r2", "bulk:b:1", "published"),
        Render("r3", "key-0", "failed", "the script is empty"),
    ]
    history.items = [Item("b", "1", "published", "r2")]
    for number, (stage, render) in enumerate([("face", "r1"), ("lipsync", "r1"), ("lipsync", "r2")]):
        files = {f"artifacts/{number}/file": f"sha-{number}"}
        until = NOW + timedelta(seconds=10 * number)
        history.artifacts[f"f{number}"] = Made(stage, files, until, 8.0, slots=2 * (stage == "lipsync"))
        history.stages.append((render, stage, "done", f"f{number}"))
    history.stages.append(("r2", "face", "cached", "f0"))
    for render in ("r1", "r2"):
        files = {name: (f"outputs/renders/{render}/{name}", f"{render}-{name}") for name in ("video.mp4", "manifest.json")}  # fmt: skip # noqa: E501
        history.published[render] = files
        history.manifests[render] = {"video.mp4": f"{render}-video.mp4"}
        history.completions[render] = 1
    kept = [made.files.items() for made in history.artifacts.values()]
    history.objects = {key: sha256 for files in kept for key, sha256 in files}
    history.objects |= {key: sha for files in history.published.values() for key, sha in files.values()}
    history.promised = dict(history.objects)
    history.runs = {"render-r1": "success"}
    history.outbox = {"waiting": 0, "dead": 0}
    return history


def test_a_sound_history_breaks_no_promise() -> None:
    verdicts = checker.judge(sound())
    assert [verdict for verdict in verdicts if not verdict.holds] == []
    assert len(verdicts) == 6


def _drop_answer(history: History) -> None:
    history.answers["key-9"] = {"r9"}


def _still_open(history: History) -> None:
    history.renders[0] = replace(history.renders[0], state="running")


def _no_reason(history: History) -> None:
    history.renders[2] = replace(history.renders[2], error=None)


def _lose_item(history: History) -> None:
    history.items.clear()


def _wait_item(history: History) -> None:
    history.items[0] = replace(history.items[0], state="waiting")


def _two_answers(history: History) -> None:
    history.answers["key-1"].add("r2")


def _two_renders(history: History) -> None:
    history.renders.append(Render("r4", "key-1", "running"))


def _made_twice(history: History) -> None:
    history.stages.append(("r2", "face", "done", "f0"))


def _told_twice(history: History) -> None:
    history.completions["r1"] = 2


def _two_videos(history: History) -> None:
    history.published["r1"]["video.webm"] = ("outputs/renders/r1/video.webm", "w")


def _other_bytes(history: History) -> None:
    history.objects["artifacts/1/file"] = "rotten"


def _no_bytes(history: History) -> None:
    del history.objects["artifacts/2/file"], history.promised["artifacts/2/file"]


def _stray_video(history: History) -> None:
    history.objects["outputs/renders/r3/video.mp4"] = "half a video"


def _no_manifest(history: History) -> None:
    del history.manifests["r1"]


def _other_manifest(history: History) -> None:
    history.manifests["r1"] = {"video.mp4": "another"}


def _published_and_failed(history: History) -> None:
    history.renders[0] = replace(history.renders[0], state="failed", error="no")


def _no_files(history: History) -> None:
    del history.published["r2"]


def _no_event(history: History) -> None:
    del history.completions["r2"]


def _no_weights(history: History) -> None:
    history.untraced["r1"] = "weights"


def _held_too_much(history: History) -> None:
    history.most_held = 3


def _overlap(history: History) -> None:
    history.artifacts["f1"] = replace(history.artifacts["f1"], until=NOW + timedelta(seconds=19))


def _run_left(history: History) -> None:
    history.runs["render-r1"] = "running"


def _task_left(history: History) -> None:
    history.tasks_open.append("avatar_render render-r1 speech running")


def _message_left(history: History) -> None:
    history.outbox["dead"] = 1


LOST, TWICE, TORN, TRACED, LEASE, OVER = checker.PROMISES
BROKEN: list[tuple[str, Callable[[History], None]]] = [
    *((LOST, it) for it in (_drop_answer, _still_open, _no_reason, _lose_item, _wait_item)),
    *((TWICE, it) for it in (_two_answers, _two_renders, _made_twice, _told_twice, _two_videos)),
    *((TORN, it) for it in (_other_bytes, _no_bytes, _stray_video)),
    *((TRACED, it) for it in (_no_manifest, _other_manifest, _published_and_failed, _no_files, _no_event)),
    (TRACED, _no_weights),
    *((LEASE, it) for it in (_held_too_much, _overlap)),
    *((OVER, it) for it in (_run_left, _task_left, _message_left)),
]


@pytest.mark.parametrize(("promise", "harm"), BROKEN, ids=[harm.__name__ for _, harm in BROKEN])
def test_each_harm_breaks_its_promise(promise: str, harm: Callable[[History], None]) -> None:
    history = sound()
    harm(history)
    assert promise in {verdict.promise for verdict in checker.judge(history) if verdict.findings}


def test_a_promise_that_was_held_against_nothing_does_not_hold() -> None:
    assert not any(verdict.holds for verdict in checker.judge(History()))


def test_times_written_under_a_stepped_clock_are_not_believed() -> None:
    history = sound()
    _overlap(history)
    history.steps = steps(NOW, [(0.0, 2.0, 18.0)])  # f1 said 19 s: it may have ended at 1 s
    [lease] = [verdict for verdict in checker.judge(history) if verdict.promise == LEASE]
    assert lease.findings == ()
    assert lease.looked_at < 2


def test_the_page_tells_verdicts_faults_and_what_strangers_wrote_harmlessly() -> None:
    fault = schedule.Fault(1.0, "kill", "scheduler", 0.0)
    done = [Done(fault, "4711", 1.0, 1.0), Done(replace(fault, target="task"), "", 2.0, 2.0)]
    verdicts = [checker.Verdict("Nothing is lost", 3, ("<b>key-1</b> is lost",))]
    report = page.Report(
        7, 15, 105, "today", verdicts, done, {"full disk": "only root may mount"}, {"published": [3.0]},
        {"<script>": 1},
    )  # fmt: skip
    told = page.html(report)
    assert "Storm 7: promises were broken" in told
    assert "make chaos-run SEED=7 MINUTES=15 FAULTS=105" in told
    assert "scheduler 1, task 0 (1 met nothing)" in told
    assert "only root may mount" in told
    assert "&lt;b&gt;key-1&lt;/b&gt; is lost" in told
    assert "<script>" not in told
    assert "src=" not in told
    assert "href=" not in told
    kept = json.loads(page.document(sound(), report))
    assert kept["answers"] == {"key-1": ["r1"]}
    assert kept["completions"] == {"r1": 1, "r2": 1}
    assert kept["done"][0]["fault"]["target"] == "scheduler"
